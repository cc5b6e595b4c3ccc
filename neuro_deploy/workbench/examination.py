"""What a network is, layer by layer, without running it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, loihi2, refusal
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.neurons import Lif, OfAll, Sigma
from neuro_deploy.ir.synapses import Connection, Kernel, number
from neuro_deploy.loihi import cores, rules

EDGES = (1, 2, 4, 8, 16, 32, 64, 128, 257)
"""Magnitudes of weights between which they are counted."""


LONG = 1024
"""Steps of a sample that is longer than most."""


@dataclass(frozen=True)
class Weights:
    """The weights of a connection.

    Attributes:
        what: ``forward`` or ``recurrent``.
        synapses: that are not zero, those of a convolution at each place.
        stored: numbers that are stored: entries of the matrix, or of the kernel.
        zeros: share of these that are zero.
        lowest: of them.
        highest: of them.
        step: the largest power of two that divides all of them.
        histogram: how many magnitudes lie between neighbouring :data:`EDGES`.
        delays: (shortest, longest) steps beyond one.
        graded: a message counts as often as its value says.
    """

    what: str
    synapses: int
    stored: int
    zeros: float
    lowest: int
    highest: int
    step: int
    histogram: tuple[int, ...]
    delays: tuple[int, int]
    graded: bool

    @property
    def bits(self) -> float:
        """How many of the 8 bits of a weight are in use: the values between the extremes, in steps, as a power of two."""
        return float(np.log2((max(self.highest, 0) - min(self.lowest, 0)) / self.step + 1))


@dataclass(frozen=True)
class LayerFacts:
    """One layer.

    Attributes:
        index: 0-based.
        kind: NetX layer type.
        shape: of the neurons, as Lava has it.
        neurons: how many.
        type: of the neurons.
        parameters: by name: (lowest, highest).
        depth: chip steps by which it is later than the input.
        weights: of each connection.
        populations: names of what the manifest says its neurons are.
    """

    index: int
    kind: str
    shape: tuple[int, ...]
    neurons: int
    type: str
    parameters: dict[str, tuple[int, int]]
    depth: int
    weights: tuple[Weights, ...]
    populations: tuple[str, ...]


@dataclass(frozen=True)
class Examination:
    """What is known of a network without running it.

    Attributes:
        name: of the network.
        input: channels of a step.
        input_shape: (width, height, channels), where it has one.
        message_bits: of the input.
        steps: T of a sample; None where nothing says it.
        latency: D, in steps.
        neurons: of all layers.
        synapses: of all layers, those that are not zero.
        layers: first to last.
        notes: what acts otherwise than it is written in the file.
        violations: of the chip's rules.
        risks: what the worst input could do, see :func:`neuro_deploy.loihi.rules.risks_of`; of :data:`LONG` steps if T is not known.
        cores: of Loihi 1 that the neurons take.
        overflows: what of this does not fit a core or a chip.
        backends: by name, what keeps it from running the network exactly, or None.
    """

    name: str
    input: int
    input_shape: tuple[int, ...]
    message_bits: int
    steps: int | None
    latency: int
    neurons: int
    synapses: int
    layers: tuple[LayerFacts, ...]
    notes: tuple[str, ...]
    violations: tuple[str, ...]
    risks: tuple[str, ...]
    cores: int
    overflows: tuple[str, ...]
    backends: dict[str, str | None]


def examine(network: Network, notes: tuple[str, ...] = (), steps: int | None = None) -> Examination:
    """Look at all layers.

    Args:
        network: with any layers.
        notes: of its reader.
        steps: T of a sample, if known.
    """
    chain, bits = network.chain, network.manifest.input.message_bits
    layers = tuple(_layer(chain, index) for index in range(len(chain.layers)))
    placement = cores.place(chain)
    return Examination(
        network.name,
        chain.channels,
        chain.input_shape,
        bits,
        steps,
        chain.latency,
        sum(layer.neurons for layer in layers),
        sum(weights.synapses for layer in layers for weights in layer.weights),
        layers,
        notes,
        tuple(rules.violations_of(chain, rules.Use(bits, steps or 1))),
        tuple(rules.risks_of(chain, rules.Use(bits, steps or LONG))),
        len(placement.cores),
        tuple(cores.violations(placement)),
        {name: _keeps(name, network) for name in BACKENDS},
    )


def _keeps(name: str, network: Network) -> str | None:
    hashes = network.manifest.sha256
    if name == "torch" and (hashes is None or hashes.checkpoint is None):
        return "the network was made without a checkpoint"
    if (reason := refusal(name, network)) is not None:
        return reason
    if name == "loihi2":
        return loihi2.missing()
    package = BACKENDS[name].package
    return None if package is None or extras.present(package) else extras.advice(package)


def _layer(chain: Chain, index: int) -> LayerFacts:
    layer = chain.layers[index]
    kind, parameters = _neurons(layer)
    weights = tuple(map(_weights, layer.connections))
    populations = tuple(segment.name for segment in layer.segments)
    return LayerFacts(index, layer.kind, layer.shape, layer.size, kind, parameters, chain.depths[index], weights, populations)


def _neurons(layer: Layer) -> tuple[str, dict[str, tuple[int, int]]]:
    neurons = layer.neurons
    if isinstance(neurons, Sigma):
        return "sigma", {}
    named: dict[str, OfAll | None] = {"threshold": neurons.threshold}
    if isinstance(neurons, Lif):
        named |= {"current_decay": neurons.current_decay, "voltage_decay": neurons.voltage_decay, "bias": neurons.bias}
        if neurons.reset_interval:
            named |= {"reset_interval": neurons.reset_interval, "reset_phase": neurons.reset_phase}
        kind = "LIF"
    else:
        named |= {"bias": neurons.bias}
        kind = "sigma-delta" if neurons.sums else "delta"
    return kind, {name: _span(values) for name, values in named.items() if values is not None}


def _span(values: OfAll) -> tuple[int, int]:
    return int(np.min(values)), int(np.max(values))


def _weights(connection: Connection) -> Weights:
    weight = connection.weight
    values: NDArray[np.int64] = weight.weight if isinstance(weight, Kernel) else weight
    magnitudes = np.abs(values[values != 0])
    joint = int(np.bitwise_or.reduce(magnitudes)) if magnitudes.size else 1
    return Weights(
        "recurrent" if connection.recurrent else "forward",
        number(connection),
        int(values.size),
        1 - magnitudes.size / values.size,
        int(values.min()),
        int(values.max()),
        joint & -joint,
        tuple(np.histogram(magnitudes, EDGES)[0].tolist()),
        (int(np.min(connection.delay)), connection.longest),
        connection.graded,
    )
