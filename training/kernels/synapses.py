"""A linear map over time of spikes, spike by spike: the cost of the product and of its weights' gradient follows the spikes.

One neuron in ten fires in a step, so nine tenths of a matrix product with spikes add zeros. Here both the product and the gradient are
sums of some rows of a table: of the weights of those neurons that fired, and of the gradients at those steps at which a neuron fired.
The gradient of the spikes has no zeros, so it stays a matrix product.

Forward and backward together are 1.6 to 2.1 times as fast as matrix products at a firing rate of 5 to 10 %, as fast near 45 %, and 0.7
times as fast where every neuron fires at each step (two cores of an AMD EPYC).
"""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro_deploy.compiling import compiled
from neuro_deploy.training.kernels.filter import PARTS
from neuro_deploy.training.kernels.lags import unstack

Floats = NDArray[np.float32]
Indices = NDArray[np.uint32]

# Indices are unsigned: one that may be negative costs a loop its vector instructions.
_U1, _U2, _U3, _U4, _U5, _U6, _U7, _U8 = (np.uint64(number) for number in range(1, 9))


@compiled(parallel=True)
def _forward(spikes: Floats, weight: Floats, fired: Indices, begin: Indices, result: Floats) -> None:
    """Sum the weights of what fires now and what fired up to ``lags - 1`` steps back.

    Args:
        spikes: [samples, steps, inputs].
        weight: [lags * inputs, outputs].
        fired: to write, the neurons that fire, step after step, [samples, steps * inputs + 1].
        begin: to write, where each step begins among these, [samples, steps + 1].
        result: to write, [samples, steps, outputs].
    """
    samples, steps, inputs = spikes.shape
    lags = np.uint64(len(weight) // inputs)
    for sample in numba.prange(samples):
        rows = np.empty(len(weight), np.uint64)
        place = np.uint64(0)
        for step in range(np.uint64(steps)):
            begin[sample, step] = place
            for neuron in range(np.uint64(inputs)):
                fired[sample, place] = neuron  # the next one overwrites a silent one
                place += np.uint64(spikes[sample, step, neuron] != 0)
            begin[sample, step + _U1] = place
            count = np.uint64(0)
            for lag in range(min(lags, step + _U1)):
                for past in range(begin[sample, step - lag], begin[sample, step - lag + _U1]):
                    rows[count] = lag * np.uint64(inputs) + fired[sample, past]
                    count += _U1
            result[sample, step] = 0
            _add_rows(weight, rows, count, result[sample, step])


@compiled(parallel=True)
def _backward(fired: Indices, begin: Indices, grad: Floats, grad_weight: Floats) -> None:
    """Write the sums of the gradients [samples, steps, outputs] that followed each neuron's spikes, [parts, lags * inputs, outputs]."""
    samples, steps, _ = grad.shape
    parts, places, _ = grad_weight.shape
    inputs = np.uint64((fired.shape[1] - 1) // steps)
    lags = np.uint64(places) // inputs
    for part in numba.prange(parts):
        grad_weight[part] = 0
        when = np.empty((inputs, np.uint64(steps)), np.uint64)
        counts = np.empty(inputs, np.uint64)
        for sample in range(part, samples, parts):
            counts[:] = 0
            for step in range(np.uint64(steps)):
                for place in range(begin[sample, step], begin[sample, step + _U1]):
                    source = fired[sample, place]
                    when[source, counts[source]] = step
                    counts[source] += _U1
            for neuron in range(inputs):
                count = counts[neuron]
                for lag in range(min(lags, np.uint64(steps))):
                    while count > 0 and when[neuron, count - _U1] + lag >= np.uint64(steps):  # its answer comes after the end
                        count -= _U1
                    _add_rows(grad[sample, lag:], when[neuron], count, grad_weight[part, lag * inputs + neuron])


@compiled()
def _add_rows(table: Floats, rows: NDArray[np.uint64], count: int, total: Floats) -> None:
    """Add ``table[row]`` for the first ``count`` rows, eight at a time, so that the total is fetched and stored less often."""
    width = np.uint64(len(total))
    at = np.uint64(0)
    while at + _U8 <= count:
        a, b, c, d = rows[at], rows[at + _U1], rows[at + _U2], rows[at + _U3]
        e, f, g, h = rows[at + _U4], rows[at + _U5], rows[at + _U6], rows[at + _U7]
        for i in range(width):
            left = (table[a, i] + table[b, i]) + (table[c, i] + table[d, i])
            total[i] += left + ((table[e, i] + table[f, i]) + (table[g, i] + table[h, i]))
        at += _U8
    if at + _U4 <= count:
        a, b, c, d = rows[at], rows[at + _U1], rows[at + _U2], rows[at + _U3]
        for i in range(width):
            total[i] += (table[a, i] + table[b, i]) + (table[c, i] + table[d, i])
        at += _U4
    if at + _U2 <= count:
        a, b = rows[at], rows[at + _U1]
        for i in range(width):
            total[i] += table[a, i] + table[b, i]
        at += _U2
    if at < count:
        a = rows[at]
        for i in range(width):
            total[i] += table[a, i]


class Synapses(torch.autograd.Function):
    """``y[t] = sum over lags l of weight[:, l] @ spikes[t - l]``."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        """Sum the weights of what fires.

        Args:
            ctx: of autograd.
            spikes: [samples, steps, inputs] of 0 and 1.
            weight: [outputs, lags * inputs], the present first.

        Returns:
            [samples, steps, outputs]; in float32 exact for integers below 2^24.
        """
        samples, steps, inputs = spikes.shape
        fired = np.empty((samples, steps * inputs + 1), np.uint32)
        begin = np.empty((samples, steps + 1), np.uint32)
        result = spikes.new_empty(samples, steps, len(weight))
        arrays = [tensor.detach().contiguous().numpy() for tensor in (spikes, weight.t())]
        _forward(*arrays, fired, begin, result.numpy())
        ctx.save_for_backward(weight)
        ctx.fired, ctx.begin = fired, begin
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of spikes and weight, where they are asked for."""
        (weight,) = ctx.saved_tensors
        of_spikes, of_weight = ctx.needs_input_grad
        grad = grad.contiguous()
        inputs = (ctx.fired.shape[1] - 1) // grad.shape[1]
        grad_spikes = unstack(grad @ weight, weight.shape[1] // inputs) if of_spikes else None
        grad_weight = None
        if of_weight:
            parts = weight.new_empty(min(PARTS, len(grad)), *weight.t().shape)
            _backward(ctx.fired, ctx.begin, grad.numpy(), parts.numpy())
            grad_weight = parts.sum(0).t()
        return grad_spikes, grad_weight
