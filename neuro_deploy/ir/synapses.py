"""Synapses of a layer: a matrix or a convolution, what they add up to, and how many there are.

A layer's neurons are numbered as Lava lays out their shape: ``(width, height, channels)`` in C order.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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


def flattened(shape: Shape) -> Integers:
    """Where the neurons (x, y, channel), in C order, are among the columns of a matrix behind a flatten layer.

    Its columns count the channel first, then y, then x; int64 [neurons].
    """
    if len(shape) == 1:
        return np.arange(shape[0])
    columns = np.arange(math.prod(shape)).reshape(shape[::-1])
    return columns.transpose().reshape(-1)


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


def presence(connection: Connection) -> Integers | Kernel:
    """Weights that are 1 where there is a synapse: applied to events they are synaptic operations."""
    weight = connection.weight
    if isinstance(weight, Kernel):
        return replace(weight, weight=(weight.weight != 0).astype(np.int64))
    there: Integers = (weight != 0).astype(np.int64)
    return there


def number(connection: Connection) -> int:
    """Nonzero synapses."""
    return int(fan_out(connection).sum())


def places(connection: Connection) -> int:
    """Synapses, those of weight zero included: the entries of a matrix, and all that a kernel makes without its borders' zeros."""
    weight = connection.weight
    if isinstance(weight, Kernel):
        return number(Connection(replace(weight, weight=np.ones_like(weight.weight))))
    return int(weight.size)


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


def rows(connection: Connection, low: int, high: int) -> tuple[Integers, Integers]:
    """Nonzero synapses of some neighbouring neurons.

    Args:
        connection: whose synapses are listed.
        low: the first neuron.
        high: one past the last.

    Returns:
        Neurons in rising order, from 0 for ``low``, and their sources, int64 [synapses] twice.
    """
    weight = connection.weight
    if not isinstance(weight, Kernel):
        neurons, sources = np.nonzero(weight[low:high])
        return neurons, sources
    x, y, output = np.unravel_index(np.arange(low, high), weight.target)
    width, height, channels = weight.source
    inputs, *taps = weight.weight.shape[1:]
    x, y = (
        place[:, None] * weight.stride[axis] - weight.padding[axis] + np.arange(taps[axis]) * weight.dilation[axis]
        for axis, place in enumerate((x, y))
    )  # sources of each tap along an axis, [neurons, taps]
    inside = ((x >= 0) & (x < width))[:, :, None] & ((y >= 0) & (y < height))[:, None]
    neurons, source, tap_x, tap_y = np.nonzero((weight.weight != 0)[output] & inside[:, None])
    first = output // (weight.weight.shape[0] // weight.groups) * inputs  # channel of the neuron's group
    return neurons, (x[neurons, tap_x] * height + y[neurons, tap_y]) * channels + first[neurons] + source


def _largest(messages: NDArray[np.generic]) -> int:
    return max(int(messages.max(initial=0)), -int(messages.min(initial=0)))


def _exact(reach: int) -> type[np.float32] | type[np.float64]:
    """The narrowest floating point in which sums of such a magnitude are exact."""
    if reach >= _EXACT:
        raise RuleError(f"a sum of weights can reach {reach:,}, which is exact below 2**53 only: use smaller inputs or weights")
    return np.float32 if reach < 1 << 24 else np.float64
