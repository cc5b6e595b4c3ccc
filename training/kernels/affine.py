"""Batch norm in training as one gain and one shift for each channel, with the gradient through its statistics."""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import distributed

Floats = NDArray[np.float32]


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sums(values: Floats, sums: NDArray[np.float64]) -> None:
    """Sums over time of ``values`` [samples, steps, channels] and of their squares, into [samples, 2, channels], which is zero."""
    samples, steps, channels = values.shape
    for sample in numba.prange(samples):
        for step in range(steps):
            for channel in range(channels):
                value = np.float64(values[sample, step, channel])
                sums[sample, 0, channel] += value
                sums[sample, 1, channel] += value * value


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _line(values: Floats, offset: Floats, slope: Floats, result: Floats) -> None:
    """``offset + slope * values``, with [channels] and [samples, steps, channels]."""
    samples, steps, channels = values.shape
    for sample in numba.prange(samples):
        for step in range(steps):
            for channel in range(channels):
                result[sample, step, channel] = offset[channel] + slope[channel] * values[sample, step, channel]


class Affine(torch.autograd.Function):
    """The gain and the shift with which a batch norm maps values, all processes' values being one batch.

    With mean ``m`` and variance ``s`` of n values, ``gain = weight / sqrt(s + epsilon)`` and ``shift = bias - gain * m``.
    """

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        """Take the statistics.

        Args:
            ctx: of autograd.
            values: [samples, steps, channels].
            weight: [channels].
            bias: [channels].
            epsilon: added to the variance.

        Returns:
            Gain, shift, mean and variance [channels], and the number of values of a channel. Mean and variance have no gradient.
        """
        samples, steps, channels = values.shape
        values = values.contiguous()
        # In float64: the variance is a difference of two sums, which float32 would not survive. The last number is the count.
        sums = torch.zeros(samples, 2, channels, dtype=torch.float64)
        _sums(values.detach().numpy(), sums.numpy())
        message = torch.cat([sums.sum(0).flatten(), torch.tensor([samples * steps], dtype=torch.float64)])
        *_, count = message = distributed.total(message)
        mean, squares = (message[:-1] / count).reshape(2, channels)
        variance = (squares - mean * mean).clamp_(min=0)
        root = torch.rsqrt(variance + epsilon)
        mean, variance, root = (tensor.to(values.dtype) for tensor in (mean, variance, root))
        gain = weight * root
        ctx.save_for_backward(values, weight, mean, root)
        ctx.count = float(count)
        ctx.mark_non_differentiable(mean, variance)
        return gain, bias - gain * mean, mean, variance, int(count)

    @staticmethod
    def backward(ctx: Any, grad_gain: Tensor, grad_shift: Tensor, *_: None) -> tuple[Tensor | None, ...]:
        """The gradients of values, weight and bias."""
        values, weight, mean, root = ctx.saved_tensors
        grad_gain = grad_gain - mean * grad_shift
        of_variance = -0.5 * weight * root**3 * grad_gain
        of_mean = -weight * root * grad_shift
        # Every process's values move the statistics that all processes use.
        offset, slope = distributed.total(torch.stack([of_mean - 2 * mean * of_variance, 2 * of_variance])) / ctx.count
        grad = torch.empty_like(values)
        _line(values.numpy(), offset.numpy(), slope.numpy(), grad.numpy())
        return grad, grad_gain * root, grad_shift, None
