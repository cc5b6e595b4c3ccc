"""Synapses of a layer: a matrix or a convolution, what they add up to, and how they lie by source.

A layer's neurons are numbered as Lava lays out their shape: ``(width, height, channels)`` in C order.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError

Integers = NDArray[np.int64]
Shape = tuple[int, ...]

SYNAPSES_MAX = 100_000_000
"""Synapses of a network. A chip of Loihi 2 holds some 120 million of one byte each."""

_EXACT = 1 << 53


@dataclass(frozen=True)
class Kernel:
    """A convolution, which is a correlation as in torch: ``sum weight[o, i, x, y] * source[x0 + x * dilation, y0 + y * dilation, i]``.

    Attributes:
        weight: int64 [output channels, input channels / groups, width, height].
        source: (width, height, channels) of the neurons that it reads.
        stride: (x, y).
        padding: (x, y), zeros on both sides.
        dilation: (x, y).
        groups: how many runs of channels do not see each other.
    """

    weight: Integers
    source: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def target(self) -> tuple[int, int, int]:
        """(width, height, channels) of what it makes."""
        width, height = (
            (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
            for size, padding, dilation, taps, stride in zip(
                self.source[:2], self.padding, self.dilation, self.weight.shape[2:], self.stride, strict=True
            )
        )
        return width, height, int(self.weight.shape[0])

    def places(self, axis: int, tap: int) -> tuple[slice, slice]:
        """Along x (0) or y (1): the sources that a tap of the kernel reads, and the targets that read them."""
        size, stride, count = self.source[axis], self.stride[axis], self.target[axis]
        first = tap * self.dilation[axis] - self.padding[axis]  # of target 0
        low = max(0, -(first // stride))
        high = min(count, (size - 1 - first) // stride + 1)
        if high <= low:
            return slice(0, 0), slice(0, 0)
        return slice(first + low * stride, first + (high - 1) * stride + 1, stride), slice(low, high)


@dataclass(frozen=True)
class Connection:
    """What leads to the neurons of a layer from the layer before, from the input, or from themselves.

    Attributes:
        weight: int64 [neurons, sources], or a kernel.
        recurrent: the sources are the layer's own neurons.
        graded: a message counts as often as its value says; otherwise it counts once where it is not 0.
        delay: steps that a message takes longer than one: of all synapses, or int64 [neurons, sources].
    """

    weight: Integers | Kernel
    recurrent: bool = False
    graded: bool = False
    delay: int | Integers = 0

    @property
    def neurons(self) -> int:
        """Number of neurons that it leads to."""
        weight = self.weight
        return int(np.prod(weight.target)) if isinstance(weight, Kernel) else int(weight.shape[0])

    @property
    def sources(self) -> int:
        """Number of neurons or channels that it comes from."""
        weight = self.weight
        return int(np.prod(weight.source)) if isinstance(weight, Kernel) else int(weight.shape[1])

    @property
    def longest(self) -> int:
        """The largest delay."""
        return int(np.max(self.delay, initial=0))

    @cached_property
    def by_delay(self) -> tuple[tuple[int, Integers | Kernel], ...]:
        """Weights of each delay that occurs, shortest first."""
        if isinstance(self.delay, int):
            return ((self.delay, self.weight),)
        assert not isinstance(self.weight, Kernel)
        return tuple((int(delay), np.where(self.delay == delay, self.weight, 0)) for delay in np.unique(self.delay))


class Synapses(NamedTuple):
    """The nonzero synapses of a connection by their source, as runs of neighbouring targets.

    Attributes:
        first: int64 [sources + 1], the runs of source ``s`` are ``first[s]`` to ``first[s + 1]``.
        start: int32 [runs], first target of each.
        length: int32 [runs].
        offset: int64 [runs], where its weights are; those of a convolution are shared.
        delay: int32 [runs], steps beyond one.
        weight: int64.
    """

    first: Integers
    start: NDArray[np.int32]
    length: NDArray[np.int32]
    offset: Integers
    delay: NDArray[np.int32]
    weight: Integers


def accumulate(weight: Integers, messages: NDArray[np.generic]) -> Integers:
    """``weight @ messages`` for many vectors in one BLAS product, exactly.

    All summands are integers, so a floating-point sum has no rounding while every partial sum, in whatever order BLAS takes
    them, stays within the mantissa: below ``2**24`` in float32, below ``2**53`` in float64. The sum of magnitudes bounds them.

    Args:
        weight: int64 [targets, sources].
        messages: integers [..., sources].

    Returns:
        int64 [..., targets].

    Raises:
        RuleError: a sum can reach ``2**53``.
    """
    exact = _exact(_largest(messages) * int(np.abs(weight).sum(axis=1).max(initial=0)))
    rows = messages.reshape(-1, messages.shape[-1]).astype(exact)
    sums: Integers = (rows @ weight.T.astype(exact)).astype(np.int64)
    return sums.reshape(*messages.shape[:-1], weight.shape[0])


def convolve(kernel: Kernel, messages: NDArray[np.generic]) -> Integers:
    """What :func:`accumulate` does, for a convolution.

    Args:
        kernel: its weights and places.
        messages: integers [..., sources].

    Returns:
        int64 [..., targets].
    """
    weight, groups = kernel.weight, kernel.groups
    exact = _exact(_largest(messages) * int(np.abs(weight).sum(axis=(1, 2, 3)).max(initial=0)))
    source: NDArray[Any] = messages.reshape(-1, *kernel.source[:2], groups, kernel.source[2] // groups).astype(exact)
    outputs = weight.shape[0] // groups
    sums: NDArray[Any] = np.zeros((len(source), *kernel.target[:2], groups, outputs), exact)
    taps: NDArray[Any] = weight.reshape(groups, outputs, *weight.shape[1:]).astype(exact)
    for x in range(weight.shape[2]):
        read_x, write_x = kernel.places(0, x)
        for y in range(weight.shape[3]):
            read_y, write_y = kernel.places(1, y)
            part = source[:, read_x, read_y]
            for group in range(groups):
                sums[:, write_x, write_y, group] += part[:, :, :, group] @ taps[group, :, :, x, y].T
    total: Integers = sums.astype(np.int64).reshape(*messages.shape[:-1], -1)
    return total


def apply(weight: Integers | Kernel, messages: NDArray[np.generic]) -> Integers:
    """:func:`accumulate` or :func:`convolve`."""
    return convolve(weight, messages) if isinstance(weight, Kernel) else accumulate(weight, messages)


def number(connection: Connection) -> int:
    """Nonzero synapses."""
    return int(fan_out(connection).sum())


def fan_out(connection: Connection) -> Integers:
    """Nonzero synapses of each source, int64 [sources]."""
    weight = connection.weight
    if not isinstance(weight, Kernel):
        counts: Integers = np.count_nonzero(weight, axis=0)
        return counts
    channels = weight.source[2] // weight.groups
    there = (weight.weight != 0).reshape(weight.groups, -1, *weight.weight.shape[1:]).sum(axis=1)  # [groups, inputs, x, y]
    there = there.reshape(weight.groups * channels, *weight.weight.shape[2:])
    found: Integers = np.zeros(weight.source, np.int64)
    for x in range(there.shape[1]):
        for y in range(there.shape[2]):
            found[weight.places(0, x)[0], weight.places(1, y)[0]] += there[:, x, y]
    flat: Integers = found.reshape(-1)
    return flat


def fan_in(connection: Connection) -> Integers:
    """Nonzero synapses of each neuron, int64 [neurons]."""
    weight = connection.weight
    if not isinstance(weight, Kernel):
        counts: Integers = np.count_nonzero(weight, axis=1)
        return counts
    there = np.count_nonzero(weight.weight, axis=1)
    found = np.zeros(weight.target, np.int64)
    for x in range(there.shape[1]):
        for y in range(there.shape[2]):
            found[weight.places(0, x)[1], weight.places(1, y)[1]] += there[:, x, y]
    flat: Integers = found.reshape(-1)
    return flat


def laid_out(connection: Connection) -> Synapses:
    """The synapses by source. Zeros of a kernel stay where its runs are not broken by them."""
    weight = connection.weight
    return _kernel_runs(connection, weight) if isinstance(weight, Kernel) else _matrix_runs(connection, weight)


_BRIDGE = 4
"""Zeros between two weights of a source that cost less than a further run."""


def _matrix_runs(connection: Connection, weight: Integers) -> Synapses:
    columns = np.ascontiguousarray(weight.T)
    late = np.broadcast_to(np.asarray(connection.delay, np.int64), weight.shape).T
    sources, targets = np.nonzero(columns)
    delays = late[sources, targets]
    order = np.lexsort((targets, delays, sources))  # runs of one delay each
    sources, targets, delays = sources[order], targets[order], delays[order]
    bridge = _BRIDGE if isinstance(connection.delay, int) else 0  # what lies between may have another delay
    breaks = (np.diff(sources) != 0) | (np.diff(delays) != 0) | (np.diff(targets) > bridge + 1)
    begins = np.flatnonzero(np.concatenate(([True], breaks)[: sources.size + 1]))[: sources.size]
    ends = np.append(begins[1:], sources.size) - 1 if sources.size else begins
    length = targets[ends] - targets[begins] + 1
    offset = np.cumsum(length) - length
    at = sources[begins] * columns.shape[1] + targets[begins]  # of the run's first weight in the whole matrix
    within = np.arange(length.sum()) - np.repeat(offset, length)
    return Synapses(
        np.searchsorted(sources[begins], np.arange(columns.shape[0] + 1)).astype(np.int64),
        targets[begins].astype(np.int32),
        length.astype(np.int32),
        offset.astype(np.int64),
        delays[begins].astype(np.int32),
        columns.reshape(-1)[np.repeat(at, length) + within],
    )


def _kernel_runs(connection: Connection, kernel: Kernel) -> Synapses:
    """Runs over the output channels, and over neighbouring places along y where their taps are neighbours too.

    Weights are kept as [input channel, x, y, output channel] with y in the order in which the targets of a source come: with
    stride ``s`` a source meets every ``s``-th tap, the last one first.
    """
    outputs, inputs, taps_x, taps_y = kernel.weight.shape
    width, height, channels = kernel.source
    per_group = outputs // kernel.groups
    order = sorted(range(taps_y), key=lambda y: ((y * kernel.dilation[1]) % kernel.stride[1], -y))
    place_of = {y: place for place, y in enumerate(order)}
    weights = kernel.weight.reshape(kernel.groups, per_group, inputs, taps_x, taps_y)[..., order]
    weights = np.ascontiguousarray(weights.transpose(0, 2, 3, 4, 1))  # [group, input channel, x, place of y, output channel]
    along_x, along_y = (_met(kernel, axis) for axis in (0, 1))
    columns: list[list[tuple[int, int, int]]] = []  # for each y: first target, places, first tap
    for y in range(height):
        runs: list[tuple[int, int, int]] = []
        for target, tap in sorted(along_y[y]):
            place = place_of[tap]
            # Groups lie beside each other at every place, so that their channels are no neighbours along y.
            if kernel.groups == 1 and runs and runs[-1][0] + runs[-1][1] == target and runs[-1][2] + runs[-1][1] == place:
                runs[-1] = runs[-1][0], runs[-1][1] + 1, runs[-1][2]
            else:
                runs.append((target, 1, place))
        columns.append(runs)
    counts = np.array([[len(along_x[x]) * len(columns[y]) for y in range(height)] for x in range(width)], np.int64)
    first = np.concatenate(([0], np.cumsum(np.repeat(counts.reshape(-1), channels))))
    channel = np.arange(channels)
    group, within = channel // inputs, channel % inputs
    parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    high = kernel.target[1]
    for x in range(width):
        for y in range(height):
            runs_x = np.array(along_x[x], np.int64).reshape(-1, 2)
            runs_y = np.array(columns[y], np.int64).reshape(-1, 3)
            targets = (runs_x[:, None, 0] * high + runs_y[None, :, 0]).reshape(-1) * outputs
            lengths = np.tile(runs_y[:, 1], len(runs_x)) * per_group
            taps = (runs_x[:, None, 1] * taps_y + runs_y[None, :, 2]).reshape(-1) * per_group
            starts = targets[None] + (group * per_group)[:, None]
            offsets = taps[None] + ((group * inputs + within) * taps_x * taps_y * per_group)[:, None]
            parts.append((starts.reshape(-1), np.tile(lengths, channels), offsets.reshape(-1)))
    start, length, offset = (np.concatenate(column) for column in zip(*parts, strict=True))
    delay = np.full(start.size, connection.delay, np.int32)
    return Synapses(first, start.astype(np.int32), length.astype(np.int32), offset.astype(np.int64), delay, weights.reshape(-1))


def _met(kernel: Kernel, axis: int) -> list[list[tuple[int, int]]]:
    """For each source along an axis the targets that read it, and through which tap."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(kernel.source[axis])]
    for tap in range(kernel.weight.shape[2 + axis]):
        read, write = kernel.places(axis, tap)
        for source, target in zip(range(read.start, read.stop, read.step or 1), range(write.start, write.stop), strict=True):
            found[source].append((target, tap))
    return found


def _largest(messages: NDArray[np.generic]) -> int:
    return max(int(messages.max(initial=0)), -int(messages.min(initial=0)))


def _exact(reach: int) -> type[np.float32] | type[np.float64]:
    """The narrowest floating point in which sums of such a magnitude are exact."""
    if reach >= _EXACT:
        raise RuleError(f"a sum of weights can reach {reach:,}, which is exact below 2**53 only: use smaller inputs or weights")
    return np.float32 if reach < 1 << 24 else np.float64
