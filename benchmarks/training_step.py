"""A training step with neurons, batch norm and memory in SLAYER's and torch's own code, and in compiled loops."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import Comparison, Section, Settings, alternate, longer, require, seconds
from neuro_deploy.netx import load_network, require_checkpoint
from neuro_deploy.training import config, kernels
from neuro_deploy.training.checkpoint import read
from neuro_deploy.training.data import load_data
from neuro_deploy.training.evaluation import encoded
from neuro_deploy.training.models.network import Network, Output
from neuro_deploy.training.models.slayer import LIF, Neuron

BATCH = 64

NEURONS = (64, 64, 64)
"""Samples, steps and neurons of the LIF alone."""

GRADIENT_TOLERANCE = 1e-3
"""Largest difference of two gradients over the largest gradient: sums in another order round differently."""

VARIANTS = {"stock": False, "compiled": True}

_PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
_SYNAPSES = ("Synapses", "SynapsesBackward", "Filter", "FilterBackward")
_NEURON = ("Fire", "FireBackward", "NormaliseAndFire", "NormaliseAndFireBackward")


@contextmanager
def neuron(compiled: bool) -> Iterator[None]:
    """Choose the neuron's loops."""
    before, Neuron.compiled = Neuron.compiled, compiled
    try:
        yield
    finally:
        Neuron.compiled = before


def step(network: Network, frames: Tensor, labels: Tensor, quantised: bool) -> Output:
    """Forward and backward; no optimiser, which is the same for both."""
    network.zero_grad()
    output: Output = network(frames, quantised)
    functional.cross_entropy(output.logits, labels).backward()
    return output


def measure(settings: Settings) -> Section:
    """All of it, with a profile of the compiled step."""
    if not kernels.work():
        raise RuntimeError("the training kernels cannot be compiled here: there is nothing to compare")
    network, frames, labels = _model(settings)
    comparisons: list[Comparison] = []
    facts: dict[str, float] = {"batch": BATCH, "steps": frames.shape[1], "threads": torch.get_num_threads()}
    for phase, quantised in (("real-valued", False), ("quantised", True)):
        difference = _check(network, frames, labels, quantised)
        facts |= {f"largest difference of a gradient, {phase}": difference}
        comparisons.append(_compare(f"training step, {phase}", partial(step, network, frames, labels, quantised), settings))
        facts |= {f"{what}, {phase}": share for what, share in _profile(network, frames, labels, quantised).items()}
    comparisons.append(_lif(settings))
    notes = [
        "Every population's spikes were first compared with SLAYER's neuron on the same input; in integers, the whole network's.",
        "Stock: lava-dl's slayer.neuron.cuba.Neuron and torch's batch norm in this project's model.",
    ]
    return Section(comparisons, facts=facts, notes=notes)


def _model(settings: Settings) -> tuple[Network, Tensor, Tensor]:
    """The shipped network and a batch that it was trained on."""
    shipped = load_network(settings.model)
    network = read(require_checkpoint(shipped)).network().train()
    split = load_data(config.load(shipped.manifest.config).data).train
    frames = encoded(torch.from_numpy(split.samples[:BATCH]), shipped.manifest.input)
    return network, frames, torch.from_numpy(split.labels[:BATCH])


def _check(network: Network, frames: Tensor, labels: Tensor, quantised: bool) -> float:
    """Require equal neurons, and in integers an equal network; returns the largest relative difference of a gradient.

    The two batch norms round differently, so with real-valued weights a neuron near its threshold may fire in one network and not
    in the other. So every population of the compiled network is also run again, on the same input, by SLAYER's neuron.
    """
    outputs, gradients = [], []
    for compiled in VARIANTS.values():
        own = copy.deepcopy(network)  # a step moves the statistics of the batch norms
        for _, population in own.spiking():
            population.lif.register_forward_hook(_same_spikes, with_kwargs=True)
        with neuron(compiled):
            outputs.append(step(own, frames, labels, quantised))
        gradients.append(torch.cat([p.grad.flatten() for p in own.parameters() if p.grad is not None]))
    stock, ours = outputs
    difference = float((gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max())
    if quantised:
        same = all(torch.equal(stock.spikes[name], ours.spikes[name]) for name in stock.spikes)
        require(same and torch.equal(stock.logits, ours.logits), "training step in stock and in compiled code")
        require(difference < GRADIENT_TOLERANCE, "gradients of stock and compiled code")
    return difference


def _same_spikes(lif: LIF, args: tuple[Any, ...], kwargs: dict[str, Any], spikes: Tensor) -> None:
    """Hold what a population fired against SLAYER's neuron on the same input."""
    with neuron(False), torch.no_grad():
        require(torch.equal(lif.neuron(args[0], kwargs.get("scaling")), spikes), "spikes of the stock and the compiled neuron")


def _compare(title: str, work: Callable[[], object], settings: Settings) -> Comparison:
    def variant(compiled: bool) -> Callable[[], float]:
        with neuron(compiled):
            work()  # compiles, and fetches what the first call fetches
            measurement = longer(partial(seconds, work), least=0.3)

        def mean() -> float:
            with neuron(compiled):
                return 1000 * measurement()

        return mean

    values = alternate({name: variant(compiled) for name, compiled in VARIANTS.items()}, settings.repeats)
    return Comparison(title, "ms", "stock", values)


def _lif(settings: Settings) -> Comparison:
    lif = LIF(voltage_decay=2048, width=0.25, height=1.0)
    current = torch.randn(NEURONS, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def work() -> Tensor:
        current.grad = None
        spikes: Tensor = lif(current)
        spikes.sum().backward()
        return spikes

    results = []
    for compiled in VARIANTS.values():
        with neuron(compiled):
            spikes = work().detach()
            assert current.grad is not None
            results.append((spikes, current.grad))
    require(torch.equal(results[0][0], results[1][0]), "spikes of the stock and the compiled neuron")
    require(torch.allclose(results[0][1], results[1][1], rtol=GRADIENT_TOLERANCE, atol=1e-5), "gradients of the two neurons")
    return _compare(f"LIF alone, {list(NEURONS)}", work, settings)


def _profile(network: Network, frames: Tensor, labels: Tensor, quantised: bool) -> dict[str, float]:
    """Shares of the compiled step's time, in %."""
    with neuron(True), profile(activities=[ProfilerActivity.CPU]) as profiler:
        step(network, frames, labels, quantised)
    events = profiler.key_averages()
    total = float(sum(event.self_cpu_time_total for event in events))

    def share(keys: tuple[str, ...]) -> float:
        return 100 * float(sum(event.self_cpu_time_total for event in events if event.key in keys)) / total

    parts = {"matrix products": _PRODUCTS, "synapses and memory": _SYNAPSES, "neurons and their batch norm": _NEURON}
    return {f"{what} %": share(keys) for what, keys in parts.items()}
