"""The one place where SLAYER is imported: its CUBA neuron and its quantiser."""

import contextlib
import io
from typing import ClassVar

from torch import Tensor, nn

from neuro_deploy.loihi import limits
from neuro_deploy.training import kernels
from neuro_deploy.training.kernels import Fire, NormaliseAndFire, Statistics

# Importing lava-dl prints that a toolbox for another camera and that CUDA are missing: neither is of interest here.
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    from lava.lib.dl.slayer.neuron import cuba
    from lava.lib.dl.slayer.utils.quantize import quantize

# The neuron's own multipliers of the two surrogate parameters, divided out so that ours mean what they say.
_WIDTH_UNIT = cuba.TAU_RHO_MULT
_HEIGHT_UNIT = cuba.SCALE_RHO_MULT

WEIGHT_SCALE = 64
"""SLAYER's unit: an input of 1.0 is the integer 64, so integers stay exact in float32."""

WEIGHT_MIN, WEIGHT_MAX = limits.WEIGHT_MIN_MIXED, limits.WEIGHT_MAX_MIXED
"""Range of the even weights of a synapse with mixed signs."""


class Neuron(cuba.Neuron):
    """SLAYER's CUBA neuron; on a CPU its forward and backward pass run in compiled loops with equal results.

    Attributes:
        compiled: False leaves everything to SLAYER's and torch's own code.
    """

    compiled: ClassVar[bool] = True

    def forward(self, values: Tensor, scaling: tuple[Tensor, Tensor] | None) -> Tensor:
        """Spikes float32 [samples, steps, neurons]; see :meth:`LIF.forward`."""
        if not compiled(values):
            current = values if scaling is None else values * scaling[0] + scaling[1]
            spikes: Tensor = super().forward(current.transpose(1, 2)).transpose(1, 2)  # SLAYER has the steps last
            return spikes
        neurons = values.shape[2]
        gain, shift = scaling or (values.new_ones(neurons), values.new_zeros(neurons))
        fast: Tensor = Fire.apply(values, gain, shift, self.numbers())  # type: ignore[no-untyped-call]
        return fast

    def numbers(self) -> kernels.Neuron:
        """What the compiled loops need of it."""
        width = self.tau_rho * _WIDTH_UNIT
        height = self.scale_rho * _HEIGHT_UNIT / (2 * width)
        return kernels.Neuron(int(self.voltage_decay), self.threshold + self.threshold_eps, width, height)


def compiled(values: Tensor) -> bool:
    """Whether the compiled kernels (:mod:`neuro_deploy.training.kernels`) compute with these values."""
    return Neuron.compiled and not values.is_cuda and kernels.work()


class LIF(nn.Module):
    """SLAYER's CUBA neuron with ``current_decay = 1``: no synaptic current memory, voltage decay as given.

    The threshold is an argument of the call, because it is the quantisation scale of the population that calls.

    Args:
        voltage_decay: ``vDecay``, of 4096.
        width: decay length of the surrogate gradient, in thresholds.
        height: surrogate gradient at the threshold, in spikes per threshold.
    """

    def __init__(self, voltage_decay: int, width: float, height: float) -> None:
        super().__init__()
        self.width = width
        # SLAYER's derivative is scale / (2 tau) exp(-|v - threshold| / tau) with tau = width * threshold.
        self.neuron = Neuron(
            threshold=1.0,
            current_decay=1.0,
            voltage_decay=voltage_decay / 4096,
            tau_grad=width / _WIDTH_UNIT,
            scale_grad=2 * width * height / _HEIGHT_UNIT,
            scale=WEIGHT_SCALE,
        )

    def forward(self, values: Tensor, threshold: float = 1.0, scaling: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Spikes of the neurons.

        Args:
            values: float32 [samples, steps, neurons], the current, where 1 is the integer 64.
            threshold: in the same unit; a multiple of 1/64.
            scaling: gain and shift, float32 [neurons], if the current is ``gain * values + shift`` instead.

        Returns:
            float32 [samples, steps, neurons] of 0 and 1.
        """
        self._set(threshold)
        spikes: Tensor = self.neuron(values, scaling)
        return spikes

    def normalised(self, values: Tensor, norm: nn.BatchNorm1d) -> tuple[Tensor, Statistics]:
        """Spikes of batch-normalised values at the threshold 1, in training and on compiled loops, and the batch's statistics."""
        self._set(1.0)
        arguments = (values, norm.weight, norm.bias, norm.eps, self.neuron.numbers())
        spikes, statistics = NormaliseAndFire.apply(*arguments)  # type: ignore[no-untyped-call]
        return spikes, statistics

    def _set(self, threshold: float) -> None:
        self.neuron._threshold = threshold
        self.neuron.tau_rho = self.width / _WIDTH_UNIT * threshold


def round_even(values: Tensor) -> Tensor:
    """SLAYER's quantiser with the step of mixed-sign synapses: even integers, halves to even multiples, straight-through gradient."""
    rounded: Tensor = quantize(values, step=2)
    return rounded


def quantise(weights: Tensor) -> Tensor:
    """Integers that one mixed-sign synapse holds: even, -256 to 254, straight-through gradient inside that range."""
    return round_even(weights).clamp(WEIGHT_MIN, WEIGHT_MAX)
