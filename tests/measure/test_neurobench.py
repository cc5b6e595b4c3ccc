"""NeuroBench's metrics against NeuroBench itself, on the chain as a torch module."""

import warnings
from pathlib import Path

import nets
import numpy as np
import pytest
import torch
from needs import needs

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.measure.counts import count
from neuro_deploy.measure.neurobench import neurobench

STEPS = 12


class Fire(torch.nn.Module):
    """The threshold, a module of its own so that NeuroBench sees what it lets through."""

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        return spikes


class Lif(torch.nn.Module):
    """A layer of the chain in torch; the current of these chains has no memory."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        assert layer.current_decay == 4096
        self.keep, self.threshold = 4096 - layer.voltage_decay, layer.threshold << 6
        self.forth = linear(layer.weight)
        self.back = None if layer.weight_rec is None else linear(layer.weight_rec)
        self.fire = Fire()

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        arriving = self.forth(events)
        samples, steps, size = arriving.shape
        voltage = torch.zeros(samples, size, dtype=torch.int64)
        spikes = torch.zeros(samples, steps, size, dtype=torch.float64)
        for step in range(steps):
            before = spikes[:, step - 1] if step else torch.zeros_like(spikes[:, 0])
            current = arriving[:, step - 1] if step else torch.zeros_like(arriving[:, 0])
            if self.back is not None:
                current = current + self.back(before)
            leaked = voltage.sign() * ((voltage.abs() * self.keep) >> 12)
            voltage = leaked + (current.to(torch.int64) << 6)
            fired = voltage > self.threshold
            voltage[fired] = 0
            spikes[:, step] = fired.to(torch.float64)
        return self.fire(spikes)


def linear(weight: np.ndarray) -> torch.nn.Linear:
    module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=torch.float64)
    module.weight = torch.nn.Parameter(torch.from_numpy(weight.astype(np.float64)), requires_grad=False)
    return module


def as_torch(chain: Chain) -> torch.nn.Module:
    return torch.nn.Sequential(*(Lif(layer) for layer in chain.layers))


@pytest.mark.emulators
@needs("neurobench")
def test_metrics_are_neurobench_s_own(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of its dependencies are theirs
        from neurobench.metrics.static import ConnectionSparsity, Footprint
        from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
        from neurobench.models import TorchModel
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    trace = IntegerBackend().run(network, nets.samples(graph, 3, STEPS))
    ours = neurobench(count(trace, network.chain), network.chain, weight_bytes=8)

    model = TorchModel(as_torch(network.chain))
    model.add_activation_module(Fire)
    model.register_hooks()
    events = torch.from_numpy(trace.input.astype(np.float64))
    spikes = model(events)
    assert trace.layers is not None
    assert (spikes.numpy() == trace.layers[-1]).all()
    data = (events, torch.zeros(3))
    operations = SynapticOperations()(model, spikes, data)
    assert ours.Footprint == Footprint()(model)
    assert ours.ConnectionSparsity == ConnectionSparsity()(model)
    assert ours.ActivationSparsity == pytest.approx(ActivationSparsity()(model, spikes, data), rel=1e-12)
    assert vars(ours.SynapticOperations) == operations
    assert min(operations.values()) > 0
    assert 0 < ours.ActivationSparsity < 1
