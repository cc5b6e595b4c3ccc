"""NeuroBench's metrics against NeuroBench itself, on the chain as a torch module."""

import warnings
from dataclasses import replace
from pathlib import Path

import nets
import numpy as np
import pytest
import torch
from needs import needs
from special import as_matrix

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.chain import Chain, Layer, Segment
from neuro_deploy.ir.neurons import Lif as LifNeurons
from neuro_deploy.ir.neurons import SigmaDelta
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.ir.synapses import Connection, Kernel
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import count
from neuro_deploy.measure.neurobench import SynapticOperations, neurobench

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


def test_metrics_of_a_convolution_and_of_graded_messages() -> None:
    """Operations one synapse after the other: values are multiplied, spikes are added, and zeros of the border are no operations."""
    rng = np.random.default_rng(5)
    kernel = Kernel(rng.integers(-1, 2, (2, 1, 3, 3)), (4, 4, 2), (1, 2), (1, 1), groups=2)
    sdnn = SigmaDelta(1, fraction=0, state=0)
    layers = (
        Layer((Connection(kernel, graded=True),), sdnn, kernel.target, (Segment("a", 0, 16, "compute", "a", 0),), "conv"),
        Layer(
            (Connection(rng.integers(-1, 2, (3, 16)), graded=True),),
            LifNeurons(1, 4096, 0),
            (3,),
            (Segment("b", 0, 3, "compute", "b", 0),),
        ),
        Layer(
            (Connection(rng.integers(-1, 2, (2, 3))),), LifNeurons(1, 4096, 0), (2,), (Segment("c", 0, 2, "readout", "c", 0),)
        ),
    )
    chain = Chain(1, 32, layers, 0, constant=False)
    injected = rng.integers(0, 3, (2, 8, 32)).astype(np.int32)
    sent = tuple(run.sent for run in run_chain(chain, injected))
    found = neurobench(count(Trace("", injected, {}, sent, np.zeros((2, 2), np.int64), chain.segments, 0.0), chain), chain)
    macs, adds, dense = 0, 0, 0
    for k, (layer, events) in enumerate(zip(layers, (injected, *sent[:2]), strict=True)):
        synapses = as_matrix(layer.connections[0])
        met = sum(int(np.count_nonzero(synapses[:, source])) for *_, source in np.argwhere(events))
        macs, adds = macs + met * (k < 2), adds + met * (k == 2)
        full = layer.connections[0].weight
        ones = replace(full, weight=np.ones_like(full.weight)) if isinstance(full, Kernel) else np.ones_like(full)
        dense += 8 * int(np.count_nonzero(as_matrix(Connection(ones))))
    assert sent[0].any()
    assert sent[1].any()
    assert found.SynapticOperations == SynapticOperations(macs / 2, adds / 2, dense)
    assert found.Footprint == 18 + 48 + 6
    zeros = sum(int((weight == 0).sum()) for weight in (kernel.weight, *(layer.connections[0].weight for layer in layers[1:])))
    assert found.ConnectionSparsity == round(zeros / 72, 4)
    assert found.ActivationSparsity == 1 - sum(np.count_nonzero(messages) for messages in sent) / (2 * 8 * 21)


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
