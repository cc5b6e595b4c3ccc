"""Any layer over all steps of some samples, event by event, compiled.

What costs no work: a source that sends nothing, and a tile of neurons to which nothing comes and which an update would leave as it is.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.kernels import Events, collect
from neuro_deploy.engine.neurons import (
    DELTA,
    EACH,
    LIF,
    NARROW,
    NARROW_SUM,
    PASSING,
    SIGMA_DELTA,
    STATES,
    Neurons,
    delta,
    each,
    lif,
    neurons_of,
    passing,
    sigma,
    sigma_delta,
    wrap_sums,
)
from neuro_deploy.engine.vectors import WORD, mask
from neuro_deploy.engine.wires import TILE, Runs, Taps, add_runs, add_taps, ends, lateness, runs_of, taps_of
from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.neurons import Lif, SigmaDelta
from neuro_deploy.ir.semantics import STATE_LIMIT
from neuro_deploy.ir.synapses import Connection, Kernel

_DONE, _TOO_LARGE, _NOT_EXACT = range(3)
"""How a run ends: a number was beyond the limit, or the sum of a convolution beyond what Lava has exactly."""

_INT32 = 1 << 31

_MOST = 1 << 60
"""Sums beyond it could leave 64 bits."""


class Wiring(NamedTuple):
    """What leads to a layer, with weights of int16 for sums in 32 bits, of int64 for sums in 64.

    Attributes:
        forward: a matrix from the layer before.
        taps: a convolution from it.
        own: a matrix from the layer itself.
        graded: whether messages from the layer before count as often as they say.
        own_graded: whether its own do.
        direct: whether the neurons take the source itself, at its own step.
        ring: steps whose sums are kept, the present one included: those to come, or with ``late`` those that were.
        late: int32 [neurons], by how many steps the sums are older that a neuron reads; empty where delays do not depend on the
            neuron alone, and are in the matrices.
    """

    forward: Runs
    taps: Taps
    own: Runs
    graded: bool
    own_graded: bool
    direct: bool
    ring: int
    late: NDArray[np.int32]


class Record(NamedTuple):
    """What a layer leaves behind.

    Attributes:
        spikes: uint8 [samples, steps, neurons]; empty of a graded layer.
        messages: int32 [samples, steps, neurons]; empty of a layer that is not graded.
        when: the step after which the voltage is wanted, or -1.
        voltage: int64 [samples, neurons].
    """

    spikes: NDArray[np.uint8]
    messages: NDArray[np.int32]
    when: int
    voltage: NDArray[np.int64]

    @classmethod
    def of(cls, record: NDArray[Any], when: int, voltage: NDArray[np.int64]) -> "Record":
        """To be filled: ``record`` is spikes, uint8, or messages, int32."""
        none = np.zeros((0, 0, 0), np.int32)
        return (
            cls(record, none, when, voltage) if record.dtype == np.uint8 else cls(none.astype(np.uint8), record, when, voltage)
        )


class Room(NamedTuple):
    """States of a layer and sums that are on their way to it, int32 or int64 but for the flags.

    Attributes:
        sums: zeros [ring * neurons, padded].
        touched: uint8 [ring * tiles], where something was added to them.
        states: [tiles * STATES * TILE].
        resting: uint8 [tiles], whether an update without input leaves a tile as it is.
    """

    sums: NDArray[Any]
    touched: NDArray[np.uint8]
    states: NDArray[Any]
    resting: NDArray[np.uint8]


@dataclass(frozen=True)
class GeneralPlan:
    """A layer of any kind, ready to run.

    Attributes:
        layer: what runs.
        who: what messages call it.
    """

    layer: Layer
    who: str

    def __post_init__(self) -> None:
        _ = self._ends  # whether they are not too many
        _ = self.neurons  # whether the parameters fit

    @cached_property
    def neurons(self) -> Neurons:
        """Parameters in 64 bits."""
        return neurons_of(self.layer, self.who)

    @cached_property
    def gains(self) -> tuple[int, int]:
        """The largest sum of magnitudes of a neuron's weights, forward and recurrent."""
        forward, own = self._ends
        return _gain(forward), _gain(own)

    def run(self, arriving: Events, source: NDArray[np.generic], largest: int, emitted: Events, record: Record) -> None:
        """Run samples from rest.

        Args:
            arriving: what the layer before sent; not read by a layer without connections.
            source: the same as integers [samples, steps, sources]; not read by others.
            largest: no message of the layer before has a larger magnitude.
            emitted: filled with what the layer sends.
            record: filled.

        Raises:
            RuleError: numbers leave the bits that Lava has for them.
        """
        reach = self._reach(largest)
        self._require_sum(reach)
        wraps = reach >= STATE_LIMIT and self._wide.taps.bundle.size > 0
        direct = np.ascontiguousarray(source, np.int32) if self._wide.direct else np.zeros((0, 0, 0), np.int32)
        ended = _TOO_LARGE
        if self._fits(reach):
            ended = _run(*self._narrow_tables, self._room(np.int32), arriving, direct, emitted, record, wraps, NARROW, 0, 0)
        if ended == _TOO_LARGE:
            ended = _run(self._wide, self.neurons, self._room(np.int64), arriving, direct, emitted, record, wraps, _INT32, 0, 0)
        self._require_done(ended)

    def continued(
        self, room: Room, arriving: Events, source: NDArray[np.int32], emitted: Events, record: Record, step: int
    ) -> None:
        """Run one more step, in row 1 of everything that has rows of steps; row 0 is the step before.

        Args:
            room: of :meth:`rest`; changed.
            arriving: see :meth:`run`.
            source: see :meth:`run`.
            emitted: its row 1 is filled.
            record: its row 1 is filled.
            step: from 1.

        Raises:
            RuleError: see :meth:`run`.
        """
        wraps = self._wide.taps.bundle.size > 0
        self._require_done(_run(self._wide, self.neurons, room, arriving, source, emitted, record, wraps, _INT32, 1, step - 2))

    def rest(self) -> Room:
        """The states before the first step.

        Raises:
            RuleError: the weights could add up to more than 64 bits.
        """
        self._require_sum(self._reach(_INT32))
        return self._room(np.int64)

    def clear_voltage(self, room: Room) -> None:
        """Set the voltage of LIF neurons to 0; changes ``room``."""
        if isinstance(self.layer.neurons, Lif):
            room.states.reshape(-1, STATES, TILE)[:, 1] = 0
            room.resting[:] = 0

    def _require_sum(self, reach: int) -> None:
        if reach >= _MOST:
            raise RuleError(f"{self.who}: a sum of weights can reach {reach:,}: use smaller inputs or weights")

    def _require_done(self, ended: int) -> None:
        if ended == _TOO_LARGE:
            raise RuleError(
                f"{self.who}: a sum or a state leaves the 32 bits that Lava has for it: use smaller inputs or weights"
            )
        if ended == _NOT_EXACT:
            raise RuleError(
                f"{self.who}: a convolution's sum is beyond 2**24, where Lava is not exact: use smaller messages or weights"
            )

    @cached_property
    def _ends(self) -> tuple[Connection | None, Connection | None]:
        return ends(self.layer, self.who)

    def _reach(self, largest: int) -> int:
        """No sum, nor part of one, has a larger magnitude; of its own messages only Lava's limit is known before."""
        (forward, own), gains = self._ends, self.gains
        counts = largest if forward is None or forward.graded else 1
        own_counts = _INT32 if own is not None and own.graded and self.layer.graded else 1
        return (gains[0] * counts + gains[1] * own_counts) if self.layer.connections else largest

    def _fits(self, reach: int) -> bool:
        """Whether 32 bits may do."""
        neurons = self.layer.neurons
        if isinstance(neurons, SigmaDelta) and not neurons.sums:
            reach <<= neurons.fraction
        limit = NARROW_SUM if isinstance(neurons, Lif) else NARROW
        parameters = int(np.abs(self.neurons.parameters).max(initial=0))
        weights = max(int(np.abs(_weights(connection)).max(initial=0)) for connection in self._ends)
        return reach < limit and parameters < NARROW and weights < 1 << 15

    @cached_property
    def _narrow_tables(self) -> tuple[Wiring, Neurons]:
        neurons = self.neurons
        return self._wiring(np.dtype(np.int16)), neurons._replace(parameters=neurons.parameters.astype(np.int32))

    @cached_property
    def _wide(self) -> Wiring:
        return self._wiring(np.dtype(np.int64))

    def _wiring(self, kind: "np.dtype[Any]") -> Wiring:
        forward, own = self._ends
        late = lateness(forward if own is None else None)
        if late.size and forward is not None:
            forward = replace(forward, delay=0)
        return Wiring(
            runs_of(forward, kind),
            taps_of(forward, kind),
            runs_of(own, kind),
            forward is not None and forward.graded,
            own is not None and own.graded and self.layer.graded,
            not self.layer.connections,
            1 + max((connection.longest for connection in self.layer.connections), default=0),
            late,
        )

    def _room(self, kind: type[np.signedinteger[Any]]) -> Room:
        tiles = -(-self.layer.size // TILE)
        ring = 1 + max((connection.longest for connection in self.layer.connections), default=0)
        return Room(
            np.zeros(ring * tiles * TILE, kind),
            np.zeros(ring * tiles, np.uint8),
            np.zeros(tiles * STATES * TILE, kind),
            np.zeros(tiles, np.uint8),
        )


def _weights(connection: Connection | None) -> NDArray[np.int64]:
    if connection is None:
        return np.zeros((0, 0), np.int64)
    return connection.weight.weight if isinstance(connection.weight, Kernel) else connection.weight


def _gain(connection: Connection | None) -> int:
    weights = _weights(connection)
    # In floating point, which cannot overflow, and rounded up.
    rows = np.abs(weights).sum(axis=tuple(range(1, weights.ndim)), dtype=np.float64)
    return int(np.ceil(rows.max(initial=0) * (1 + 1e-9)))


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _copy(to: NDArray[Any], values: NDArray[Any]) -> None:
    for i in range(to.size):
        to[i] = values[i]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _clear(values: NDArray[Any]) -> None:
    for i in range(values.size):
        values[i] = 0


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _read_late(total: NDArray[Any], sums: NDArray[Any], late: NDArray[np.int32], step: int, width: int, begin: int) -> None:
    ring = sums.size // width
    for i in range(late.size):
        total[i] = sums[(step - late[i] + ring) % ring * width + begin + i]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _differs(row: NDArray[np.int32], before: NDArray[np.int32]) -> bool:
    different = np.int32(0)
    for i in range(row.size):
        different |= np.int32(row[i] ^ before[i])
    return bool(different != 0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _update(
    neurons: Neurons,
    states: NDArray[Any],
    sums: NDArray[Any],
    parameters: NDArray[Any],
    flags: NDArray[np.uint8],
    sent: NDArray[np.int32],
    arrives: bool,
) -> tuple[bool, int]:
    """One step of a tile; returns whether the next one without input leaves it as it is, and how large its numbers became."""
    kind = neurons.kind
    if kind == SIGMA_DELTA:
        return True, sigma_delta(states, sums, parameters, sent, neurons)
    if kind == DELTA:
        return True, delta(states, sums, parameters, sent, neurons)
    if kind == PASSING:
        moved, large = passing(states, sums, parameters, flags, neurons)
    elif kind == LIF:
        moved, large = lif(states, sums, parameters, flags, neurons)
    elif kind == EACH:
        moved, large = each(states, sums, parameters, flags)
    else:
        moved, large = True, sigma(states, sums, sent)
    return not (moved or arrives), large


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _collect_graded(
    sent: NDArray[np.int32],
    flags: NDArray[np.uint8],
    begin: int,
    sources: NDArray[np.uint32],
    factors: NDArray[np.int32],
    count: int,
) -> int:
    """Append the messages of a tile, whose first neuron is ``begin``; returns the new count."""
    for i in range(TILE):
        flags[i] = sent[i] != 0
    for start in range(0, TILE, WORD):
        bits = mask(flags, start)
        while bits != 0:
            i = start + int(trailing_zeros(bits))
            sources[count], factors[count] = begin + i, sent[i]
            count += 1
            bits &= bits - np.uint64(1)
    return count


@compiled()
def _run(
    wiring: Wiring,
    neurons: Neurons,
    room: Room,
    arriving: Events,
    source: NDArray[np.int32],
    emitted: Events,
    record: Record,
    wraps: bool,
    limit: int,
    begin: int,
    elapsed: int,
) -> int:
    """Run a layer, one sample after the other; returns how that ended, see ``_DONE``.

    From rest, if ``begin`` is 0. Else ``begin`` rows are there, and the states after them; ``elapsed`` steps came before the first.
    """
    # Taken out of their tuples once: each time costs two counts of references.
    forward, taps, own, graded, own_graded, direct, ring, late = wiring
    sums, touched, states, resting = room
    arriving_first, arriving_source, arriving_factor = arriving
    emitted_first, emitted_source, emitted_factor = emitted
    spikes, messages, when, voltage = record
    parameters = neurons.parameters
    size, tiles, of_each = neurons.size, resting.size, parameters.size // resting.size
    samples, steps = max(spikes.shape[0], messages.shape[0]), max(spikes.shape[1], messages.shape[1])
    sends_values = messages.size > 0
    own_factor = emitted_factor if own_graded else emitted_factor[:0]
    factor = arriving_factor if graded else arriving_factor[:0]
    flags, sent, gathered = np.zeros(TILE, np.uint8), np.zeros(TILE, np.int32), np.zeros(TILE, sums.dtype)
    emitted_first[0] = 0
    count = emitted_first[begin]
    for sample in range(samples):
        if begin == 0:
            sums[:], touched[:], states[:], resting[:] = 0, 0, 0, 0
        for step in range(begin, steps):
            row, time = sample * steps + step, elapsed + step
            slot = time % ring
            if late.size > 0:
                sums[slot * tiles * TILE : (slot + 1) * tiles * TILE] = 0
                touched[slot * tiles : (slot + 1) * tiles] = 0
            if step > 0 and not direct:
                events = slice(arriving_first[row - 1], arriving_first[row])
                if taps.bundle.size > 0:
                    add_taps(sums, touched, ring, time, taps, arriving_source[events], factor[events])
                else:
                    add_runs(sums, touched, ring, time, forward, arriving_source[events], factor[events])
                if own.first.size > 1:
                    events = slice(emitted_first[row - 1], emitted_first[row])
                    add_runs(sums, touched, ring, time, own, emitted_source[events], own_factor[events])
            if neurons.reset_interval > 0 and (time + 1) % neurons.reset_interval == neurons.reset_phase:
                states[:], resting[:] = 0, 0
            for tile in range(tiles):
                low, high = tile * TILE, min((tile + 1) * TILE, size)
                total = sums[(slot * tiles + tile) * TILE : (slot * tiles + tile + 1) * TILE]
                arrives = touched[slot * tiles + tile] != 0
                if late.size > 0:
                    total = gathered
                    for past in range(ring):
                        arrives |= touched[past * tiles + tile] != 0
                else:
                    touched[slot * tiles + tile] = 0
                if direct:
                    arrives = step == 0 or _differs(source[sample, step, low:high], source[sample, step - 1, low:high])
                if not arrives and resting[tile]:
                    if sends_values:
                        _clear(messages[sample, step, low:high])
                    else:
                        _clear(spikes[sample, step, low:high])
                    continue
                if direct:
                    for i in range(high - low):
                        total[i] = source[sample, step, low + i]
                if late.size > 0:
                    _read_late(total, sums, late[low:high], time, tiles * TILE, low)
                if wraps and not wrap_sums(total):
                    return _NOT_EXACT
                resting[tile], large = _update(
                    neurons,
                    states[tile * STATES * TILE : (tile + 1) * STATES * TILE],
                    total,
                    parameters[tile * of_each : (tile + 1) * of_each],
                    flags,
                    sent,
                    arrives,
                )
                if large >= limit:
                    return _TOO_LARGE
                if sends_values:
                    sent[high - low :] = 0
                    _copy(messages[sample, step, low:high], sent)
                    count = _collect_graded(sent, flags, low, emitted_source, emitted_factor, count)
                else:
                    flags[high - low :] = 0  # padding fires where the threshold is negative
                    _copy(spikes[sample, step, low:high], flags)
                    count = collect(flags, low, emitted_source, count)
            emitted_first[row + 1] = count
            if step == when:
                for i in range(size):
                    at = i // TILE * STATES * TILE + TILE + i % TILE
                    voltage[sample, i] = messages[sample, step, i] if sends_values else states[at]
    return _DONE
