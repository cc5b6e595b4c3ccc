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
        wired, targets = synapses(chain.layers[index]), _Targets(chain, layers, index)
        count = wired.sum(axis=1).tolist()
        for neuron in reversed(range(len(wired))):
            axons_out = targets.cores_of(neuron)
            if not used.add(index, wired[neuron], count[neuron], axons_out):
                core, used = core + 1, _Used()
                used.add(index, wired[neuron], count[neuron], axons_out)
            targets.put(neuron, core)
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
        self.neurons = self.synapses = self.axons_in = self.axons_out = 0
        self._layer = -1
        self._sources: NDArray[np.bool_] | None = None  # of this layer; those of the layers before it are counted in _others
        self._others = 0

    def add(self, layer: int, wired: NDArray[np.bool_], synapses: int, axons_out: int) -> bool:
        """Take one more neuron if it fits; the first one always does.

        Args:
            layer: the neuron's layer.
            wired: the sources that reach it, bool [sources].
            synapses: how many these are.
            axons_out: cores that it sends to.

        Returns:
            Whether it was taken.
        """
        if layer != self._layer:
            self._layer, self._sources, self._others = layer, None, self.axons_in
        sources = wired if self._sources is None else self._sources | wired
        axons_in = self._others + int(np.count_nonzero(sources))
        fits = (
            self.neurons < limits.CORE_COMPARTMENTS
            and (self.synapses + synapses) * limits.SYNAPSE_BITS <= limits.CORE_SYNAPSE_BITS
            and self.axons_out + axons_out <= limits.CORE_AXONS
            and axons_in <= limits.CORE_AXONS
        )
        if self.neurons and not fits:
            return False
        self.neurons += 1
        self.synapses += synapses
        self.axons_out += axons_out
        self._sources, self.axons_in = sources, axons_in
        return True


class _Targets:
    """To which cores the neurons of a layer send while the layer is placed, from its last neuron to its first.

    Args:
        chain: the network.
        layers: core of each neuron, by layer; the layers behind this one are placed.
        index: the layer.
    """

    def __init__(self, chain: Chain, layers: tuple[NDArray[np.int64], ...], index: int) -> None:
        self._reached: dict[int, NDArray[np.bool_]] = {}  # by core, bool [neurons]
        if index + 1 < chain.latency:
            forward = chain.layers[index + 1].weight != 0
            self._reached = {
                core: forward[layers[index + 1] == core].any(axis=0) for core in np.unique(layers[index + 1]).tolist()
            }
        recurrent = chain.layers[index].weight_rec
        size = chain.layers[index].size
        self._cores = sum(self._reached.values(), np.zeros(size, np.int64))
        self._own = None if recurrent is None else recurrent != 0
        # Targets that are placed no earlier than their source: the rows up to its own of the source's column.
        self._unplaced = None if self._own is None else np.triu(self._own).any(axis=0)

    def cores_of(self, neuron: int) -> int:
        """How many cores the neuron sends to; all that are not known yet, those of its own layer, are one."""
        return int(self._cores[neuron]) + (self._unplaced is not None and bool(self._unplaced[neuron]))

    def put(self, neuron: int, core: int) -> None:
        """Note on which core a neuron lies."""
        if self._own is not None:
            reached = self._reached.setdefault(core, np.zeros(self._own.shape[1], np.bool_))
            new = self._own[neuron] & ~reached
            reached |= new
            self._cores += new


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
