"""What one step of a layer computes: integer arithmetic of a CUBA LIF neuron, the one truth of this project.

Everything here equals Lava's ``PyLifModelBitAcc`` behind its ``PyDenseModelBitAcc`` (lava-nc 0.10.0,
``lava/proc/lif/models.py`` and ``lava/proc/dense/models.py``) bit for bit, as long as ``decay(u, current_decay) + (a << 6)``
fits Lava's int32. Per neuron and step ::

    a = weight @ spikes of the layer before, one step ago  +  weight_rec @ own spikes, one step ago
    u = wrap(decay(u, current_decay) + (a << 6))
    v = clip(decay(v, voltage_decay) + u + (bias << 6))
    s = v > (threshold << 6)                                strictly; then v = 0 where s

Lava declares the LIF's input ``a`` as 16 bit and does not cut it: its channels carry int32 (measured: 200 synapses of weight
254 act with their whole sum of 50,800).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer

FRACTION_BITS = 6
"""Weights, biases and thresholds count in units of 2**6 of the voltage."""

DECAY_BITS = 12
"""A decay of ``2**12`` forgets everything in one step."""

STATE_LIMIT = 1 << 23
"""``u`` and ``v`` are 24-bit signed numbers."""

Integers = NDArray[np.int64]


def decay(state: Integers, rate: int) -> Integers:
    """Leak: what is left of a state after one step, ``sign(z) * ((abs(z) * (4096 - rate)) >> 12)``.

    Args:
        state: int64, any shape.
        rate: the chip's decay, 0 (keeps everything) to 4096 (forgets everything).

    Returns:
        int64 of the same shape, truncated toward zero.
    """
    product = state * ((1 << DECAY_BITS) - rate)
    # An arithmetic shift rounds down; adding 4095 to the negative ones first makes that "toward zero" in one pass.
    result: Integers = (product + ((product >> 63) & ((1 << DECAY_BITS) - 1))) >> DECAY_BITS
    return result


def wrap(current: Integers) -> Integers:
    """Bring a current into ``(-2**23, 2**23]`` as Lava does.

    This is not two's complement: ``2**23`` itself is kept, ``-2**23`` becomes ``2**23``, and only one period is removed, so
    that a current beyond ``3 * 2**23`` stays outside. The rules refuse networks that can get here.

    Args:
        current: int64, any shape.
    """
    wrapped = np.where(current > STATE_LIMIT, current - 2 * STATE_LIMIT, current)
    # Lava adds the period to the unwrapped value here; the two agree because a value that was lowered is above -2**23.
    result: Integers = np.where(wrapped <= -STATE_LIMIT, current + 2 * STATE_LIMIT, wrapped)
    return result


def clip(voltage: Integers) -> Integers:
    """Saturate a voltage at ``+-(2**23 - 1)``.

    Args:
        voltage: int64, any shape.
    """
    result: Integers = np.clip(voltage, 1 - STATE_LIMIT, STATE_LIMIT - 1)
    return result


def lif_step(
    u: Integers,
    v: Integers,
    a: Integers,
    *,
    current_decay: int,
    voltage_decay: int,
    threshold: int,
    bias: Integers | None = None,
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """One step of LIF neurons.

    Args:
        u: int64 [..., neurons], synaptic current.
        v: int64 [..., neurons], membrane voltage.
        a: int64 [..., neurons], sum of the weights of the synapses that were active.
        current_decay: ``iDecay``, 1 to 4096.
        voltage_decay: ``vDecay``, 0 to 4095.
        threshold: ``vThMant``.
        bias: int64 [neurons] or None.

    Returns:
        ``(u, v, spikes)`` after the step; the arguments are not changed.
    """
    u = wrap(decay(u, current_decay) + (a << FRACTION_BITS))
    drive = u if bias is None else u + (bias << FRACTION_BITS)
    v = clip(decay(v, voltage_decay) + drive)
    spikes = v > (threshold << FRACTION_BITS)
    return u, np.where(spikes, 0, v), spikes


def accumulate(weight: Integers, spikes: NDArray[np.generic]) -> Integers:
    """``weight @ spikes`` for many spike vectors in one BLAS product, exactly.

    All summands are integers, so a floating-point sum has no rounding while every partial sum, in whatever order BLAS takes
    them, stays within the mantissa: below ``2**24`` in float32, below ``2**53`` in float64. The sum of magnitudes bounds them.

    Args:
        weight: int64 [targets, sources].
        spikes: non-negative integers [..., sources].

    Returns:
        int64 [..., targets].
    """
    largest = int(spikes.max(initial=0)) * int(np.abs(weight).sum(axis=1).max(initial=0))
    exact = np.float32 if largest < 1 << 24 else np.float64
    rows = spikes.reshape(-1, spikes.shape[-1]).astype(exact)
    sums: Integers = (rows @ weight.T.astype(exact)).astype(np.int64)
    return sums.reshape(*spikes.shape[:-1], weight.shape[0])


@dataclass(frozen=True)
class LayerRun:
    """What a layer did.

    Attributes:
        spikes: uint8 [samples, steps, neurons].
        u: int64 [samples, neurons], current after the last step.
        v: int64 [samples, neurons], voltage after the last step.
        voltages: int64 [samples, steps, neurons] after each step (and its resets), or None when not asked for.
    """

    spikes: NDArray[np.uint8]
    u: Integers
    v: Integers
    voltages: Integers | None


def run_layer(layer: Layer, source: NDArray[np.generic], *, keep_voltages: bool = False) -> LayerRun:
    """Run one layer from rest.

    A synapse passes on what reached it one step before: ``source`` of step ``t`` acts at step ``t + 1``, and step 0 sees nothing.

    Args:
        layer: its weights and neuron parameters.
        source: non-negative integers [samples, steps, neurons of the layer before or input channels].
        keep_voltages: whether to record the voltage of every step.

    Returns:
        The layer's spikes and states.
    """
    samples, steps = source.shape[:2]
    a = np.zeros((samples, steps, layer.size), np.int64)
    # What comes from outside does not depend on the layer's state: all steps in one product.
    a[:, 1:] = accumulate(layer.weight, source[:, :-1])
    recurrent = None if layer.weight_rec is None else _Recurrence(layer.weight_rec)
    u = np.zeros((samples, layer.size), np.int64)
    v = np.zeros_like(u)
    spikes = np.zeros((samples, steps, layer.size), np.uint8)
    voltages = np.zeros((samples, steps, layer.size), np.int64) if keep_voltages else None
    for step in range(steps):
        if recurrent is not None and step > 0:
            recurrent.add_to(a[:, step], spikes[:, step - 1])
        u, v, fired = _layer_step(layer, u, v, a[:, step])
        spikes[:, step] = fired
        if voltages is not None:
            voltages[:, step] = v
    return LayerRun(spikes, u, v, voltages)


def _layer_step(layer: Layer, u: Integers, v: Integers, a: Integers) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """:func:`lif_step` with a layer's parameters."""
    return lif_step(
        u,
        v,
        a,
        current_decay=layer.current_decay,
        voltage_decay=layer.voltage_decay,
        threshold=layer.threshold,
        bias=layer.bias,
    )


def run_chain(chain: Chain, injected: NDArray[np.generic]) -> Iterator[LayerRun]:
    """Run all layers from rest, one after the other.

    Args:
        chain: the network.
        injected: non-negative integers [samples, steps, input channels], see :func:`neuro_deploy.ir.inputs.inject`.

    Yields:
        One :class:`LayerRun` for each layer, first to last; the last has its voltages.
    """
    source: NDArray[np.generic] = injected
    for index, layer in enumerate(chain.layers):
        run = run_layer(layer, source, keep_voltages=index == len(chain.layers) - 1)
        yield run
        source = run.spikes


def settle_steps(voltage_decay: int) -> int:
    """Silent steps after which any 24-bit voltage is exactly zero.

    :func:`decay` never grows with a smaller magnitude and is symmetric, so the largest voltage takes longest.

    Args:
        voltage_decay: ``vDecay``, 1 to 4096.

    Raises:
        RuleError: the voltage never leaks.
    """
    if voltage_decay < 1:
        raise RuleError(f"a voltage decay of {voltage_decay} never lets the voltage return to zero: use 1 to 4095")
    voltage = np.array([STATE_LIMIT - 1])
    steps = 0
    while voltage[0] > 0:
        voltage = decay(voltage, voltage_decay)
        steps += 1
    return steps


class _Recurrence:
    """``weight_rec @ spikes``, step by step; most rows of a delay line have one synapse and need no product."""

    def __init__(self, weight: Integers) -> None:
        synapses = np.count_nonzero(weight, axis=1)
        self._single = np.flatnonzero(synapses == 1)
        self._sources = np.abs(weight[self._single]).argmax(axis=1)
        self._factors = weight[self._single, self._sources]
        self._many = np.flatnonzero(synapses > 1)
        self._weight = weight[self._many]

    def add_to(self, a: Integers, spikes: NDArray[np.uint8]) -> None:
        """Add what the spikes of the step before cause, int64 [samples, neurons], in place."""
        a[:, self._single] += self._factors * spikes[:, self._sources]
        if self._many.size:
            a[:, self._many] += accumulate(self._weight, spikes)
