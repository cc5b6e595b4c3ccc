"""Synapses of a connection by their source, as runs of neighbouring targets, and what an event adds through them, compiled."""

import itertools
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.vectors import (
    add_4,
    add_8,
    add_16,
    cast,
    gather_1,
    gather_4,
    gather_8,
    gather_16,
    scaled_4,
    scaled_8,
    scaled_16,
    scaled_gather_1,
    scaled_gather_4,
    scaled_gather_8,
    scaled_gather_16,
)
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.synapses import Connection, Integers, Kernel

_TILE_BITS = 8

TILE = 1 << _TILE_BITS
"""Neighbouring neurons of a layer that are updated together, or not at all."""

_BRIDGE = 12
"""Zeros between two weights of a source that cost less than a further run."""


class Runs(NamedTuple):
    """The nonzero synapses of a matrix.

    Attributes:
        first: int64 [sources + 1], the runs of source ``s`` are ``first[s]`` to ``first[s + 1]``; of no source where there is no
            matrix.
        start: int32 [runs], first target of each.
        length: int32 [runs].
        offset: int64 [runs], where its weights are.
        delay: int32 [runs], steps beyond one.
        weight: int16 or int64.
    """

    first: Integers
    start: NDArray[np.int32]
    length: NDArray[np.int32]
    offset: Integers
    delay: NDArray[np.int32]
    weight: NDArray[Any]


class Taps(NamedTuple):
    """The synapses of a convolution by the place of their source: its x, and its number ``n`` among those of the same x.

    A source has a run for each pair of an entry ``i`` of ``across``, from ``first_across[x]`` to ``first_across[x + 1]``, and an entry
    ``j`` of ``down``, from ``first_down[y[n]]`` to ``first_down[y[n] + 1]``: its first target is ``across[i] + down[j] + start[n]``,
    its weights are from ``across_weight[i] + down_weight[j] + row[n]`` on, and its length is ``length[j]``.

    Attributes:
        first_across: int64 [width + 1].
        across: int64 [entries].
        across_weight: int64 [entries].
        first_down: int64 [height + 1].
        down: int64 [entries].
        down_weight: int64 [entries].
        length: int64 [entries].
        bundle: int32 [height * channels], the same for those of one y and group, which have the same targets. Empty where there is
            no convolution.
        y: int32 [height * channels].
        start: int32 [height * channels], of the group's output channels.
        row: int64 [height * channels].
        most: the largest number of sources in a bundle.
        delay: steps beyond one.
        weight: int16 or int64.
    """

    first_across: Integers
    across: Integers
    across_weight: Integers
    first_down: Integers
    down: Integers
    down_weight: Integers
    length: Integers
    bundle: NDArray[np.int32]
    y: NDArray[np.int32]
    start: NDArray[np.int32]
    row: Integers
    most: int
    delay: int
    weight: NDArray[Any]


def ends(layer: Layer, who: str) -> tuple[Connection | None, Connection | None]:
    """The connection from the layer before, and the one from the layer itself.

    Raises:
        BackendError: there are more.
    """
    forward = [connection for connection in layer.connections if not connection.recurrent]
    own = [connection for connection in layer.connections if connection.recurrent]
    kernels = any(isinstance(connection.weight, Kernel) for connection in layer.connections)
    if len(forward) > 1 or len(own) > 1 or (kernels and own):
        raise BackendError(
            f"{who}: more than one matrix forward and one recurrent, or a convolution beside another: use the integer backend"
        )
    return next(iter(forward), None), next(iter(own), None)


def lateness(connection: Connection | None) -> NDArray[np.int32]:
    """Delays that depend on the neuron alone, int32 [neurons]; empty where they do not, or there are none.

    They cost nothing where an event arrives: its neurons read older sums.
    """
    if connection is None or isinstance(connection.delay, int) or not connection.delay.size:
        return np.zeros(0, np.int32)
    of_neuron = connection.delay[:, 0]
    return of_neuron.astype(np.int32) if (connection.delay == of_neuron[:, None]).all() else np.zeros(0, np.int32)


def runs_of(connection: Connection | None, kind: "np.dtype[Any]") -> Runs:
    """Lay out a matrix.

    Args:
        connection: None, or a convolution: there are no runs.
        kind: of the weights; must hold them.
    """
    if connection is None or isinstance(connection.weight, Kernel):
        none = np.zeros(0, np.int32)
        return Runs(np.zeros(1, np.int64), none, none, np.zeros(0, np.int64), none, np.zeros(0, kind))
    columns = np.ascontiguousarray(connection.weight.T.astype(kind))
    sources, targets = np.nonzero(columns)
    bridge = 0  # what lies between may have another delay
    if isinstance(connection.delay, int):
        delays, bridge = np.full(sources.size, connection.delay), _BRIDGE
    else:
        delays = connection.delay.T[sources, targets]
        order = np.lexsort((targets, delays, sources))  # runs of one delay each
        sources, targets, delays = sources[order], targets[order], delays[order]
    breaks = (np.diff(sources) != 0) | (np.diff(delays) != 0) | (np.diff(targets) > bridge + 1)
    begins = np.flatnonzero(np.concatenate(([True], breaks)[: sources.size + 1]))[: sources.size]
    ends = np.append(begins[1:], sources.size) - 1 if sources.size else begins
    length = targets[ends] - targets[begins] + 1
    offset = np.cumsum(length) - length
    at = sources[begins] * columns.shape[1] + targets[begins]  # of the run's first weight in the whole matrix
    within = np.arange(length.sum()) - np.repeat(offset, length)
    return Runs(
        np.searchsorted(sources[begins], np.arange(columns.shape[0] + 1)).astype(np.int64),
        targets[begins].astype(np.int32),
        length.astype(np.int32),
        offset.astype(np.int64),
        delays[begins].astype(np.int32),
        columns.reshape(-1)[np.repeat(at, length) + within],
    )


def taps_of(connection: Connection | None, kind: "np.dtype[Any]") -> Taps:
    """Lay out a convolution: runs over the output channels, and over neighbouring places along y where their taps are neighbours too.

    Weights are kept as [input channel, x, y, output channel] with y in the order in which the targets of a source come: with
    stride ``s`` a source meets every ``s``-th tap, the last one first.

    Args:
        connection: None, or a matrix: there are no taps.
        kind: of the weights; must hold them.
    """
    if connection is None or not isinstance(connection.weight, Kernel):
        no, none = np.zeros(0, np.int64), np.zeros(0, np.int32)
        return Taps(no, no, no, no, no, no, no, none, none, none, no, 0, 0, np.zeros(0, kind))
    kernel = connection.weight
    outputs, inputs, taps_x, taps_y = kernel.weight.shape
    per_group = outputs // kernel.groups
    order = sorted(range(taps_y), key=lambda y: ((y * kernel.dilation[1]) % kernel.stride[1], -y))
    weights = kernel.weight.reshape(kernel.groups, per_group, inputs, taps_x, taps_y)[..., order]
    weights = weights.transpose(0, 2, 3, 4, 1).astype(kind, order="C")  # [group, input channel, x, place of y, output channel]
    column = kernel.target[1] * outputs
    across = [[(target * column, tap * taps_y * per_group) for target, tap in met] for met in _met(kernel, 0)]
    place = {y: place for place, y in enumerate(order)}
    down = [
        [
            (target * outputs, tap * per_group, count * per_group)
            for target, tap, count in _joined(met, place, kernel.groups == 1)
        ]
        for met in _met(kernel, 1)
    ]
    assert isinstance(connection.delay, int)
    y, channel = (numbers.reshape(-1) for numbers in np.indices(kernel.source[1:]))
    group = channel // inputs
    return Taps(
        _starts(across),
        _column(across, 0),
        _column(across, 1),
        _starts(down),
        _column(down, 0),
        _column(down, 1),
        _column(down, 2),
        (y * kernel.groups + group).astype(np.int32),
        y.astype(np.int32),
        (group * per_group).astype(np.int32),
        channel * (taps_x * taps_y * per_group),
        inputs,
        connection.delay,
        weights.reshape(-1),
    )


def _met(kernel: Kernel, axis: int) -> list[list[tuple[int, int]]]:
    """For each source along an axis the targets that read it, and through which tap."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(kernel.source[axis])]
    for tap in range(kernel.weight.shape[2 + axis]):
        read, write = kernel.places(axis, tap)
        for source, target in zip(range(read.start, read.stop, read.step or 1), range(write.start, write.stop), strict=True):
            found[source].append((target, tap))
    return found


def _joined(met: list[tuple[int, int]], place: dict[int, int], join: bool) -> list[tuple[int, int, int]]:
    """First target, place of its tap, and targets of each run.

    Groups lie beside each other at every place, so that with more than one their channels are no neighbours along y.
    """
    runs: list[tuple[int, int, int]] = []
    for target, tap in sorted(met):
        first, at, count = runs[-1] if runs else (-1, -1, 0)
        if join and first + count == target and at + count == place[tap]:
            runs[-1] = first, at, count + 1
        else:
            runs.append((target, place[tap], 1))
    return runs


def _column(entries: list[list[Any]], column: int) -> Integers:
    """One number of each entry of all places."""
    return np.array([entry[column] for entry in itertools.chain(*entries)], np.int64)


def _starts(entries: list[list[Any]]) -> Integers:
    return np.concatenate(([0], np.cumsum([len(entry) for entry in entries]))).astype(np.int64)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _mark(touched: NDArray[np.uint8], tiles: int, target: int, length: int) -> None:
    first, last = tiles + (target >> _TILE_BITS), tiles + ((target + length - 1) >> _TILE_BITS)
    touched[first] = touched[last] = 1
    for tile in range(first + 1, last):
        touched[tile] = 1


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _add(sums: NDArray[Any], target: int, weight: NDArray[Any], offset: int, length: int) -> None:
    """``sums[target : target + length] += weight[offset : offset + length]``."""
    end = target + (length & ~15)
    while target < end:
        add_16(sums, target, weight, offset)
        target, offset = target + 16, offset + 16
    if length & 8:
        add_8(sums, target, weight, offset)
        target, offset = target + 8, offset + 8
    if length & 4:
        add_4(sums, target, weight, offset)
        target, offset = target + 4, offset + 4
    for i in range(length & 3):
        sums[target + i] += weight[offset + i]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _add_times(sums: NDArray[Any], target: int, weight: NDArray[Any], offset: int, length: int, factor: int) -> None:
    """``sums[target : target + length] += factor * weight[offset : offset + length]``."""
    times = cast(sums, factor)
    end = target + (length & ~15)
    while target < end:
        scaled_16(sums, target, weight, offset, times)
        target, offset = target + 16, offset + 16
    if length & 8:
        scaled_8(sums, target, weight, offset, times)
        target, offset = target + 8, offset + 8
    if length & 4:
        scaled_4(sums, target, weight, offset, times)
        target, offset = target + 4, offset + 4
    for i in range(length & 3):
        sums[target + i] += factor * weight[offset + i]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _gather(
    sums: NDArray[Any],
    target: int,
    weight: NDArray[Any],
    start: int,
    length: int,
    rows: Integers,
    count: int,
    none: NDArray[np.int32],
) -> None:
    """``sums[target : target + length] += weight[start + row : start + row + length]`` for some rows."""
    end = target + (length & ~15)
    while target < end:
        gather_16(sums, target, weight, start, rows, count, none, 0)
        target, start = target + 16, start + 16
    if length & 8:
        gather_8(sums, target, weight, start, rows, count, none, 0)
        target, start = target + 8, start + 8
    if length & 4:
        gather_4(sums, target, weight, start, rows, count, none, 0)
        target, start = target + 4, start + 4
    for i in range(length & 3):
        gather_1(sums, target + i, weight, start + i, rows, count, none, 0)


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _gather_times(
    sums: NDArray[Any],
    target: int,
    weight: NDArray[Any],
    start: int,
    length: int,
    rows: Integers,
    count: int,
    factors: NDArray[np.int32],
    first: int,
) -> None:
    """What :func:`_gather` does, ``factors[first + i]`` times the ``i``-th row."""
    end = target + (length & ~15)
    while target < end:
        scaled_gather_16(sums, target, weight, start, rows, count, factors, first)
        target, start = target + 16, start + 16
    if length & 8:
        scaled_gather_8(sums, target, weight, start, rows, count, factors, first)
        target, start = target + 8, start + 8
    if length & 4:
        scaled_gather_4(sums, target, weight, start, rows, count, factors, first)
        target, start = target + 4, start + 4
    for i in range(length & 3):
        scaled_gather_1(sums, target + i, weight, start + i, rows, count, factors, first)


@compiled()
def add_runs(
    sums: NDArray[Any],
    touched: NDArray[np.uint8],
    ring: int,
    step: int,
    runs: Runs,
    sources: NDArray[np.uint32],
    factors: NDArray[np.int32],
) -> None:
    """Add what the events of one step cause through a matrix.

    Args:
        sums: [ring * neurons, padded], sums of this step and of the next ones: those of step ``t`` are the ``t % ring``-th.
        touched: uint8 [ring * tiles], set where something is added.
        ring: how many steps there are sums of.
        step: at which an event without delay acts.
        runs: the synapses.
        sources: uint32 [events].
        factors: int32 [events]; empty where an event counts once.
    """
    width, tiles = sums.size // ring, touched.size // ring
    first, starts, lengths, offsets, delays, weight = runs
    for event in range(sources.size):
        source = np.int64(sources[event])
        for run in range(first[source], first[source + 1]):
            slot = (step + delays[run]) % ring if ring > 1 else 0
            target, length = np.int64(starts[run]), np.int64(lengths[run])
            _mark(touched, slot * tiles, target, length)
            if factors.size > 0:
                _add_times(sums, slot * width + target, weight, offsets[run], length, factors[event])
            else:
                _add(sums, slot * width + target, weight, offsets[run], length)


@compiled()
def add_taps(
    sums: NDArray[Any],
    touched: NDArray[np.uint8],
    ring: int,
    step: int,
    taps: Taps,
    sources: NDArray[np.uint32],
    factors: NDArray[np.int32],
) -> None:
    """Add what the events of one step cause through a convolution; arguments as those of :func:`add_runs`, sources ascending.

    Those of one bundle have the same targets, which are fetched once for all of them.
    """
    slot = (step + taps.delay) % ring
    width, tiles = slot * (sums.size // ring), slot * (touched.size // ring)
    # Taken out once: each time costs two counts of references.
    (
        first_across,
        across,
        across_weight,
        first_down,
        down,
        down_weight,
        lengths,
        bundles,
        ys,
        starts,
        row_of,
        most,
        _,
        weight,
    ) = taps
    rows = np.empty(most, np.int64)
    column = bundles.size
    x = event = begin = 0
    while event < sources.size:
        while sources[event] >= begin + column:
            x, begin = x + 1, begin + column
        source = sources[event] - begin
        bundle = bundles[source]
        rows[0] = row_of[source]
        count = 1
        while event + count < sources.size and sources[event + count] < begin + column:
            other = sources[event + count] - begin
            if bundles[other] != bundle:
                break
            rows[count] = row_of[other]
            count += 1
        y, of_group = ys[source], starts[source]
        for i in range(first_across[x], first_across[x + 1]):
            for j in range(first_down[y], first_down[y + 1]):
                target, length = across[i] + down[j] + of_group, lengths[j]
                _mark(touched, tiles, target, length)
                start = across_weight[i] + down_weight[j]
                if factors.size > 0:
                    _gather_times(sums, width + target, weight, start, length, rows, count, factors, event)
                else:
                    _gather(sums, width + target, weight, start, length, rows, count, factors)
        event += count
