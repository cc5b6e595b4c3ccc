"""In which steps something reaches a neuron, compiled."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.synapses import apply, presence


def active_updates(layer: Layer, before: NDArray[np.uint8], own: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the steps in which a neuron fires or at least one event arrives.

    Args:
        layer: whose synapses are asked; an event of one step arrives at the next.
        before: uint8 [samples, steps, sources], 0 or 1: events of the layer before, or of the input.
        own: uint8 [samples, steps, neurons], 0 or 1: what the layer's neurons send.

    Returns:
        int64 [samples, neurons].
    """
    if not layer.plain:
        active = np.zeros((len(own), layer.size), np.int64)
        for step in range(own.shape[1]):
            active += _active_of_any(layer, before, own, step)
        return active
    forward = np.ascontiguousarray((layer.weight != 0).T.view(np.uint8))
    recurrent = np.zeros((0, layer.size), np.uint8) if layer.weight_rec is None else (layer.weight_rec != 0).T.view(np.uint8)
    return _active(forward, np.ascontiguousarray(recurrent), before, own)  # type: ignore[no-any-return]


def _active_of_any(layer: Layer, before: NDArray[np.uint8], own: NDArray[np.uint8], step: int) -> NDArray[np.bool_]:
    """Which neurons of any layer are active in a step, bool [samples, neurons]."""
    reached: NDArray[np.bool_] = own[:, step] != 0
    if not layer.connections:
        reached |= before[:, step] != 0
    for connection in layer.connections:
        there = replace(connection, weight=presence(connection))
        for delay, weight in there.by_delay:
            if step > delay:
                events = (own if connection.recurrent else before)[:, step - 1 - delay]
                reached |= apply(weight, events) > 0
    return reached


@compiled()
def _active(
    forward: NDArray[np.uint8], recurrent: NDArray[np.uint8], before: NDArray[np.uint8], own: NDArray[np.uint8]
) -> NDArray[np.int64]:
    samples, steps, size = own.shape
    active = np.zeros((samples, size), np.int64)
    reached = np.zeros(size, np.uint8)
    for sample in range(samples):
        for step in range(steps):
            for neuron in range(size):
                reached[neuron] = own[sample, step, neuron]
            if step > 0:
                _reach(reached, forward, before[sample, step - 1])
                _reach(reached, recurrent, own[sample, step - 1])
            for neuron in range(size):
                active[sample, neuron] += reached[neuron]
    return active


@compiled()
def _reach(reached: NDArray[np.uint8], synapses: NDArray[np.uint8], events: NDArray[np.uint8]) -> None:
    """Mark the targets of all events; whole rows, because a processor looks at 32 targets at once."""
    for source in range(synapses.shape[0]):
        if events[source]:
            for target in range(reached.size):
                reached[target] |= synapses[source, target]
