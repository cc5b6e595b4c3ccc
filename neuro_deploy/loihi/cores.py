"""Which core holds which neuron, under the limits of Loihi 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.synapses import Integers, Kernel, fan_in, rows
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

    layers: tuple[Integers, ...]
    cores: tuple[Core, ...]


def place(chain: Chain) -> Placement:
    """Fill one core after the other with the neurons of the layers.

    From the last neuron to the first, so that it is known which cores a neuron sends to. A core is left when the next neuron would
    exceed its compartments, its synaptic memory or its axons. It never fails; what does not fit all the same is found by
    :func:`violations`.

    Args:
        chain: the network, of any layers.
    """
    layers = tuple(np.full(layer.size, -1, np.int64) for layer in chain.layers)
    core = _Core()
    for index in reversed(range(len(chain.layers))):
        core = _fill(chain, layers, index, core)
    layers = tuple(core.number - placed for placed in layers)
    return Placement(layers, _usage(chain, layers, core.number + 1))


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


def position(tile: Integers) -> Integers:
    """Column and row of tiles in the mesh, int64 [tiles, 2]."""
    return np.stack((tile // limits.MESH_HEIGHT, tile % limits.MESH_HEIGHT), axis=-1)


def destinations(chain: Chain, layers: tuple[Integers, ...], index: int) -> tuple[Integers, Integers]:
    """Which cores a layer's neurons send to.

    Args:
        chain: the network.
        layers: core of each neuron, by layer.
        index: the sending layer; -1 is the input.

    Returns:
        Pairs of a neuron (or input channel) and a core that it reaches, each once, int64 [pairs] twice.
    """
    targets = [(index + 1, False)] if index + 1 < len(chain.layers) else []
    if index >= 0:
        targets.append((index, True))
    cores = 1 + max(int(placed.max()) for placed in layers)
    reached = [np.zeros(0, np.int64)]
    for target, recurrent in targets:
        reached += [
            sources * cores + core
            for core, low, high in _runs(layers[target])
            if (sources := _sources(chain.layers[target], low, high, recurrent)).size
        ]
    pairs = np.unique(np.concatenate(reached))
    return pairs // cores, pairs % cores


def _runs(placed: Integers) -> list[tuple[int, int, int]]:
    """(core, first neuron, one past the last) of neighbouring neurons on one core."""
    starts = [0, *(np.flatnonzero(np.diff(placed)) + 1).tolist()]
    return [(int(placed[low]), low, high) for low, high in zip(starts, [*starts[1:], len(placed)], strict=True)]


def _sources(layer: Layer, low: int, high: int, recurrent: bool) -> Integers:
    """The neurons of the layer before, or of the layer itself, that some neurons are reached by."""
    met = np.zeros(layer.size if recurrent else layer.sources, np.bool_)
    if not layer.connections and not recurrent:
        met[low:high] = True
    for connection in layer.connections:
        if connection.recurrent is recurrent:
            if isinstance(connection.weight, Kernel):
                met[rows(connection, low, high)[1]] = True
            else:
                met |= (connection.weight[low:high] != 0).any(axis=0)
    return np.flatnonzero(met)


def wires(layer: Layer, low: int, high: int) -> tuple[Integers, Integers]:
    """What reaches some neurons of a layer, as axons: neurons without synapses are reached by the input's channel of their number.

    Args:
        layer: whose connections are asked.
        low: the first of the neurons.
        high: one past the last.

    Returns:
        Neurons in rising order, from 0 for ``low``, and their sources: those of the layer before, then from ``layer.sources`` on the
        layer's own; int64 [synapses] twice.
    """
    if not layer.connections:
        return np.arange(high - low), np.arange(low, high)
    parts = []
    for connection in layer.connections:
        neurons, sources = rows(connection, low, high)
        parts.append((neurons, sources + layer.sources if connection.recurrent else sources))
    if len(parts) == 1:
        return parts[0]
    neurons, sources = (np.concatenate(values) for values in zip(*parts, strict=True))
    order = np.argsort(neurons, kind="stable")
    return neurons[order], sources[order]


@dataclass
class _Core:
    """The core that is being filled; see :class:`Core`.

    Attributes:
        number: from the last core of the chip to the first.
    """

    number: int = 0
    neurons: int = 0
    synapses: int = 0
    axons_in: int = 0
    axons_out: int = 0


def _fill(chain: Chain, layers: tuple[Integers, ...], index: int, core: _Core) -> _Core:
    """Place the neurons of a layer, from the last to the first, and return the core that is not full."""
    layer, targets = chain.layers[index], _Targets(chain, layers, index, core.number)
    fan_ins = sum((fan_in(connection) for connection in layer.connections), np.zeros(layer.size, np.int64))
    high = layer.size
    while high:
        low = _lowest(layer, fan_ins, targets, high, core)
        if low < high:
            layers[index][low:high] = core.number
            targets.put(low, high)
        if low:
            targets.close()
            core = _Core(core.number + 1)
        high = low
    return core


def _lowest(layer: Layer, fan_ins: Integers, targets: "_Targets", high: int, core: _Core) -> int:
    """The first of the neurons before ``high`` that a core takes with all those behind it; it is noted what they use."""
    room = limits.CORE_COMPARTMENTS - core.neurons
    synapses = np.cumsum(fan_ins[max(0, high - room) : high][::-1])
    least = 0 if core.neurons else 1  # the first neuron is taken whatever it needs
    count = max(least, _fitting(synapses, limits.CORE_SYNAPSE_BITS // limits.SYNAPSE_BITS - core.synapses))
    if not count:
        return high
    low = high - count
    axons_in = np.cumsum(_new_sources(layer, low, high, targets.here))
    axons_out = np.cumsum(targets.cores_of(low, high)[::-1])
    count = min(_fitting(axons_in, limits.CORE_AXONS - core.axons_in), _fitting(axons_out, limits.CORE_AXONS - core.axons_out))
    taken = max(least, count)
    if taken:
        core.neurons += taken
        core.synapses += int(synapses[taken - 1])
        core.axons_in += int(axons_in[taken - 1])
        core.axons_out += int(axons_out[taken - 1])
    return high - taken


def _fitting(used: Integers, room: int) -> int:
    """How many of the neurons there is room for; ``used`` is what they use together with those before them."""
    return int(np.searchsorted(used, room, side="right"))


def _new_sources(layer: Layer, low: int, high: int, here: NDArray[np.bool_]) -> Integers:
    """For each neuron, from the last to the first, the sources that reach none behind it.

    The layer's own neurons may reach the core already (``here``), through the layer behind: that is one axon for both.
    """
    neurons, sources = wires(layer, low, high)
    last = np.full(layer.sources + layer.size, -1, np.int64)
    last[sources] = neurons  # the neurons rise, so the last of each source stays
    last[layer.sources :][here] = -1
    new: Integers = np.bincount(last[last >= 0], minlength=high - low)[::-1]
    return new


class _Targets:
    """To how many cores the neurons of a layer send while the layer is placed, from its last neuron to its first.

    Args:
        chain: the network.
        layers: core of each neuron, by layer; the layers behind this one are placed.
        index: the layer.
        core: the number of the core that is being filled.

    Attributes:
        here: whether they send to that core, bool [neurons].
    """

    def __init__(self, chain: Chain, layers: tuple[Integers, ...], index: int, core: int) -> None:
        size = chain.layers[index].size
        recurrent = [c.weight for c in chain.layers[index].connections if c.recurrent and not isinstance(c.weight, Kernel)]
        self._own = sum((weight != 0 for weight in recurrent[1:]), recurrent[0] != 0) if recurrent else None
        self._cores = np.zeros(size, np.int64)  # without the core that is being filled
        self.here = np.zeros(size, np.bool_)
        following = _runs(layers[index + 1]) if index + 1 < len(chain.layers) else []
        for number, low, high in following:
            sources = _sources(chain.layers[index + 1], low, high, recurrent=False)
            if number == core:
                self.here[sources] = True
            else:
                self._cores[sources] += 1
        # Targets that are placed no earlier than their source: the rows up to its own of the source's column.
        self._unplaced = np.zeros(size, np.bool_) if self._own is None else np.triu(self._own).any(axis=0)

    def cores_of(self, low: int, high: int) -> Integers:
        """Of each neuron, if all behind it are on the core that is being filled; targets that are not placed are on one core more."""
        here = self.here[low:high]
        if self._own is not None:
            here = here | np.tril(self._own[low:high, low:high], -1).any(axis=0)
        cores: Integers = self._cores[low:high] + here + self._unplaced[low:high]
        return cores

    def put(self, low: int, high: int) -> None:
        """Note that some neurons lie on the core that is being filled."""
        if self._own is not None:
            self.here |= self._own[low:high].any(axis=0)

    def close(self) -> None:
        """Go on to another core."""
        self._cores += self.here
        self.here[:] = False


def _usage(chain: Chain, layers: tuple[Integers, ...], cores: int) -> tuple[Core, ...]:
    neurons, synapses, axons_in, axons_out = (np.zeros(cores, np.int64) for _ in range(4))
    for index in range(-1, len(layers)):
        senders, reached = destinations(chain, layers, index)
        axons_in += np.bincount(reached, minlength=cores)
        if index >= 0:
            placed = layers[index]
            neurons += np.bincount(placed, minlength=cores)
            axons_out += np.bincount(placed[senders], minlength=cores)
            for connection in chain.layers[index].connections:
                np.add.at(synapses, placed, fan_in(connection))
    columns = (neurons, synapses * limits.SYNAPSE_BITS, axons_in, axons_out)
    return tuple(Core(*(int(column[core]) for column in columns)) for core in range(cores))
