"""One step of a whole chain, compiled; only active neurons and input channels cost synapses. Knows nothing of Lava.

Neurons count from 0 through all layers; sources count the input's channels first. Synapses are kept by source as runs of
neighbouring targets, so that a run is added in one vectorised loop, whether it is a full column or the one synapse of a relay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.plan import require_exact
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, STATE_LIMIT

Integers = NDArray[np.int64]

_BRIDGE = 4
"""Zeros between two weights of a source that cost less than a further run."""

_UNITY = 1 << DECAY_BITS
_LIMIT = np.int32(STATE_LIMIT)
_PERIOD = np.int32(STATE_LIMIT * 2)
_HIGHEST = np.int32(STATE_LIMIT - 1)
_LOWEST = np.int32(1 - STATE_LIMIT)
_ZERO = np.int32(0)
_EXACT_BITS = 29
"""Current, bias and threshold below ``2**29``, and a voltage of 24 bits, add up within int32."""

_WORD = 8
"""Spikes are looked through this many at a time."""


@dataclass(frozen=True)
class Synapses:
    """One matrix as its ``Dense`` process uses it.

    Attributes:
        weight: int64 [targets, sources].
        exponent: the sum of the active weights is shifted left by it, or right by ``-exponent``.
    """

    weight: Integers
    exponent: int = 0


@dataclass(frozen=True)
class Neurons:
    """One layer of LIF neurons with the synapses that lead to it.

    Attributes:
        inputs: from the layer before, or from the input.
        recurrent: from itself, or None.
        current_decay: ``iDecay``, 0 to 4096.
        voltage_decay: ``vDecay``, 0 to 4096.
        threshold: in units of the voltage: ``vThMant << 6``.
        bias: int64 [neurons] in units of the voltage.
        reset_interval: before each step that leaves ``reset_phase`` when divided by it, ``u`` and ``v`` are set to 0; 0: never.
        reset_phase: see above; the first step is 1.
    """

    inputs: Synapses
    recurrent: Synapses | None
    current_decay: int
    voltage_decay: int
    threshold: int
    bias: Integers
    reset_interval: int = 0
    reset_phase: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.inputs.weight.shape[0])


class Stepper:
    """A chain and its state, from rest.

    Args:
        layers: first to last.
        graded: whether an input channel counts as often as its value says; else it counts once where it is not 0.

    Attributes:
        layers: where each layer is among all neurons.
        u: int32 [all neurons], synaptic current after the last step.
        v: int32 [all neurons], voltage after the last step (and its resets).
        spikes: uint8 [all neurons], of the last step.
        at_once: whether input acts in the step that follows :meth:`receive` at once, or one later. Always the latter here: all
            neurons are behind synapses.
    """

    at_once = False

    def __init__(self, layers: Sequence[Neurons], *, graded: bool) -> None:
        bounds = np.concatenate(([0], np.cumsum([layer.size for layer in layers]))).tolist()
        total = bounds[-1]
        self.layers = [slice(start, stop) for start, stop in pairwise(bounds)]
        self.u = np.zeros(total, np.int32)
        self.v = np.zeros(total, np.int32)
        self._words = np.zeros(-(-total // _WORD), np.uint64)
        self.spikes = self._words.view(np.uint8)[:total]
        self._values = np.zeros(layers[0].inputs.weight.shape[1], np.int32)
        self._graded = graded
        self._wires = _wire(layers, bounds)
        self._table = np.array([_row(place, layer) for place, layer in zip(self.layers, layers, strict=True)], np.int64)
        self._bias = np.concatenate([layer.bias for layer in layers]).astype(np.int32)
        self._sums = np.zeros(total + sum(self._wires.late[:, 1]), np.int32)

    @classmethod
    def of(cls, chain: Chain, largest_input: int, steps: int) -> "Stepper":
        """A chain with graded input.

        Args:
            chain: the network.
            largest_input: no channel carries more.
            steps: chip steps from rest to rest.

        Raises:
            BackendError: a layer's numbers can leave the 32 bits in which it is computed.
        """
        for index, layer in enumerate(chain.layers):
            largest = largest_input if index == 0 else 1
            require_exact(layer, f"step by step: layer {index}", largest, steps, _EXACT_BITS, "run whole samples instead")
        return cls([_neurons(layer) for layer in chain.layers], graded=True)

    def rest(self) -> None:
        """Go back to rest: no current, no voltage, no spike, and no input to come."""
        for state in (self.u, self.v, self._words, self._values):
            state[:] = 0

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return int(self._values.size)

    @property
    def readout(self) -> NDArray[np.int32]:
        """The last layer's voltage, int32 [neurons]."""
        return self.v[self.layers[-1]]

    def clear_readout(self) -> None:
        """Set it to 0."""
        self.v[self.layers[-1]] = 0

    def compile(self) -> None:
        """Compile the step, or load it compiled, without taking it."""
        empty = self._wires._replace(late=self._wires.late[:0])
        _accumulate(empty, self._values[:0], self._words[:0], self.spikes[:0], self._sums[:0])
        _integrate(self._table[:0], 1, self._sums[:0], self._bias[:0], self.u[:0], self.v[:0], self.spikes[:0])

    def receive(self, values: NDArray[np.generic]) -> None:
        """Take the input that acts in the next step.

        Args:
            values: integers or bool [channels].

        Raises:
            TypeError: they are something else.
        """
        if values.dtype.kind not in "biu":  # Lava's shift of the sums fails here, too
            raise TypeError(f"the network received {values.dtype}, it takes integers")
        self._values[:] = values if self._graded else values != 0

    def advance(self, time_step: int) -> None:
        """Compute one step from the spikes and the input of the step before.

        Args:
            time_step: the first is 1.
        """
        _accumulate(self._wires, self._values, self._words, self.spikes, self._sums)
        _integrate(self._table, time_step, self._sums, self._bias, self.u, self.v, self.spikes)


class _Wires(NamedTuple):
    """All synapses.

    Run ``r`` of source ``s``, ``first[s] <= r < first[s + 1]``, adds ``length[r]`` weights from ``offset[r]`` on to the sums
    from ``start[r]`` on. Sums that must be shifted when they are complete are made apart, behind those of the neurons: ``late``
    has (first neuron, neurons, where their sums are, shift) of each such matrix.
    """

    first: Integers
    start: NDArray[np.int32]
    length: NDArray[np.int32]
    offset: Integers
    weight: NDArray[np.signedinteger[Any]]
    late: Integers


class _Runs(NamedTuple):
    """Runs of one matrix, by source; one entry a run but for the weights."""

    source: Integers
    start: Integers
    length: Integers
    weight: Integers


def _neurons(layer: Layer) -> Neurons:
    recurrent = None if layer.weight_rec is None else Synapses(layer.weight_rec)
    bias = np.zeros(layer.size, np.int64) if layer.bias is None else layer.bias << FRACTION_BITS
    threshold = layer.threshold << FRACTION_BITS
    return Neurons(Synapses(layer.weight), recurrent, layer.current_decay, layer.voltage_decay, threshold, bias)


def _row(place: slice, layer: Neurons) -> list[int]:
    """What the compiled loop knows of a layer."""
    keep = (_UNITY - layer.current_decay, _UNITY - layer.voltage_decay)
    return [place.start, place.stop, *keep, layer.threshold, layer.reset_interval, layer.reset_phase]


def _wire(layers: Sequence[Neurons], bounds: Sequence[int]) -> _Wires:
    """Bring the synapses of all layers into one table."""
    channels = layers[0].inputs.weight.shape[1]
    sources = [0, *(channels + start for start in bounds[:-1])]  # the input, then each layer
    parts: list[_Runs] = []
    late: list[tuple[int, int, int, int]] = []
    behind = bounds[-1]
    for index, layer in enumerate(layers):
        for synapses, source in ((layer.inputs, sources[index]), (layer.recurrent, sources[index + 1])):
            if synapses is None:
                continue
            weight, shift = _scaled(synapses)
            target = bounds[index]
            if shift:
                late.append((target, layer.size, behind, shift))
                target, behind = behind, behind + layer.size
            parts.append(_runs(weight, source, target))
    source, start, length, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    offset = np.cumsum(length) - length
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(channels + bounds[-1] + 1))
    narrow = np.int16 if np.abs(weight).max(initial=0) < 1 << 15 else np.int32
    return _Wires(
        first,
        start[order].astype(np.int32),
        length[order].astype(np.int32),
        offset[order],
        weight.astype(narrow),
        np.array(late, np.int64).reshape(-1, 4),
    )


def _scaled(synapses: Synapses) -> tuple[Integers, int]:
    """Weights with their exponent applied where that gives the same sums, and the shift that their sums still need."""
    if synapses.exponent >= 0:
        return synapses.weight << synapses.exponent, 0
    shift = -synapses.exponent
    if (synapses.weight & ((1 << shift) - 1)).any():
        return synapses.weight, shift
    return synapses.weight >> shift, 0


def _runs(weight: Integers, source: int, target: int) -> _Runs:
    """Split the columns of a matrix into runs of weights, few zeros among them."""
    columns = np.ascontiguousarray(weight.T)
    sources, targets = np.nonzero(columns)
    breaks = (np.diff(sources) != 0) | (np.diff(targets) > _BRIDGE + 1)
    begins = np.flatnonzero(np.concatenate(([True], breaks)[: sources.size + 1]))[: sources.size]
    ends = np.append(begins[1:], sources.size) - 1 if sources.size else begins
    first, length = targets[begins], targets[ends] - targets[begins] + 1
    at = sources[begins] * columns.shape[1] + first  # of the run's first weight in the whole matrix
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return _Runs(source + sources[begins], target + first, length, columns.reshape(-1)[np.repeat(at, length) + within])


@compiled()
def _add(wires: _Wires, source: int, factor: int, sums: NDArray[np.int32]) -> None:
    """Add what one active source causes."""
    for run in range(wires.first[source], wires.first[source + 1]):
        length = wires.length[run]
        target = sums[wires.start[run] : wires.start[run] + length]
        weight = wires.weight[wires.offset[run] : wires.offset[run] + length]
        for index in range(length):
            target[index] += factor * weight[index]


@compiled()
def _accumulate(
    wires: _Wires, values: NDArray[np.int32], words: NDArray[np.uint64], spikes: NDArray[np.uint8], sums: NDArray[np.int32]
) -> None:
    """Sums of the weights of all active synapses; ``sums`` was 0."""
    channels = values.size
    for channel in range(channels):
        if values[channel] != 0:
            _add(wires, channel, values[channel], sums)
    for word in range(words.size):
        if words[word] != 0:
            for neuron in range(_WORD * word, min(_WORD * (word + 1), spikes.size)):
                if spikes[neuron] != 0:
                    _add(wires, channels + neuron, 1, sums)
    for row in range(wires.late.shape[0]):
        neuron, count, behind, shift = wires.late[row]
        for index in range(count):
            sums[neuron + index] += sums[behind + index] >> shift
            sums[behind + index] = 0


# The two loops below are apart because the compiler vectorises no loop over many arrays that might overlap, and their constants
# are 32-bit because a wider one would widen the whole loop: together that makes them six times as fast.
#
# The product of a leak has 37 bits at most, and 4096 is a power of two. In floating point both operations are therefore exact, and
# the conversion back cuts toward zero, as `semantics.decay` does. There are no vector instructions for 64-bit integer products.


@compiled()
def _update_currents(u: NDArray[np.int32], a: NDArray[np.int32], leak: float) -> None:
    """``u = wrap(decay(u) + (a << 6))``; ``a`` becomes 0."""
    for n in range(u.size):
        current = np.int32(np.int32(u[n] * leak) + np.int32(a[n] << FRACTION_BITS))
        a[n] = 0
        lowered = np.int32(current - _PERIOD) if current > _LIMIT else current
        u[n] = np.int32(current + _PERIOD) if lowered <= -_LIMIT else lowered


@compiled()
def _update_voltages(
    v: NDArray[np.int32],
    u: NDArray[np.int32],
    bias: NDArray[np.int32],
    leak: float,
    threshold: np.int32,
    spikes: NDArray[np.uint8],
) -> None:
    """``v = clip(decay(v) + u + bias)``, the spikes, and ``v = 0`` where there is one."""
    for n in range(v.size):
        voltage = np.int32(np.int32(v[n] * leak) + np.int32(u[n] + bias[n]))
        voltage = min(max(voltage, _LOWEST), _HIGHEST)
        fires = voltage > threshold
        spikes[n] = fires
        v[n] = _ZERO if fires else voltage


@compiled()
def _integrate(
    table: Integers,
    time_step: int,
    sums: NDArray[np.int32],
    biases: NDArray[np.int32],
    currents: NDArray[np.int32],
    voltages: NDArray[np.int32],
    spikes: NDArray[np.uint8],
) -> None:
    """Neurons of all layers: :func:`neuro_deploy.ir.semantics.lif_step`, in 32 bits wherever Lava has 32; ``sums`` becomes 0."""
    for layer in range(table.shape[0]):
        start, stop, keep_current, keep_voltage, threshold, interval, phase = table[layer]
        u, v = currents[start:stop], voltages[start:stop]
        if interval > 0 and time_step % interval == phase:
            u[:] = 0
            v[:] = 0
        _update_currents(u, sums[start:stop], keep_current / _UNITY)
        _update_voltages(v, u, biases[start:stop], keep_voltage / _UNITY, np.int32(threshold), spikes[start:stop])
