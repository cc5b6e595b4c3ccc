"""A bank of filters over time for each spike train, spike by spike: the cost follows the spikes."""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro_deploy.compiling import compiled

Floats = NDArray[np.float32]


PARTS = 16
"""Parts of the samples whose sums are kept apart, so that threads can work on them; as many for any number of threads, so that no
result depends on it."""


@compiled(parallel=True)
def _forward(spikes: Floats, response: Floats, filtered: Floats) -> None:
    """Add each spike's response; [samples, steps, inputs], [inputs, lags * order] -> [samples, steps, inputs, order]."""
    samples, steps, inputs, order = filtered.shape
    for sample in numba.prange(samples):
        row = np.empty(steps * order, response.dtype)  # the outputs of one source, step after step; it stays in the first cache
        for source in range(inputs):
            for place in range(steps * order):
                row[place] = 0
            for step in range(steps):
                spike = spikes[sample, step, source]
                if spike != 0:
                    _add(spike, response[source], row, np.uint64(step * order))
            for step in range(steps):
                for output in range(order):
                    filtered[sample, step, source, output] = row[step * order + output]


@compiled(parallel=True)
def _backward_spikes(grad: Floats, response: Floats, grad_spikes: Floats) -> None:
    """What each step's input contributes to all later outputs; shapes as in :func:`_forward`."""
    samples, steps, inputs, order = grad.shape
    for sample in numba.prange(samples):
        row = np.empty(steps * order, grad.dtype)
        for source in range(inputs):
            _gather(grad, sample, source, row)
            for step in range(steps):
                grad_spikes[sample, step, source] = _correlate(response[source], row, np.uint64(step * order))


@compiled(parallel=True)
def _backward_response(grad: Floats, spikes: Floats, grad_response: Floats) -> None:
    """What each place of a response met, spike by spike, into [parts, inputs, lags * order], which is zero."""
    samples, steps, inputs, order = grad.shape
    parts = len(grad_response)
    for part in numba.prange(parts):
        row = np.empty(steps * order, grad.dtype)
        for sample in range(part, samples, parts):
            for source in range(inputs):
                _gather(grad, sample, source, row)
                for step in range(steps):
                    spike = spikes[sample, step, source]
                    if spike != 0:
                        _collect(spike, row, np.uint64(step * order), grad_response[part, source])


@compiled()
def _gather(values: Floats, sample: int, source: int, row: Floats) -> None:
    """Copy what belongs to one source, [samples, steps, inputs, order] -> [steps * order]."""
    _, steps, _, order = values.shape
    for step in range(steps):
        for output in range(order):
            row[step * order + output] = values[sample, step, source, output]


# The three loops in which the time goes. Their index is unsigned: one that may be negative costs them the vector instructions.


@compiled()
def _add(spike: float, response: Floats, row: Floats, begin: int) -> None:
    for place in range(min(np.uint64(len(response)), np.uint64(len(row)) - begin)):
        row[begin + place] += spike * response[place]


@compiled()
def _collect(spike: float, row: Floats, begin: int, grad_response: Floats) -> None:
    for place in range(min(np.uint64(len(grad_response)), np.uint64(len(row)) - begin)):
        grad_response[place] += spike * row[begin + place]


# The sum may be taken in any order: it is a gradient, not a spike.
@compiled(fastmath={"reassoc", "contract", "nsz"})
def _correlate(response: Floats, row: Floats, begin: int) -> np.float32:
    total = row.dtype.type(0)
    for place in range(min(np.uint64(len(response)), np.uint64(len(row)) - begin)):
        total += response[place] * row[begin + place]
    return total


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
            parts = response.new_zeros(PARTS, *response.shape)
            _backward_response(blocks.numpy(), spikes.numpy(), parts.numpy())
            order = blocks.shape[3]
            grad_weight = parts.sum(0).reshape(len(response), -1, order).transpose(1, 2).flatten(0, 1)
        return grad_spikes, grad_weight
