"""Models step by step, with the state that they carry from one step to the next: how they run on a sensor's frames as these come."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from neuro_deploy.training.models.network import Deployed, Map, Memory, Network
from neuro_deploy.training.models.slayer import WEIGHT_SCALE


class Stream(Protocol):
    """A model that takes one frame at a time; from rest after :meth:`start`."""

    def start(self, samples: int) -> None:
        """Forget everything and go on with so many samples side by side."""

    def step(self, frame: Tensor) -> None:
        """Take the next frame, float32 [samples, channels]."""

    def logits(self) -> Tensor:
        """Float32 [samples, classes], after the last step."""


class SpikingStream:
    """The deployed integers of a network, folded once: the spikes and the read-out of its quantised pass, step by step.

    A neuron's step is that of :mod:`neuro_deploy.ir.semantics` without synaptic current memory. Voltages are float64, in which
    the product
    of a voltage and its decay is exact.

    Args:
        network: in evaluation mode.
        steps: T, of a sample; the logits are a mean over them.
        voltage_decay: ``vDecay`` of its neurons, of 4096.
    """

    @torch.no_grad()
    def __init__(self, network: Network, steps: int, voltage_decay: int) -> None:
        self._network, self._steps, self._keep = network, steps, 1 - voltage_decay / 4096
        self._parts = {name: network.deployed(name) for name, _ in network.spiking()}
        self._readout = network.deployed_readout(steps)
        self._lags: dict[str, int] = {}
        for name in (*(read for parts in self._parts.values() for read in parts.weights), *self._readout.weights):
            part = network.linear(name)
            self._lags[part.source] = max(part.lags, self._lags.get(part.source, 1))
        self._past: dict[str, Tensor] = {}
        self._voltages: dict[str, Tensor] = {}
        self.voltage = torch.zeros(0)
        self.spikes: Mapping[str, Tensor] = {}

    def start(self, samples: int) -> None:
        """Forget everything; ``voltage`` becomes the read-out's, float32 [samples, classes]."""
        device = self._readout.bias.device
        sizes = {"input": self._network.channels} | {name: population.size for name, population in self._network.spiking()}
        self._past = {name: torch.zeros(samples, lags, sizes[name], device=device) for name, lags in self._lags.items()}
        self._voltages = {name: torch.zeros(samples, sizes[name], dtype=torch.float64, device=device) for name in self._parts}
        self.voltage = torch.zeros(samples, self._network.readout.size, device=device)

    @torch.no_grad()
    def step(self, frame: Tensor) -> None:
        """Take the next frame [samples, channels]; ``spikes`` are then the step's, by population, float32 [samples, neurons]."""
        self.spikes = spikes = {}
        self._remember("input", frame)
        for name, parts in self._parts.items():
            before = self._voltages[name]
            voltage = (before * self._keep).trunc_().add_(self._sum(parts), alpha=WEIGHT_SCALE)
            fires = voltage > parts.threshold * WEIGHT_SCALE
            self._voltages[name] = voltage.masked_fill_(fires, 0)
            spikes[name] = fires.float()
            self._remember(name, spikes[name])
        self.voltage = self.voltage + self._sum(self._readout) * WEIGHT_SCALE

    def logits(self) -> Tensor:
        """Float32 [samples, classes] after the last step."""
        return self.voltage / (WEIGHT_SCALE * self._readout.threshold * self._steps)

    def _remember(self, source: str, values: Tensor) -> None:
        """Put the present step before the past ones, [samples, lags, neurons]; nobody may read some of the last populations."""
        if source in self._past:
            self._past[source] = torch.cat((values[:, None], self._past[source][:, :-1]), 1)

    def _sum(self, parts: Deployed) -> Tensor:
        """``a`` of the integer semantics, [samples, neurons]."""
        total = parts.bias
        for read, weight in parts.weights.items():
            part = self._network.linear(read)
            total = total + _present(part, weight, self._past[part.source][:, : part.lags])
        return total


def _present(part: Map | Memory, weight: Tensor, past: Tensor) -> Tensor:
    """The last step of :meth:`Map.apply_weight` on a past [samples, lags, neurons], the present first."""
    if isinstance(part, Map):
        return past.flatten(1) @ weight.T
    kernels = weight.reshape(part.inputs, part.order, part.lags)
    return torch.einsum("sli,iol->sio", past, kernels).flatten(1)
