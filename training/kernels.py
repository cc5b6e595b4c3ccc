"""SLAYER's CUBA neuron without synaptic current memory as two compiled loops, one over the steps and one back.

SLAYER runs on a CPU as a Python loop over time, twice (current and voltage), and passes over the whole tensor five more times for the
spikes and their gradient. Here a neuron's whole sequence stays in the processor's first cache, forward and backward.

The forward pass is bit for bit SLAYER's; its source, lava-dl 0.6.0 ``neuron/dynamics/leaky_integrator.py`` and ``spike/spike.py``, is
the specification. Numba, and not a C++ extension: its compiler comes in the package, so that a user needs none.
"""

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]

STATE_SCALE = 4096
"""States are integers in units of 1/4096, which is 1/64 of a weight's unit."""


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _forward(current: Floats, keep: int, limit: int, voltage: Floats, spikes: Floats) -> None:
    """All [samples, steps, neurons]: integrate the current, record the voltage before its reset, and the spikes."""
    scale = np.float32(STATE_SCALE)
    samples, steps, neurons = current.shape
    for sample in numba.prange(samples):
        state = np.zeros(neurons, np.int64)
        for step in range(steps):
            for neuron in range(neurons):
                product = state[neuron] * keep
                # An arithmetic shift rounds down; adding 4095 to negative numbers first makes that "toward zero".
                value = ((product + ((product >> 63) & 4095)) >> 12) + np.int64(current[sample, step, neuron] * scale)
                fires = value >= limit
                voltage[sample, step, neuron] = np.float32(value) / scale
                spikes[sample, step, neuron] = fires
                state[neuron] = 0 if fires else value


@numba.njit(parallel=True, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _backward(
    grad_spikes: Floats,
    voltage: Floats,
    keep: np.float32,
    threshold: np.float32,
    width: np.float32,
    height: np.float32,
    grad: Floats,
) -> None:
    """All [samples, steps, neurons]: ``grad[t] = keep * grad[t+1] + height * exp(-|v[t] - threshold| / width) * grad_spikes[t]``."""
    samples, steps, neurons = voltage.shape
    for sample in numba.prange(samples):
        total = np.zeros(neurons, np.float32)
        for step in range(steps - 1, -1, -1):
            for neuron in range(neurons):
                surrogate = height * np.exp(-np.abs(voltage[sample, step, neuron] - threshold) / width)
                total[neuron] = keep * total[neuron] + surrogate * grad_spikes[sample, step, neuron]
                grad[sample, step, neuron] = total[neuron]


class CubaSpikes(torch.autograd.Function):
    """Spikes of LIF neurons with SLAYER's surrogate gradient, which ignores resets."""

    @staticmethod
    def forward(ctx: Any, current: Tensor, decay: int, threshold: float, epsilon: float, width: float, height: float) -> Tensor:
        """Integrate and fire.

        Args:
            ctx: of autograd.
            current: float32 [samples, steps, neurons].
            decay: voltage decay, of 4096.
            threshold: in the current's unit.
            epsilon: what SLAYER adds to the threshold, so that its ``>=`` is the chip's ``>``.
            width: decay length of the surrogate gradient, in the current's unit.
            height: surrogate gradient at the threshold.

        Returns:
            float32 of the same shape, 0 and 1.
        """
        current = current.contiguous()
        voltage, spikes = torch.empty_like(current), torch.empty_like(current)
        limit = int(np.ceil((threshold + epsilon) * STATE_SCALE))
        _forward(current.detach().numpy(), 4096 - decay, limit, voltage.numpy(), spikes.numpy())
        ctx.save_for_backward(voltage)
        ctx.parameters = (1 - decay / 4096, threshold + epsilon, width, height)
        return spikes

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the current; nothing else is learned."""
        (voltage,) = ctx.saved_tensors
        grad = torch.empty_like(voltage)
        parameters = (np.float32(parameter) for parameter in ctx.parameters)
        _backward(grad_spikes.contiguous().numpy(), voltage.numpy(), *parameters, grad.numpy())
        return grad, None, None, None, None, None


class StackLags(torch.autograd.Function):
    """[samples, steps, neurons] -> [samples, steps, lags * neurons]: each step beside its past, zeros before the start."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, lags: int) -> Tensor:
        """Copy, one block of neurons for each lag, the present first."""
        samples, steps, neurons = spikes.shape
        ctx.lags = lags
        stacked = spikes.new_zeros(samples, steps, lags, neurons)
        for lag in range(min(lags, steps)):
            stacked[:, lag:, lag] = spikes[:, : steps - lag]
        return stacked.flatten(2)

    @staticmethod
    def backward(ctx: Any, grad_stacked: Tensor) -> tuple[Tensor, None]:
        """Sum what each step received from its later readers."""
        samples, steps, _ = grad_stacked.shape
        blocks = grad_stacked.reshape(samples, steps, ctx.lags, -1)
        grad = blocks[:, :, 0].clone()
        for lag in range(1, min(ctx.lags, steps)):
            grad[:, : steps - lag] += blocks[:, lag:, lag]
        return grad, None
