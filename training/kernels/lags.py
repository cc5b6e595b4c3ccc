"""Each step beside its past, which makes a convolution over time one matrix product."""

from typing import Any

import torch
from torch import Tensor


class StackLags(torch.autograd.Function):
    """[samples, steps, neurons] -> [samples, steps, lags * neurons]: each step beside its past, zeros before the start."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, lags: int) -> Tensor:
        """Copy, one block of neurons for each lag, the present first."""
        samples, steps, neurons = spikes.shape
        ctx.lags = lags
        stacked = spikes.new_empty(samples, steps, lags, neurons)
        for lag in range(lags):
            stacked[:, :lag, lag] = 0
            stacked[:, lag:, lag] = spikes[:, : max(0, steps - lag)]
        return stacked.flatten(2)

    @staticmethod
    def backward(ctx: Any, grad_stacked: Tensor) -> tuple[Tensor, None]:
        """See :func:`unstack`."""
        return unstack(grad_stacked, ctx.lags), None


def unstack(grad_stacked: Tensor, lags: int) -> Tensor:
    """Sum what each step received from its later readers, [samples, steps, lags * neurons] -> [samples, steps, neurons]."""
    samples, steps, _ = grad_stacked.shape
    blocks = grad_stacked.reshape(samples, steps, lags, -1)
    if lags == 1:
        return blocks[:, :, 0]
    grad = blocks[:, :, 0].clone()
    for lag in range(1, min(lags, steps)):
        grad[:, : steps - lag] += blocks[:, lag:, lag]
    return grad
