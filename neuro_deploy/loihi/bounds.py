"""How far a LIF neuron's input and voltage can go, whatever the input: interval arithmetic over the rows of the weights."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.neurons import Lif
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, decay
from neuro_deploy.ir.synapses import Connection, Kernel, apply
from neuro_deploy.loihi.limits import MESSAGE_BITS_MAX

Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Lowest and highest value of each neuron, int64 [neurons]."""


def row_bounds(chain: Chain, index: int, message_bits: int, *, bias_always: bool = False) -> Bounds:
    """The range of ``a`` of each neuron of a layer with synapses.

    Every source is taken to fire or not independently: all positive weights together, all negative ones together. The input's
    channels carry up to ``2**message_bits - 1``, those of a network of others as much below 0, the constant one 1; a graded message
    of a neuron has :data:`neuro_deploy.loihi.limits.MESSAGE_BITS_MAX` bits. The bias lines are all on or all off together. Delays
    change nothing: what was held back may arrive together.

    Args:
        chain: the network.
        index: the layer.
        message_bits: bits of the graded input.
        bias_always: the bias lines are on, as they are at each step of a sample.
    """
    layer, bias_lines = chain.layers[index], _bias_lines(chain, index)
    low, high, bias = (np.zeros(layer.size, np.int64) for _ in range(3))
    for connection in layer.connections:
        if connection.recurrent:
            least, most = _values(layer.graded, connection, layer.size)
        else:
            least, most = _incoming(chain, index, connection, message_bits)
            bias += apply(connection.weight, np.where(bias_lines, most, 0))
            least, most = np.where(bias_lines, 0, least), np.where(bias_lines, 0, most)
        rising, falling = _parts(connection)
        low += apply(rising, least) + apply(falling, most)
        high += apply(rising, most) + apply(falling, least)
    if bias_always:
        return low + bias, high + bias
    return low + np.minimum(bias, 0), high + np.maximum(bias, 0)


def current_bounds(chain: Chain, index: int, message_bits: int, *, bias_always: bool = False, steps: int = 1) -> Bounds:
    """The range of the synaptic current of LIF neurons, in units of the voltage; most arguments are those of :func:`row_bounds`.

    A current with memory adds up to a geometric series, ``4096 / current_decay`` times its input at most.

    Args:
        chain: the network.
        index: a layer with synapses and LIF neurons.
        message_bits: bits of the graded input.
        bias_always: the bias lines are on.
        steps: longest time without a reset, for a current that never decays.
    """
    low, high = row_bounds(chain, index, message_bits, bias_always=bias_always)
    scale = 1 << DECAY_BITS + FRACTION_BITS
    rate = np.asarray(_lif(chain.layers[index]).current_decay)
    leaks = np.maximum(rate, 1)
    forever = np.int64(steps << FRACTION_BITS)
    return (
        np.where(rate > 0, -((-low * scale) // leaks), low * forever),
        np.where(rate > 0, (high * scale) // leaks, high * forever),
    )


def own_bias(layer: Layer) -> NDArray[np.int64]:
    """The chip's constant bias of each LIF neuron, int64 [neurons] in units of the voltage."""
    bias = _lif(layer).bias
    return np.zeros(layer.size, np.int64) if bias is None else bias << FRACTION_BITS


def voltage_bounds(layer: Layer, current: Bounds, steps: int) -> Bounds:
    """The range of the voltage before it is compared with the threshold.

    A neuron that did not fire starts a step at its threshold at most, so one step bounds it from above; from below its leak alone
    stops it, which is iterated until nothing changes or the run is over (the leak is monotone, so this is the exact worst case).

    Args:
        layer: decays and thresholds of its LIF neurons.
        current: lowest and highest current of each neuron.
        steps: longest time without a reset of the voltage.
    """
    neurons = _lif(layer)
    low, high = current[0] + own_bias(layer), current[1] + own_bias(layer)
    lowest = np.zeros_like(low)
    for _ in range(steps):
        lower = np.minimum(decay(lowest, neurons.voltage_decay) + low, lowest)
        if (lower == lowest).all():
            break
        lowest = lower
    start = np.maximum(np.zeros_like(high) + neurons.threshold, 0) << FRACTION_BITS  # 0 is where it begins and where it fired
    return lowest, decay(start, neurons.voltage_decay) + high


def _lif(layer: Layer) -> Lif:
    assert isinstance(layer.neurons, Lif)
    return layer.neurons


def _parts(connection: Connection) -> tuple[NDArray[np.int64] | Kernel, NDArray[np.int64] | Kernel]:
    """The positive and the negative weights."""
    weight = connection.weight
    if isinstance(weight, Kernel):
        return replace(weight, weight=np.maximum(weight.weight, 0)), replace(weight, weight=np.minimum(weight.weight, 0))
    return np.maximum(weight, 0), np.minimum(weight, 0)


def _incoming(chain: Chain, index: int, connection: Connection, message_bits: int) -> Bounds:
    """What each source of a layer can send."""
    if index > 0:
        before = chain.layers[index - 1]
        return _values(before.graded, connection, before.size)
    if not connection.graded:
        return _values(False, connection, chain.input_size)
    most = np.full(chain.input_size, 2**message_bits - 1, np.int64)
    if not chain.constant:
        return -most, most
    most[-1] = 1
    return np.zeros_like(most), most


def _values(graded: bool, connection: Connection, size: int) -> Bounds:
    """What neurons can send over a connection: spikes, or messages of either sign."""
    most = np.full(size, (1 << MESSAGE_BITS_MAX) - 1 if graded and connection.graded else 1, np.int64)
    return (-most if graded and connection.graded else np.zeros_like(most)), most


def _bias_lines(chain: Chain, index: int) -> NDArray[np.bool_]:
    """Which sources of a layer are bias lines."""
    if index == 0:
        constant: NDArray[np.bool_] = np.arange(chain.input_size) == (chain.input_size - 1 if chain.constant else -1)
        return constant
    lines = np.zeros(chain.layers[index - 1].size, np.bool_)
    for segment in chain.layers[index - 1].segments:
        if segment.role == "bias":
            lines[segment.place] = True
    return lines
