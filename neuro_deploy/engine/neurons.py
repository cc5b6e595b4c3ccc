"""One step of the neurons of a tile, compiled, in integers of 32 or of 64 bits.

The arithmetic is that of :mod:`neuro_deploy.ir.semantics`. Each function takes the states of :data:`TILE` neurons, their sums, which it
clears, and their parameters; it says whether something moved, and how large the numbers became that Lava has 32 bits for. The narrow
kind is exact while those stay below :data:`NARROW`.

The arrays of a tile lie in one piece each, because the compiler vectorises no loop over many arrays that could overlap.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.vectors import cast
from neuro_deploy.engine.wires import TILE
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.neurons import Lif, Sigma, SigmaDelta
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, STATE_LIMIT

NARROW = 1 << 28
"""Some of them may be added in 32 bits."""

NARROW_SUM = 1 << 18
"""A smaller sum, in units of the voltage, is within one period of the current, which wraps back then."""

WIDE_BITS = 50
"""Numbers below ``2**50`` can be multiplied by a decay in 64 bits."""

LIF, PASSING, EACH, SIGMA_DELTA, DELTA, SIGMA = range(6)
"""Kinds: LIF with parameters of all; without memory of the current too; with parameters of each; and the graded ones."""

STATES = 2
"""Of a neuron: current and voltage; or the sum and what was sent of the activation, in all."""

_LOW = (1 << DECAY_BITS) - 1


class Neurons(NamedTuple):
    """A layer's neurons.

    Attributes:
        kind: see above.
        size: how many.
        parameters: int32 or int64 [tiles * rows * TILE]; for each tile the bias, then of ``EACH`` what is kept of the current and of
            the voltage, and of all but ``LIF`` and ``PASSING`` the threshold; in the unit of the states.
        keep_current: ``4096 - current_decay``; this and the next two of LIF neurons with parameters of all.
        keep_voltage: ``4096 - voltage_decay``.
        threshold: in the unit of the voltage.
        fraction: of sigma-delta neurons.
        state: of sigma-delta neurons.
        reset_interval: of LIF neurons.
        reset_phase: of LIF neurons.
    """

    kind: int
    size: int
    parameters: NDArray[Any]
    keep_current: int
    keep_voltage: int
    threshold: int
    fraction: int
    state: int
    reset_interval: int
    reset_phase: int


def neurons_of(layer: Layer, who: str) -> Neurons:
    """A layer's neurons, with parameters in 64 bits.

    Args:
        layer: of any kind.
        who: what a message calls it.

    Raises:
        BackendError: parameters beyond those that the engine is exact for.
    """
    neurons, size = layer.neurons, layer.size
    if isinstance(neurons, Sigma):
        return Neurons(SIGMA, size, _rows(size, 0), 0, 0, 0, 0, 0, 0, 0)
    shift = FRACTION_BITS if isinstance(neurons, Lif) else neurons.fraction
    bias = 0 if neurons.bias is None else neurons.bias
    largest = max(int(np.max(np.abs(value), initial=0)) for value in (bias, neurons.threshold))
    if not 0 <= shift < 32 or largest << shift >= 1 << WIDE_BITS:
        raise BackendError(
            f"{who}: a bias or threshold of {largest} with {shift} bits of fraction, this engine is exact below "
            f"2**{WIDE_BITS}: use the integer backend"
        )
    if isinstance(neurons, SigmaDelta):
        kind = SIGMA_DELTA if neurons.sums else DELTA
        return Neurons(
            kind, size, _rows(size, bias, neurons.threshold, shift=shift), 0, 0, 0, neurons.fraction, neurons.state, 0, 0
        )
    # A voltage is never beyond its limit, so a threshold there never fires, or always.
    threshold = np.clip(neurons.threshold, -2 * STATE_LIMIT >> shift, 2 * STATE_LIMIT >> shift)
    keep = [(1 << DECAY_BITS) - value for value in (neurons.current_decay, neurons.voltage_decay)]
    reset = neurons.reset_interval, neurons.reset_phase
    if any(np.ndim(value) for value in (*keep, threshold)):
        rows = _rows(size, bias << shift, *keep, threshold << shift)
        return Neurons(EACH, size, rows, 0, 0, 0, 0, 0, *reset)
    kind = LIF if keep[0] else PASSING
    rows = _rows(size, bias, shift=shift)
    return Neurons(kind, size, rows, int(keep[0]), int(keep[1]), int(threshold) << shift, 0, 0, *reset)


def _rows(size: int, *values: Any, shift: int = 0) -> NDArray[np.int64]:
    """Parameters, tile by tile; neurons of the padding have zeros."""
    rows = np.zeros((len(values), -(-size // TILE) * TILE), np.int64)
    for row, value in zip(rows, values, strict=True):
        row[:size] = value
    rows <<= shift
    return np.ascontiguousarray(rows.reshape(len(values), -1, TILE).transpose(1, 0, 2)).reshape(-1)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _decayed(like: NDArray[Any], state: int, keep: int) -> int:
    """Leak: ``state * keep / 4096``, truncated toward zero; the product of 25 and 13 bits in two parts."""
    up = cast(like, (state >> 63) & _LOW)  # a shift rounds down, and negative numbers must go up
    low = cast(like, cast(like, cast(like, state & _LOW) * keep) + up)
    left: int = cast(like, cast(like, cast(like, state >> DECAY_BITS) * keep) + (low >> DECAY_BITS))
    return left


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _wrapped(like: NDArray[Any], current: int) -> int:
    current = cast(like, current - 2 * STATE_LIMIT) if current > STATE_LIMIT else current
    wrapped: int = cast(like, current + 2 * STATE_LIMIT) if current <= -STATE_LIMIT else current
    return wrapped


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _magnitude(like: NDArray[Any], number: int) -> int:
    found: int = cast(like, number ^ cast(like, number >> 63))
    return found


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _charged(like: NDArray[Any], voltage: int, keep: int, drive: int) -> int:
    charged = cast(like, _decayed(like, voltage, keep) + drive)
    low, high = cast(like, 1 - STATE_LIMIT), cast(like, STATE_LIMIT - 1)
    charged = low if charged < low else charged
    limited: int = high if charged > high else charged
    return limited


@compiled()
def lif(
    states: NDArray[Any], sums: NDArray[Any], parameters: NDArray[Any], fires: NDArray[np.uint8], neurons: Neurons
) -> tuple[bool, int]:
    """LIF neurons with the same decays and threshold; ``fires`` is filled."""
    keep_current, keep_voltage = cast(sums, neurons.keep_current), cast(sums, neurons.keep_voltage)
    threshold = cast(sums, neurons.threshold)
    moved = large = cast(sums, 0)
    for i in range(TILE):
        a, u, v = sums[i], states[i], states[TILE + i]
        sums[i] = 0
        current = _wrapped(sums, cast(sums, _decayed(sums, u, keep_current) + cast(sums, a << FRACTION_BITS)))
        voltage = _charged(sums, v, keep_voltage, cast(sums, current + parameters[i]))
        fire = voltage > threshold
        kept = cast(sums, 0) if fire else voltage
        states[i], states[TILE + i], fires[i] = current, kept, fire
        moved = cast(sums, moved | cast(sums, (current ^ u) | (kept ^ v) | fire))
        large = cast(sums, large | cast(sums, _magnitude(sums, a) | (_magnitude(sums, current) >> (WIDE_BITS - 31))))
    return moved != 0, int(large)


@compiled()
def passing(
    states: NDArray[Any], sums: NDArray[Any], parameters: NDArray[Any], fires: NDArray[np.uint8], neurons: Neurons
) -> tuple[bool, int]:
    """LIF neurons whose current does not outlast its step."""
    keep, threshold = cast(sums, neurons.keep_voltage), cast(sums, neurons.threshold)
    moved = large = cast(sums, 0)
    for i in range(TILE):
        a, v = sums[i], states[TILE + i]
        sums[i] = 0
        current = _wrapped(sums, cast(sums, a << FRACTION_BITS))
        voltage = _charged(sums, v, keep, cast(sums, current + parameters[i]))
        fire = voltage > threshold
        kept = cast(sums, 0) if fire else voltage
        states[TILE + i], fires[i] = kept, fire
        moved = cast(sums, moved | cast(sums, (kept ^ v) | fire))
        large = cast(sums, large | _magnitude(sums, a))
    return moved != 0, int(large)


@compiled()
def each(states: NDArray[Any], sums: NDArray[Any], parameters: NDArray[Any], fires: NDArray[np.uint8]) -> tuple[bool, int]:
    """LIF neurons with parameters of their own."""
    moved = large = cast(sums, 0)
    for i in range(TILE):
        a, u, v = sums[i], states[i], states[TILE + i]
        sums[i] = 0
        left = _decayed(sums, u, parameters[TILE + i])
        current = _wrapped(sums, cast(sums, left + cast(sums, a << FRACTION_BITS)))
        voltage = _charged(sums, v, parameters[2 * TILE + i], cast(sums, current + parameters[i]))
        fire = voltage > parameters[3 * TILE + i]
        kept = cast(sums, 0) if fire else voltage
        states[i], states[TILE + i], fires[i] = current, kept, fire
        moved = cast(sums, moved | cast(sums, (current ^ u) | (kept ^ v) | fire))
        large = cast(sums, large | cast(sums, _magnitude(sums, a) | (_magnitude(sums, current) >> (WIDE_BITS - 31))))
    return moved != 0, int(large)


@compiled()
def sigma_delta(
    states: NDArray[Any], sums: NDArray[Any], parameters: NDArray[Any], sent: NDArray[np.int32], neurons: Neurons
) -> int:
    """Sigma-delta neurons; ``sent`` is filled.

    What was sent of the activation in all is the activation before less its residue, so it is all that the next step needs of them.
    """
    state = neurons.state
    large = cast(sums, 0)
    for i in range(TILE):
        a = sums[i]
        sums[i] = 0
        total = cast(sums, states[i] + a)
        biased = cast(sums, total + parameters[i])
        activation = biased if biased > 0 else cast(sums, 0)
        before = states[TILE + i]
        change = cast(sums, activation - before)
        size = cast(sums, abs(change))
        message = change if size >= parameters[TILE + i] else cast(sums, 0)
        states[i], states[TILE + i] = total, cast(sums, before + message)
        sent[i] = message >> state
        large = cast(
            sums, large | cast(sums, _magnitude(sums, a) | _magnitude(sums, total) | activation | _magnitude(sums, change))
        )
    return int(large)


@compiled()
def delta(states: NDArray[Any], sums: NDArray[Any], parameters: NDArray[Any], sent: NDArray[np.int32], neurons: Neurons) -> int:
    """Delta neurons, whose input is the activation."""
    fraction, state = neurons.fraction, neurons.state
    large = cast(sums, 0)
    for i in range(TILE):
        a = sums[i]
        sums[i] = 0
        activation = cast(sums, a << fraction)
        before = states[TILE + i]
        change = cast(sums, activation - before)
        size = cast(sums, abs(change))
        message = change if size >= parameters[TILE + i] else cast(sums, 0)
        states[TILE + i] = cast(sums, before + message)
        sent[i] = message >> state
        large = cast(sums, large | cast(sums, _magnitude(sums, a) | _magnitude(sums, activation) | _magnitude(sums, change)))
    return int(large)


@compiled()
def sigma(states: NDArray[Any], sums: NDArray[Any], sent: NDArray[np.int32]) -> int:
    """Neurons that send the sum of all that arrived."""
    large = cast(sums, 0)
    for i in range(TILE):
        a = sums[i]
        sums[i] = 0
        total = cast(sums, states[i] + a)
        states[i] = total
        sent[i] = total
        large = cast(sums, large | cast(sums, _magnitude(sums, a) | _magnitude(sums, total)))
    return int(large)


@compiled()
def wrap_sums(sums: NDArray[Any]) -> bool:
    """Bring the sums of a convolution into 24 bits; returns whether all were within ``2**24``, where Lava is exact."""
    largest = cast(sums, 0)
    for i in range(sums.size):
        largest = max(largest, cast(sums, abs(sums[i])))
        sums[i] = cast(sums, ((sums[i] + STATE_LIMIT) & (2 * STATE_LIMIT - 1)) - STATE_LIMIT)
    return bool(largest <= 2 * STATE_LIMIT)
