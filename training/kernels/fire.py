"""SLAYER's CUBA neuron without synaptic current memory, on an affinely scaled input, as two loops over time, forward and backward.

SLAYER runs on a CPU as a Python loop over time, twice (current and voltage), and passes over the whole tensor five more times for the
spikes and their gradient. Here a neuron's whole sequence stays in the processor's first cache, forward and backward.

The forward pass is bit for bit SLAYER's; its source, lava-dl 0.6.0 ``neuron/dynamics/leaky_integrator.py`` and ``spike/spike.py``, is
the specification.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro_deploy.compiling import compiled
from neuro_deploy.training.kernels.affine import Statistics

Floats = NDArray[np.float32]

STATE_SCALE = 4096
"""States are integers in units of 1/4096, which is 1/64 of a weight's unit."""

_NARROW = 2.0**31
"""States below it are computed in 32 bits, eight at once; larger ones in 64."""

_SCALE, _UNIT, _ONE, _ZERO, _HALF = (np.float32(number) for number in (STATE_SCALE, 1 / STATE_SCALE, 1, 0, 0.5))
# exp as in S. Moshier's Cephes 2.2, single/expf.c: a multiple of ln 2 is taken off, in two parts, the first with so few digits that its
# products are exact; a minimax polynomial does the rest. Relative error below 2e-7.
_LOG2_E, _LN2_HIGH, _LN2_LOW = (np.float32(number) for number in (1.44269504088896341, 0.693359375, -2.12194440e-4))
_LEAST = np.float32(-40)  # exp(-40) is 4e-18: a surrogate below it is zero, before products become subnormal, which are slow
_EXPONENT_BIAS, _MANTISSA_BITS = np.int32(127), np.int32(23)
_C7, _C6, _C5, _C4, _C3, _C2 = (
    np.float32(number)
    for number in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)


@compiled(parallel=True)
def _forward(
    values: Floats, gain: Floats, shift: Floats, keep: float, limit: int, kind: type, voltage: Floats, spikes: Floats
) -> Floats:
    """All [samples, steps, neurons]: integrate, record the voltage before its reset and the spikes.

    Args:
        values: the input, which is scaled to a current.
        gain: of each neuron.
        shift: of each neuron.
        keep: of the voltage in one step; a float64, so that its product with a state below 2^41 is exact.
        limit: the state that fires.
        kind: integer type of the states.
        voltage: to write.
        spikes: to write.

    Returns:
        The largest absolute current of each neuron, [samples, neurons].
    """
    samples, steps, neurons = values.shape
    largest = np.zeros((samples, neurons), np.float32)
    for sample in numba.prange(samples):
        state: NDArray[Any] = np.zeros(neurons, kind)
        for step in range(steps):
            for neuron in range(neurons):
                current = values[sample, step, neuron] * gain[neuron] + shift[neuron]
                largest[sample, neuron] = max(largest[sample, neuron], abs(current))
                # A conversion to integers rounds toward zero, as the chip does.
                value = kind(np.float64(state[neuron]) * keep) + kind(current * _SCALE)
                fires = value >= limit
                voltage[sample, step, neuron] = np.float32(value) * _UNIT
                spikes[sample, step, neuron] = _ONE if fires else _ZERO
                state[neuron] = kind(0) if fires else value
    return largest


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _exp(exponent: np.float32) -> np.float32:
    """The exponential of a number of at most 0; unlike a library's, a compiler can run it on eight numbers at once."""
    exponent = max(exponent, _LEAST)
    power = np.floor(exponent * _LOG2_E + _HALF)
    rest = exponent - power * _LN2_HIGH - power * _LN2_LOW
    series = ((((_C7 * rest + _C6) * rest + _C5) * rest + _C4) * rest + _C3) * rest + _C2
    bits = (np.int32(power) + _EXPONENT_BIAS) << _MANTISSA_BITS
    result: np.float32 = (series * rest * rest + rest + _ONE) * np.int32(bits).view(np.float32)
    return result


@compiled(parallel=True, error_model="numpy")
def _backward(
    grad_spikes: Floats,
    values: Floats,
    gain: Floats,
    voltage: Floats,
    keep: np.float32,
    threshold: np.float32,
    width: np.float32,
    height: np.float32,
    grad: Floats,
    grad_gain: Floats,
    grad_shift: Floats,
) -> None:
    """With the current's gradient ``c[t] = keep * c[t+1] + height * exp(-|v[t] - threshold| / width) * grad_spikes[t]``.

    Writes ``gain * c`` to ``grad`` [samples, steps, neurons], and adds each sample's sums over time of ``c * values`` and ``c`` to
    ``grad_gain`` and ``grad_shift`` [samples, neurons].
    """
    samples, steps, neurons = voltage.shape
    for sample in numba.prange(samples):
        for step in range(steps):  # in the order of memory, which fetches it ahead; the way back finds it in the cache
            for neuron in range(neurons):
                exponent = -abs(voltage[sample, step, neuron] - threshold) / width
                surrogate = height * _exp(exponent) * grad_spikes[sample, step, neuron]
                grad[sample, step, neuron] = surrogate if exponent > _LEAST else _ZERO
        total = np.zeros(neurons, np.float32)
        for step in range(steps - 1, -1, -1):
            for neuron in range(neurons):
                total[neuron] = keep * total[neuron] + grad[sample, step, neuron]
                grad[sample, step, neuron] = total[neuron] * gain[neuron]
                grad_gain[sample, neuron] += total[neuron] * values[sample, step, neuron]
                grad_shift[sample, neuron] += total[neuron]


@dataclass(frozen=True)
class Neuron:
    """SLAYER's neuron in numbers.

    Attributes:
        decay: voltage decay, of 4096.
        threshold: in the current's unit, with what SLAYER adds so that its ``>=`` is the chip's ``>``.
        width: decay length of the surrogate gradient, in the current's unit.
        height: surrogate gradient at the threshold.
    """

    decay: int
    threshold: float
    width: float
    height: float

    @property
    def keep(self) -> float:
        """Share of the voltage that a step leaves."""
        return 1 - self.decay / 4096

    def forward(self, values: Floats, gain: Floats, shift: Floats) -> tuple[Floats, Floats]:
        """Spikes and voltages before the reset, of currents ``gain * values + shift``; all [samples, steps, neurons]."""
        voltage, spikes = (torch.empty(values.shape).numpy() for _ in range(2))  # torch's memory is used again
        limit = math.ceil(self.threshold * STATE_SCALE)

        def run(kind: type) -> Floats:
            largest: Floats = _forward(values, gain, shift, self.keep, kind(limit), kind, voltage, spikes)
            return largest

        largest = float(run(np.int32).max(initial=0.0))
        if largest * STATE_SCALE * min(values.shape[1], 4096 / self.decay) >= _NARROW:  # a state may have left 32 bits
            run(np.int64)
        return spikes, voltage

    def backward(self, grad_spikes: Floats, values: Floats, gain: Floats, voltage: Floats) -> tuple[Floats, Floats, Floats]:
        """Gradients of values [samples, steps, neurons], of gain and of shift [neurons]."""
        grad = torch.empty(values.shape).numpy()
        sums = np.zeros((2, values.shape[0], values.shape[2]), np.float32)
        numbers = (np.float32(number) for number in (self.keep, self.threshold, self.width, self.height))
        _backward(grad_spikes, values, gain, voltage, *numbers, grad, *sums)
        return grad, *sums.sum(1)


class Fire(torch.autograd.Function):
    """Spikes of LIF neurons on ``gain * values + shift``, with SLAYER's surrogate gradient, which ignores resets."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, gain: Tensor, shift: Tensor, neuron: Neuron) -> Tensor:
        """Integrate and fire.

        Args:
            ctx: of autograd.
            values: float32 [samples, steps, neurons].
            gain: float32 [neurons].
            shift: float32 [neurons].
            neuron: how it leaks and fires.

        Returns:
            float32 of the same shape, 0 and 1.
        """
        values, gain = values.contiguous(), gain.contiguous()
        spikes, voltage = neuron.forward(*(tensor.detach().numpy() for tensor in (values, gain, shift.contiguous())))
        ctx.save_for_backward(values, gain)
        ctx.neuron, ctx.voltage = neuron, voltage
        return torch.from_numpy(spikes)

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of values, gain and shift."""
        values, gain = ctx.saved_tensors
        grads = ctx.neuron.backward(grad_spikes.contiguous().numpy(), values.numpy(), gain.numpy(), ctx.voltage)
        return *(torch.from_numpy(grad) for grad in grads), None


class NormaliseAndFire(torch.autograd.Function):
    """:class:`Fire` on batch-normalised values: what Affine and Fire give together, with one pass less over the gradient."""

    @staticmethod
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, epsilon: float, neuron: Neuron
    ) -> tuple[Tensor, Statistics]:
        """Take the statistics, integrate and fire; arguments as in :class:`Affine` and :class:`Fire`."""
        values = values.contiguous()
        array = values.detach().numpy()
        statistics = Statistics.of(array, weight.detach().numpy(), bias.detach().numpy(), epsilon)
        spikes, voltage = neuron.forward(array, statistics.gain, statistics.shift)
        ctx.save_for_backward(values, weight)
        ctx.neuron, ctx.statistics, ctx.voltage = neuron, statistics, voltage
        return torch.from_numpy(spikes), statistics

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor, _: None) -> tuple[Tensor | None, ...]:
        """The gradients of values, weight and bias."""
        values, weight = (tensor.numpy() for tensor in ctx.saved_tensors)
        statistics: Statistics = ctx.statistics
        grad, of_gain, of_shift = ctx.neuron.backward(grad_spikes.contiguous().numpy(), values, statistics.gain, ctx.voltage)
        grads = grad, *statistics.backward(values, weight, of_gain, of_shift, grad)
        return *(torch.from_numpy(grad) for grad in grads), None, None
