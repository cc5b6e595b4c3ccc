"""A bank of filters over time for each spike train, spike by spike: the cost follows the spikes."""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


_PARTS = 16
"""Parts of the samples whose sums are kept apart, so that threads can work on them; fixed, so that the result is always the same."""


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _forward(spikes: Floats, response: Floats, filtered: Floats) -> None:
    """Add each spike's response; [samples, steps, inputs], [inputs, lags * order] -> [samples, steps, inputs, order]."""
    samples, steps, inputs, order = filtered.shape
    for sample in numba.prange(samples):
        train = np.empty(steps * order, response.dtype)  # of one source; it stays in the first cache
        for source in range(inputs):
            train[:] = 0
            for step in range(steps):
                spike = spikes[sample, step, source]
                if spike != 0:
                    later, answer = train[step * order :], response[source]  # views, in which an index is never negative
                    for place in range(min(len(later), len(answer))):
                        later[place] += spike * answer[place]
            for step in range(steps):
                now = train[step * order :]
                for row in range(order):
                    filtered[sample, step, source, row] = now[row]


# Sums of a gradient may be added in any order, which lets the compiler use vector instructions.
@numba.njit(parallel=True, cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})  # type: ignore[untyped-decorator]
def _backward_spikes(grad: Floats, response: Floats, grad_spikes: Floats) -> None:
    """What each step's input contributes to all later outputs; shapes as in :func:`_forward`."""
    samples, steps, inputs, order = grad.shape
    for sample in numba.prange(samples):
        train = np.empty(steps * order, grad.dtype)
        for source in range(inputs):
            _gather(grad, sample, source, train)
            for step in range(steps):
                later, answer = train[step * order :], response[source]
                total = grad.dtype.type(0)
                for place in range(min(len(later), len(answer))):
                    total += later[place] * answer[place]
                grad_spikes[sample, step, source] = total


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _backward_response(grad: Floats, spikes: Floats, grad_response: Floats) -> None:
    """What each place of a response met, spike by spike, into [parts, inputs, lags * order], which is zero."""
    samples, steps, inputs, order = grad.shape
    parts = len(grad_response)
    for part in numba.prange(parts):
        train = np.empty(steps * order, grad.dtype)
        for sample in range(part, samples, parts):
            for source in range(inputs):
                _gather(grad, sample, source, train)
                for step in range(steps):
                    spike = spikes[sample, step, source]
                    if spike != 0:
                        later, total = train[step * order :], grad_response[part, source]
                        for place in range(min(len(later), len(total))):
                            total[place] += spike * later[place]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _gather(values: Floats, sample: int, source: int, train: Floats) -> None:
    """Copy what belongs to one source, [samples, steps, inputs, order] -> [steps * order]."""
    _, steps, _, order = values.shape
    for step in range(steps):
        now = train[step * order :]
        for row in range(order):
            now[row] = values[sample, step, source, row]


class Filter(torch.autograd.Function):
    """``y[t, i, o] = sum over lags l of weight[i, o, l] * spikes[t - l, i]``."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        """Filter each source.

        Args:
            ctx: of autograd.
            spikes: [samples, steps, inputs]; zeros cost nothing.
            weight: [inputs * order, lags].

        Returns:
            [samples, steps, inputs * order]; in float32 exact for integers below 2^24.
        """
        samples, steps, inputs = spikes.shape
        spikes = spikes.contiguous()
        blocks = weight.detach().reshape(inputs, -1, weight.shape[1])
        response = blocks.transpose(1, 2).flatten(1)  # the answer to a spike, step after step
        filtered = spikes.new_empty(samples, steps, inputs, blocks.shape[1])
        _forward(spikes.detach().numpy(), response.numpy(), filtered.numpy())
        ctx.save_for_backward(spikes, response)
        return filtered.flatten(2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of spikes and weight, where they are asked for."""
        spikes, response = ctx.saved_tensors
        of_spikes, of_weight = ctx.needs_input_grad
        blocks = grad.contiguous().reshape(*spikes.shape, -1)
        grad_spikes = grad_weight = None
        if of_spikes:
            grad_spikes = torch.empty_like(spikes)
            _backward_spikes(blocks.numpy(), response.numpy(), grad_spikes.numpy())
        if of_weight:
            parts = response.new_zeros(_PARTS, *response.shape)
            _backward_response(blocks.numpy(), spikes.numpy(), parts.numpy())
            order = blocks.shape[3]
            grad_weight = parts.sum(0).reshape(len(response), -1, order).transpose(1, 2).flatten(0, 1)
        return grad_spikes, grad_weight
