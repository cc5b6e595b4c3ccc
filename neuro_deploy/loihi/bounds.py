"""How far a neuron's input and voltage can go, whatever the input: interval arithmetic over the rows of the weights."""

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, decay

Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Lowest and highest value of each neuron, int64 [neurons]."""


def row_bounds(chain: Chain, index: int, message_bits: int, *, bias_always: bool = False) -> Bounds:
    """The range of ``a`` of each neuron of a layer.

    Every source is taken to fire or not independently: all positive weights together, all negative ones together. The input's
    channels carry up to ``2**message_bits - 1``, the constant one 1. The bias lines are all on or all off together.

    Args:
        chain: the network.
        index: the layer.
        message_bits: bits of the graded input.
        bias_always: the bias lines are on, as they are at each step of a sample.
    """
    layer = chain.layers[index]
    largest, bias_lines = _sources(chain, index, message_bits)
    free = np.where(bias_lines, 0, largest)
    low = np.minimum(layer.weight, 0) @ free
    high = np.maximum(layer.weight, 0) @ free
    if layer.weight_rec is not None:
        low = low + np.minimum(layer.weight_rec, 0).sum(axis=1)
        high = high + np.maximum(layer.weight_rec, 0).sum(axis=1)
    bias = layer.weight @ np.where(bias_lines, largest, 0)
    if bias_always:
        return low + bias, high + bias
    return low + np.minimum(bias, 0), high + np.maximum(bias, 0)


def current_bounds(chain: Chain, index: int, message_bits: int, *, bias_always: bool = False) -> Bounds:
    """The range of the synaptic current, in units of the voltage; the arguments are those of :func:`row_bounds`.

    A current with memory adds up to a geometric series, ``4096 / current_decay`` times its input at most.
    """
    low, high = row_bounds(chain, index, message_bits, bias_always=bias_always)
    scale = 1 << DECAY_BITS + FRACTION_BITS
    rate = chain.layers[index].current_decay
    return -((-low * scale) // rate), (high * scale) // rate


def own_bias(layer: Layer) -> NDArray[np.int64]:
    """The chip's constant bias of each neuron, int64 [neurons] in units of the voltage."""
    return np.zeros(layer.size, np.int64) if layer.bias is None else layer.bias << FRACTION_BITS


def voltage_bounds(layer: Layer, current: Bounds, steps: int) -> Bounds:
    """The range of the voltage before it is compared with the threshold.

    A neuron that did not fire starts a step at its threshold at most, so one step bounds it from above; from below its leak alone
    stops it, which is iterated until nothing changes or the run is over (the leak is monotone, so this is the exact worst case).

    Args:
        layer: its decay and threshold.
        current: lowest and highest current of each neuron.
        steps: longest time without a reset of the voltage.
    """
    low, high = current[0] + own_bias(layer), current[1] + own_bias(layer)
    lowest = np.zeros_like(low)
    for _ in range(steps):
        lower = np.minimum(decay(lowest, layer.voltage_decay) + low, lowest)
        if (lower == lowest).all():
            break
        lowest = lower
    threshold = np.full_like(high, layer.threshold << FRACTION_BITS)
    return lowest, decay(threshold, layer.voltage_decay) + high


def _sources(chain: Chain, index: int, message_bits: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Largest value of each source of a layer, and which of them are bias lines."""
    if index == 0:
        largest = np.full(chain.input_size, 2**message_bits - 1, np.int64)
        largest[-1] = 1
        return largest, np.arange(chain.input_size) == chain.input_size - 1
    before = chain.layers[index - 1]
    bias_lines = np.zeros(before.size, np.bool_)
    for segment in before.segments:
        if segment.role == "bias":
            bias_lines[segment.start : segment.stop] = True
    return np.ones(before.size, np.int64), bias_lines
