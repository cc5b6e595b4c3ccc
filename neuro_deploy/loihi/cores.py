"""Which core holds which neuron, under the limits of Loihi 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.loihi import limits

INPUT_TILE = 0
"""Where the host's messages enter the chip: at the tile of the first layer's first neurons."""


@dataclass(frozen=True)
class Core:
    """What of a core is used.

    Attributes:
        neurons: its compartments.
        synapse_bits: of its synaptic memory.
        axons_in: sources that reach it.
        axons_out: pairs of one of its neurons and a core that this neuron reaches.
    """

    neurons: int
    synapse_bits: int
    axons_in: int
    axons_out: int


@dataclass(frozen=True)
class Placement:
    """The cores of a chain.

    Attributes:
        layers: core of each neuron, int64 [neurons] for each layer.
        cores: what of each is used.
    """

    layers: tuple[NDArray[np.int64], ...]
    cores: tuple[Core, ...]


def place(chain: Chain) -> Placement:
    """Fill one core after the other with the neurons of the layers.

    From the last neuron to the first, so that it is known which cores a neuron sends to. A core is left when the next neuron would
    exceed its compartments, its synaptic memory or its axons. It never fails; what does not fit all the same is found by
    :func:`violations`.

    Args:
        chain: the network.
    """
    core, used = 0, _Used()
    layers = tuple(np.full(layer.size, -1, np.int64) for layer in chain.layers)
    for index in reversed(range(chain.latency)):
        wired = synapses(chain.layers[index])
        for neuron in reversed(range(len(wired))):
            axons_out = _axons_out(chain, layers, index, neuron)
            if used.neurons and not used.takes(index, wired[neuron], axons_out):
                core, used = core + 1, _Used()
            used.add(index, wired[neuron], axons_out)
            layers[index][neuron] = core
    layers = tuple(core - placed for placed in layers)
    return Placement(layers, _usage(chain, layers, core + 1))


def violations(placement: Placement) -> list[str]:
    """What does not fit the chip, one line for each limit that a core or the chip exceeds."""
    found = []
    for index, core in enumerate(placement.cores):
        for what, number, limit in (
            ("neurons", core.neurons, limits.CORE_COMPARTMENTS),
            ("bits of synapses", core.synapse_bits, limits.CORE_SYNAPSE_BITS),
            ("input axons", core.axons_in, limits.CORE_AXONS),
            ("output axons", core.axons_out, limits.CORE_AXONS),
        ):
            if number > limit:
                layers = [str(k) for k, cores in enumerate(placement.layers) if (cores == index).any()]
                found.append(f"core {index} (layer {', '.join(layers)}): {number:,} {what} exceed the core's {limit:,}")
    if len(placement.cores) > limits.CHIP_CORES:
        found.append(f"{len(placement.cores)} cores exceed the chip's {limits.CHIP_CORES}: use a smaller network")
    return found


def require_fit(placement: Placement) -> None:
    """Refuse a placement that the chip cannot hold.

    Raises:
        RuleError: lists every violation.
    """
    found = violations(placement)
    if found:
        raise RuleError("; ".join(found))


def position(tile: NDArray[np.int64]) -> NDArray[np.int64]:
    """Column and row of tiles in the mesh, int64 [tiles, 2]."""
    return np.stack((tile // limits.MESH_HEIGHT, tile % limits.MESH_HEIGHT), axis=-1)


def synapses(layer: Layer) -> NDArray[np.bool_]:
    """Which sources reach which neuron: bool [neurons, neurons of the layer before, then the layer's own if it is recurrent]."""
    matrices = [layer.weight] if layer.weight_rec is None else [layer.weight, layer.weight_rec]
    wired: NDArray[np.bool_] = np.concatenate(matrices, axis=1) != 0
    return wired


def destinations(chain: Chain, layers: tuple[NDArray[np.int64], ...], index: int) -> NDArray[np.bool_]:
    """Which cores a layer's neurons send to.

    Args:
        chain: the network.
        layers: core of each neuron, by layer.
        index: the sending layer; -1 is the input.

    Returns:
        bool [neurons (or input channels), cores].
    """
    cores = 1 + max(int(placed.max()) for placed in layers)
    targets = []
    if index + 1 < chain.latency:
        targets.append((chain.layers[index + 1].weight, layers[index + 1]))
    recurrent = None if index < 0 else chain.layers[index].weight_rec
    if recurrent is not None:
        targets.append((recurrent, layers[index]))
    size = chain.input_size if index < 0 else chain.layers[index].size
    reached = np.zeros((size, cores), np.bool_)
    for weight, placed in targets:
        for core in np.unique(placed):
            reached[:, core] |= (weight[placed == core] != 0).any(axis=0)
    return reached


class _Used:
    """What the core that is being filled holds."""

    def __init__(self) -> None:
        self.neurons = self.synapses = self.axons_out = 0
        self.sources: dict[int, NDArray[np.bool_]] = {}

    def takes(self, layer: int, wired: NDArray[np.bool_], axons_out: int) -> bool:
        others = sum(int(sources.sum()) for index, sources in self.sources.items() if index != layer)
        own = int((self.sources.get(layer, False) | wired).sum())
        return (
            self.neurons < limits.CORE_COMPARTMENTS
            and (self.synapses + int(wired.sum())) * limits.SYNAPSE_BITS <= limits.CORE_SYNAPSE_BITS
            and self.axons_out + axons_out <= limits.CORE_AXONS
            and others + own <= limits.CORE_AXONS
        )

    def add(self, layer: int, wired: NDArray[np.bool_], axons_out: int) -> None:
        self.neurons += 1
        self.synapses += int(wired.sum())
        self.axons_out += axons_out
        self.sources[layer] = self.sources.get(layer, False) | wired


def _axons_out(chain: Chain, layers: tuple[NDArray[np.int64], ...], index: int, neuron: int) -> int:
    """How many cores a neuron sends to; all that are not known yet, those of its own layer, are one."""
    cores: set[int] = set()
    if index + 1 < chain.latency:
        cores |= set(layers[index + 1][chain.layers[index + 1].weight[:, neuron] != 0].tolist())
    recurrent = chain.layers[index].weight_rec
    if recurrent is not None:
        cores |= set(layers[index][recurrent[:, neuron] != 0].tolist())
    return len(cores)


def _usage(chain: Chain, layers: tuple[NDArray[np.int64], ...], cores: int) -> tuple[Core, ...]:
    reached = [destinations(chain, layers, index) for index in range(-1, chain.latency)]
    axons_in = sum(sent.sum(axis=0) for sent in reached)
    neurons, synapse_bits, axons_out = (np.zeros(cores, np.int64) for _ in range(3))
    for index, (layer, placed) in enumerate(zip(chain.layers, layers, strict=True)):
        np.add.at(neurons, placed, 1)
        np.add.at(synapse_bits, placed, limits.SYNAPSE_BITS * synapses(layer).sum(axis=1))
        np.add.at(axons_out, placed, reached[index + 1].sum(axis=1))
    columns = (neurons, synapse_bits, axons_in, axons_out)
    return tuple(Core(*(int(column[core]) for column in columns)) for core in range(cores))
