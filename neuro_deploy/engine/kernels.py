"""A layer over all steps of some samples, event by event, compiled.

Numba, as in the training: its compiler comes in the package. This is for plain layers; :mod:`neuro_deploy.engine.general` runs
the others.

States are float64: below ``2**40`` the products of the leak are exact, truncation toward zero is one instruction where integers need
five, and one kernel serves layers of every range. The wrap of the current is that of :func:`neuro_deploy.ir.semantics.wrap`.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.rows import BLOCK, Rows
from neuro_deploy.engine.vectors import WORD, add_16, mask
from neuro_deploy.ir.semantics import FRACTION_BITS, STATE_LIMIT

_UNIT = float(1 << FRACTION_BITS)
_LIMIT = float(STATE_LIMIT)


class Events(NamedTuple):
    """What some neurons or channels sent, in the order of samples, steps and neurons.

    Attributes:
        first: int64 [samples * steps + 1], the events of a step are ``first[step]`` to ``first[step + 1]``.
        source: uint32 [events, or more], who sent.
        factor: int32 [events, or more], payloads of graded events; empty for spikes.
    """

    first: NDArray[np.int64]
    source: NDArray[np.uint32]
    factor: NDArray[np.int32]


class Neuron(NamedTuple):
    """Parameters of a layer's neurons, in units of the voltage.

    Attributes:
        threshold: to be exceeded.
        keep_current: share of the current that stays after a step, ``1 - current_decay / 4096``.
        keep_voltage: share of the voltage that stays after a step.
        bias: float64 [neurons, padded]; empty where there is none.
        rests: a neuron without current, voltage and input stays as it is.
    """

    threshold: float
    keep_current: float
    keep_voltage: float
    bias: NDArray[np.float64]
    rests: bool


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _add_spikes(sums: NDArray[Any], rows: Rows, sources: NDArray[np.uint32], first: int, last: int) -> None:
    for event in range(first, last):
        source = np.int64(sources[event])
        for block in range(rows.first_block[source], rows.first_block[source + 1]):
            add_16(sums, rows.block_target[block], rows.block_weight, block * BLOCK)
        for single in range(rows.first_single[source], rows.first_single[source + 1]):
            sums[rows.single_target[single]] += rows.single_weight[single]


@compiled()
def _add_graded(
    sums: NDArray[Any], rows: Rows, sources: NDArray[np.uint32], factors: NDArray[np.int32], first: int, last: int
) -> None:
    for event in range(first, last):
        source, factor = np.int64(sources[event]), np.int64(factors[event])
        for block in range(rows.first_block[source], rows.first_block[source + 1]):
            for i in range(BLOCK):
                sums[rows.block_target[block] + np.uint32(i)] += factor * rows.block_weight[block * BLOCK + i]
        for single in range(rows.first_single[source], rows.first_single[source + 1]):
            sums[rows.single_target[single]] += factor * rows.single_weight[single]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _wrapped(current: float) -> float:
    current = current - 2 * _LIMIT if current > _LIMIT else current
    return current + 2 * _LIMIT if current <= -_LIMIT else current


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _integrated(voltage: float, current: float, keep: float) -> float:
    limited: float = min(max(np.trunc(voltage * keep) + current, 1 - _LIMIT), _LIMIT - 1)
    return limited


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _fire(v: NDArray[np.float64], flags: NDArray[np.uint8], i: int, voltage: float, threshold: float) -> bool:
    """Write down whether neuron ``i`` fires and the voltage that it keeps; returns whether that is not zero."""
    fires = voltage > threshold
    v[i] = 0.0 if fires else voltage
    flags[i] = fires
    return bool(v[i] != 0.0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _step_currents(u: NDArray[np.float64], sums: NDArray[Any], keep: float) -> bool:
    """Leak, add the sums and clear them; returns whether a current stays that the next step will remember."""
    moving = 0
    for i in range(sums.size):
        current = _wrapped(np.trunc(u[i] * keep) + _UNIT * sums[i])
        u[i] = current
        sums[i] = 0
        moving += current != 0.0
    return bool(keep != 0.0 and moving > 0)


# Apart from the currents: the compiler's vectoriser gives up where more than a few arrays could overlap.
@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _step_voltages(v: NDArray[np.float64], u: NDArray[np.float64], flags: NDArray[np.uint8], neuron: Neuron) -> bool:
    """Leak, integrate and fire; returns whether a voltage is not zero."""
    moving = 0
    biased = neuron.bias.size > 0
    for i in range(v.size):
        voltage = _integrated(v[i], u[i] + neuron.bias[i] if biased else u[i], neuron.keep_voltage)
        moving += _fire(v, flags, i, voltage, neuron.threshold)
    return bool(moving > 0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _step_without_currents(v: NDArray[np.float64], sums: NDArray[Any], flags: NDArray[np.uint8], neuron: Neuron) -> bool:
    """Both in one where a current does not outlast its step and there is no bias: the currents are never written down."""
    moving = 0
    for i in range(v.size):
        voltage = _integrated(v[i], _wrapped(_UNIT * sums[i]), neuron.keep_voltage)
        sums[i] = 0
        moving += _fire(v, flags, i, voltage, neuron.threshold)
    return bool(moving > 0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def collect(flags: NDArray[np.uint8], begin: int, sources: NDArray[np.uint32], count: int) -> int:
    """Append the numbers of the neurons that fired, the first of which is ``begin``; returns the new count."""
    for start in range(0, flags.size, WORD):
        bits = mask(flags, start)
        while bits != 0:
            sources[count] = begin + start + np.int64(trailing_zeros(bits))
            count += 1
            bits &= bits - np.uint64(1)
    return count


@compiled()
def read_input(injected: NDArray[np.int32], events: Events) -> None:
    """List the nonzero values of int32 [samples, steps, channels]."""
    samples, steps, channels = injected.shape
    count = 0
    events.first[0] = 0
    for sample in range(samples):
        for step in range(steps):
            for channel in range(channels):
                value = injected[sample, step, channel]
                events.source[count], events.factor[count] = channel, value
                count += value != 0
            events.first[sample * steps + step + 1] = count


@compiled()
def run_layer(
    forward: Rows,
    recurrent: Rows,
    neuron: Neuron,
    sums: NDArray[Any],
    arriving: Events,
    emitted: Events,
    record: NDArray[np.uint8],
    when: int,
    voltage: NDArray[np.int64],
) -> None:
    """Run a layer from rest, one sample after the other.

    Args:
        forward: synapses from the layer before.
        recurrent: synapses from the layer itself, without sources where there are none.
        neuron: its parameters.
        sums: zeros [neurons, padded], int32 or int64; zeros again afterwards.
        arriving: of the layer before; what it sent at a step acts at the next.
        emitted: filled with the layer's spikes.
        record: filled with them, uint8 [samples, steps, neurons].
        when: the step after which the voltage is wanted.
        voltage: filled with it, int64 [samples, neurons].
    """
    samples, steps, size = record.shape
    u, v = np.zeros(sums.size), np.zeros(sums.size)
    # The last word is looked at whole, beyond the padded neurons.
    flags = np.zeros(-(-size // WORD) * WORD, np.uint8)
    # Taken out of their tuples once: each time costs two counts of references.
    arriving_first, arriving_source, factor = arriving
    emitted_first, emitted_source, _ = emitted
    passing = neuron.keep_current == 0.0 and neuron.bias.size == 0
    graded, recurs = factor.size > 0, recurrent.first_block.size > 1
    count = 0
    emitted_first[0] = 0
    for sample in range(samples):
        u[:] = 0.0
        v[:] = 0.0
        busy = False
        for step in range(steps):
            row = sample * steps + step
            events = 0
            if step > 0:
                events = arriving_first[row] - arriving_first[row - 1]
                if graded:
                    _add_graded(sums, forward, arriving_source, factor, arriving_first[row - 1], arriving_first[row])
                else:
                    _add_spikes(sums, forward, arriving_source, arriving_first[row - 1], arriving_first[row])
                if recurs:
                    events += emitted_first[row] - emitted_first[row - 1]
                    _add_spikes(sums, recurrent, emitted_source, emitted_first[row - 1], emitted_first[row])
            before = count
            if events > 0 or busy or not neuron.rests:
                if passing:
                    busy = _step_without_currents(v, sums, flags, neuron)
                else:
                    busy = _step_currents(u, sums, neuron.keep_current)
                    busy |= _step_voltages(v, u, flags, neuron)
                for i in range(size, sums.size):
                    flags[i] = 0  # padding fires where the threshold is negative
                count = collect(flags, 0, emitted_source, count)
            emitted_first[row + 1] = count
            if count > before:
                for i in range(size):
                    record[sample, step, i] = flags[i]
            else:
                for i in range(size):
                    record[sample, step, i] = 0
            if step == when:
                for i in range(size):
                    voltage[sample, i] = np.int64(v[i])
