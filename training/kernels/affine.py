"""Batch norm in training as one gain and one shift for each channel, with the gradient through its statistics."""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro_deploy.compiling import compiled
from neuro_deploy.training import distributed

Floats = NDArray[np.float32]


@compiled(parallel=True)
def _sums(values: Floats, sums: NDArray[np.float64]) -> None:
    """Sums over time of ``values`` [samples, steps, channels] and of their squares, into [samples, 2, channels], which is zero."""
    samples, steps, channels = values.shape
    for sample in numba.prange(samples):
        for step in range(steps):
            for channel in range(channels):
                value = np.float64(values[sample, step, channel])
                sums[sample, 0, channel] += value
                sums[sample, 1, channel] += value * value


@compiled(parallel=True)
def _add_line(values: Floats, offset: Floats, slope: Floats, result: Floats) -> None:
    """Add ``offset + slope * values`` to the result, with [channels] and [samples, steps, channels]."""
    samples, steps, channels = values.shape
    for sample in numba.prange(samples):
        for step in range(steps):
            for channel in range(channels):
                result[sample, step, channel] += offset[channel] + slope[channel] * values[sample, step, channel]


@dataclass(frozen=True)
class Statistics:
    """What a batch norm takes from its values, all processes' values being one batch; in NumPy, which is quicker on so few numbers.

    With mean ``m`` and variance ``s`` of n values, ``gain = weight / sqrt(s + epsilon)`` and ``shift = bias - gain * m``.

    Attributes:
        count: values of a channel.
        mean: [channels].
        variance: [channels], of all values; not the unbiased one.
        root: ``1 / sqrt(variance + epsilon)``.
        gain: [channels].
        shift: [channels].
    """

    count: int
    mean: Floats
    variance: Floats
    root: Floats
    gain: Floats
    shift: Floats

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # a training that diverges ends with its loss, which says why
    def of(cls, values: Floats, weight: Floats, bias: Floats, epsilon: float) -> "Statistics":
        """Take them from values [samples, steps, channels]."""
        samples, steps, channels = values.shape
        # In float64: the variance is a difference of two sums, which float32 would not survive. The last number is the count.
        sums = np.zeros((samples, 2, channels))
        _sums(values, sums)
        message = np.append(sums.sum(0).ravel(), samples * steps)
        if distributed.size() > 1:
            message = distributed.total(torch.from_numpy(message)).numpy()
        mean, squares = message[:-1].reshape(2, channels) / message[-1]
        variance = np.maximum(squares - mean * mean, 0)
        mean, variance, root = (a.astype(values.dtype) for a in (mean, variance, 1 / np.sqrt(variance + epsilon)))
        gain = weight * root
        return cls(int(message[-1]), mean, variance, root, gain, bias - gain * mean)

    @np.errstate(over="ignore", invalid="ignore")
    def backward(
        self, values: Floats, weight: Floats, grad_gain: Floats, grad_shift: Floats, grad: Floats
    ) -> tuple[Floats, Floats]:
        """Add to ``grad`` what the values change through gain and shift; returns the gradients of weight and bias."""
        grad_gain = grad_gain - self.mean * grad_shift
        of_variance = -0.5 * weight * self.root**3 * grad_gain
        of_mean = -self.gain * grad_shift
        line = np.stack([of_mean - 2 * self.mean * of_variance, 2 * of_variance]) / self.count
        if distributed.size() > 1:  # every process's values move the statistics that all processes use
            line = distributed.total(torch.from_numpy(line)).numpy()
        _add_line(values, *line.astype(values.dtype), grad)
        return grad_gain * self.root, grad_shift


class Affine(torch.autograd.Function):
    """The gain and the shift with which a batch norm maps values; see :class:`Statistics`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Statistics]:
        """Take the statistics.

        Args:
            ctx: of autograd.
            values: [samples, steps, channels].
            weight: [channels].
            bias: [channels].
            epsilon: added to the variance.

        Returns:
            Gain and shift [channels], and the statistics, which have no gradient.
        """
        values = values.contiguous()
        statistics = Statistics.of(values.detach().numpy(), weight.detach().numpy(), bias.detach().numpy(), epsilon)
        ctx.save_for_backward(values, weight)
        ctx.statistics = statistics
        return torch.from_numpy(statistics.gain), torch.from_numpy(statistics.shift), statistics

    @staticmethod
    def backward(ctx: Any, grad_gain: Tensor, grad_shift: Tensor, _: None) -> tuple[Tensor | None, ...]:
        """The gradients of values, weight and bias."""
        values, weight = ctx.saved_tensors
        grad = torch.zeros_like(values)
        arrays = [tensor.numpy() for tensor in (values, weight, grad_gain, grad_shift, grad)]
        of_weight, of_bias = ctx.statistics.backward(*arrays)
        return grad, torch.from_numpy(of_weight), torch.from_numpy(of_bias), None
