"""What one step of a layer computes: integer arithmetic, the one truth of this project.

The LIF neuron here equals Lava's ``PyLifModelBitAcc`` behind its ``PyDenseModelBitAcc`` (lava-nc 0.10.0,
``lava/proc/lif/models.py`` and ``lava/proc/dense/models.py``) bit for bit, as long as ``decay(u, current_decay) + (a << 6)``
fits Lava's int32. Per neuron and step ::

    a = weight @ spikes of the layer before, one step ago  +  weight_rec @ own spikes, one step ago
    u = wrap(decay(u, current_decay) + (a << 6))
    v = clip(decay(v, voltage_decay) + u + (bias << 6))
    s = v > (threshold << 6)                                strictly; then v = 0 where s

Sigma-delta neurons are those of ``lava/proc/sdn/models.py``, convolutions those of ``lava/proc/conv/models.py``.

Lava declares the LIF's input ``a`` as 16 bit and does not cut it: its channels carry int32 (measured: 200 synapses of weight
254 act with their whole sum of 50,800).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.neurons import Lif, OfAll, Sigma, SigmaDelta
from neuro_deploy.ir.synapses import Connection, Integers, Kernel, accumulate, apply

FRACTION_BITS = 6
"""Weights, biases and thresholds count in units of 2**6 of the voltage."""

DECAY_BITS = 12
"""A decay of ``2**12`` forgets everything in one step."""

STATE_LIMIT = 1 << 23
"""``u`` and ``v`` are 24-bit signed numbers."""


def decay(state: Integers, rate: OfAll) -> Integers:
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
    current_decay: OfAll,
    voltage_decay: OfAll,
    threshold: OfAll,
    bias: Integers | None = None,
) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """One step of LIF neurons.

    Args:
        u: int64 [..., neurons], synaptic current.
        v: int64 [..., neurons], membrane voltage.
        a: int64 [..., neurons], sum of the weights of the synapses that were active.
        current_decay: ``iDecay``, 0 to 4096; this and the next two one for all, or int64 [neurons].
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


@dataclass(frozen=True)
class LayerRun:
    """What a layer did.

    Attributes:
        sent: [samples, steps, neurons], spikes as uint8 or graded messages as int32, see :func:`sent_type`.
        states: int64 [samples, neurons] by name, after the last step: ``u`` and ``v`` of LIF neurons; ``sigma``, ``act`` and
            ``residue`` of others.
        voltages: int64 [samples, steps, neurons] after each step (and its resets), of graded neurons what they sent; None when not
            asked for.
    """

    sent: NDArray[np.generic]
    states: dict[str, Integers]
    voltages: Integers | None


def sent_type(layer: Layer) -> "np.dtype[Any]":
    """Of what a layer's neurons send."""
    return np.dtype(np.int32 if layer.graded else np.uint8)


def run_layer(
    layer: Layer, source: NDArray[np.generic], *, keep_voltages: bool = False, after_graded: bool = False
) -> LayerRun:
    """Run one layer from rest.

    A synapse without a delay passes on what reached it one step before: ``source`` of step ``t`` acts at step ``t + 1``, and step 0
    sees nothing. Neurons without synapses see the source at its own step.

    Args:
        layer: its synapses and neurons.
        source: integers [samples, steps, neurons of the layer before or input channels].
        keep_voltages: whether to record the voltage of every step.
        after_graded: whether the source is a layer whose neurons send values, which may be large.

    Returns:
        What the layer sent, and its states.

    Raises:
        RuleError: numbers leave the 32 bits that Lava has for them; only a layer that is not plain, or comes after one, can get there.
    """
    samples, steps = source.shape[:2]
    own = [connection for connection in layer.connections if connection.recurrent]
    recurrences = [(delay, _Recurrence(weight)) for connection in own for delay, weight in _matrices(connection)]
    states = rest(layer, samples)
    sent = np.zeros((samples, steps, layer.size), sent_type(layer))
    voltages = np.zeros((samples, steps, layer.size), np.int64) if keep_voltages else None
    block = max(1, _BLOCK // max(1, samples * layer.size))
    for begin in range(0, steps, block):
        # What comes from outside does not depend on the layer's state: many steps in one product.
        arriving = _arriving(layer, source, begin, min(begin + block, steps))
        if after_graded or not layer.plain:
            _require_int32(arriving, layer, "a sum of weights")
        for step in range(begin, min(begin + block, steps)):
            a = arriving[:, step - begin]
            for delay, recurrence in recurrences:
                if step > delay:
                    recurrence.add_to(a, sent[:, step - 1 - delay])
            states, fired = step_of(layer, states, a, step)
            sent[:, step] = fired
            if voltages is not None:
                voltages[:, step] = states.get("v", fired)
    return LayerRun(sent, states, voltages)


_BLOCK = 1 << 20
"""Sums that are made at once: 8 MB, which stay in a cache."""

_INT32 = np.iinfo(np.int32)


def _matrices(connection: Connection) -> list[tuple[int, Integers]]:
    """Weights of a recurrent connection by delay."""
    found = []
    for delay, weight in connection.by_delay:
        if isinstance(weight, Kernel):
            raise RuleError("a recurrent convolution: only matrices can be recurrent")
        found.append((delay, weight))
    return found


def _arriving(layer: Layer, source: NDArray[np.generic], begin: int, end: int) -> Integers:
    """The sums of some steps that do not come from the layer itself, int64 [samples, end - begin, neurons]."""
    if not layer.connections:
        return source[:, begin:end].astype(np.int64)
    total = np.zeros((source.shape[0], end - begin, layer.size), np.int64)
    for connection in layer.connections:
        if connection.recurrent:
            continue
        for delay, weight in connection.by_delay:
            late = delay + 1
            first = max(begin - late, 0)
            messages = source[:, first : max(end - late, 0)]
            if not messages.shape[1]:
                continue
            sums = apply(weight, messages if connection.graded else (messages != 0).view(np.uint8))
            if isinstance(weight, Kernel):
                sums = wrap_sum(sums)
            total[:, first + late - begin :] += sums
    return total


def wrap_sum(sums: Integers) -> Integers:
    """Bring the sum of a convolution into 24 bits, ``[-2**23, 2**23)``, as Lava's ``signed_clamp`` does.

    Raises:
        RuleError: a sum is beyond ``2**24``, where Lava, which adds in float32, no longer has it exactly.
    """
    if max(int(sums.max(initial=0)), -int(sums.min(initial=0))) > 1 << 24:
        raise RuleError("a convolution's sum is beyond 2**24, where Lava is not exact: use smaller messages or weights")
    result: Integers = (sums + STATE_LIMIT) % (2 * STATE_LIMIT) - STATE_LIMIT
    return result


def rest(layer: Layer, samples: int) -> dict[str, Integers]:
    """States before the first step, int64 [samples, neurons] by name."""
    names = {Lif: ("u", "v"), SigmaDelta: ("sigma", "act", "residue"), Sigma: ("sigma",)}[type(layer.neurons)]
    return {name: np.zeros((samples, layer.size), np.int64) for name in names}


def step_of(
    layer: Layer, states: dict[str, Integers], a: Integers, step: int
) -> tuple[dict[str, Integers], NDArray[np.generic]]:
    """One step of a layer's neurons.

    Args:
        layer: kind and parameters.
        states: see :func:`rest`; not changed.
        a: int64 [samples, neurons], what arrives.
        step: 0-based, for the neurons' resets.

    Returns:
        The states after it, and what the neurons send [samples, neurons].
    """
    neurons = layer.neurons
    if isinstance(neurons, Sigma):
        total = states["sigma"] + a
        _require_int32(total, layer, "a sum")
        return {"sigma": total}, total
    if isinstance(neurons, SigmaDelta):
        return _sigma_delta_step(layer, neurons, states, a)
    u, v = states["u"], states["v"]
    if neurons.reset_interval and (step + 1) % neurons.reset_interval == neurons.reset_phase:
        u, v = np.zeros_like(u), np.zeros_like(v)
    u, v, spikes = lif_step(
        u,
        v,
        a,
        current_decay=neurons.current_decay,
        voltage_decay=neurons.voltage_decay,
        threshold=neurons.threshold,
        bias=neurons.bias,
    )
    return {"u": u, "v": v}, spikes


def _sigma_delta_step(
    layer: Layer, neurons: SigmaDelta, states: dict[str, Integers], a: Integers
) -> tuple[dict[str, Integers], Integers]:
    """One step of ``PySigmaDeltaModelFixed`` or ``PyDeltaModelFixed`` (``lava/proc/sdn/models.py``)."""
    sigma = states["sigma"]
    if neurons.sums:
        sigma = sigma + a
        bias = 0 if neurons.bias is None else neurons.bias << neurons.fraction
        activation = np.maximum(sigma + bias, 0)
    else:
        activation = a << neurons.fraction
    change = activation - states["act"] + states["residue"]
    sent = np.where(np.abs(change) >= (neurons.threshold << neurons.fraction), change, 0)
    for what in (sigma, activation, change):
        _require_int32(what, layer, "a state")
    return {"sigma": sigma, "act": activation, "residue": change - sent}, sent >> neurons.state


def _require_int32(values: Integers, layer: Layer, what: str) -> None:
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if low < _INT32.min or high > _INT32.max:
        worst = low if low < _INT32.min else high
        raise RuleError(f"a {layer.kind} layer: {what} reaches {worst}, Lava has 32 bits for it: use smaller inputs or weights")


def run_chain(chain: Chain, injected: NDArray[np.generic]) -> Iterator[LayerRun]:
    """Run all layers from rest, one after the other.

    Args:
        chain: the network.
        injected: integers [samples, steps, input channels], see :func:`neuro_deploy.ir.inputs.inject`.

    Yields:
        One :class:`LayerRun` for each layer, first to last; the last has its voltages.
    """
    source: NDArray[np.generic] = injected
    after_graded = False
    for index, layer in enumerate(chain.layers):
        run = run_layer(layer, source, keep_voltages=index == len(chain.layers) - 1, after_graded=after_graded)
        yield run
        source, after_graded = run.sent, layer.graded


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

    def add_to(self, a: Integers, spikes: NDArray[np.generic]) -> None:
        """Add what the spikes of the step before cause, int64 [samples, neurons], in place."""
        a[:, self._single] += self._factors * spikes[:, self._sources]
        if self._many.size:
            a[:, self._many] += accumulate(self._weight, spikes)
