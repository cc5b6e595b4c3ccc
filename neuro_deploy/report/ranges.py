"""Weights and voltages against what their fixed-point numbers can hold."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer, Segment
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.neurons import Lif
from neuro_deploy.ir.semantics import FRACTION_BITS, run_layer
from neuro_deploy.ir.synapses import Kernel
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi.bounds import current_bounds, voltage_bounds
from neuro_deploy.loihi.limits import STATE_MAX, WEIGHT_MIN_MIXED, WEIGHT_STEP_MIXED
from neuro_deploy.report.views import Box, Ranges

UNIT = 1 << FRACTION_BITS
"""Voltages are shown in the unit of the weights and thresholds."""

QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)


def ranges(network: Network, trace: Trace, samples: int) -> Ranges:
    """Magnitudes of the weights and voltages of each computing population.

    Args:
        network: with any layers; voltages are of those with LIF neurons.
        trace: a run of it, with layers.
        samples: how many of its samples the voltages are of, from the first; of the T steps, without the silence that follows.
    """
    chain, steps, message_bits = network.chain, network.manifest.steps, network.manifest.input.message_bits
    assert trace.layers is not None
    injected = trace.input[:samples]
    weights, voltages = [], []
    for index, layer in enumerate(chain.layers):
        bound = _bound(chain, index, steps, message_bits)
        for segment in _computing(layer):
            here = segment.place
            if layer.connections:
                weights.append(_box(segment.name, _weights(layer, here)))
        if isinstance(layer.neurons, Lif):
            source = injected if index == 0 else trace.layers[index - 1][:samples]
            reached = run_layer(layer, source, keep_voltages=True).voltages
            assert reached is not None
            for segment in _computing(layer):
                here, depth = segment.place, chain.depths[index]
                fires = segment.role == "compute" and isinstance(layer.neurons.threshold, int)
                threshold = int(layer.neurons.threshold) if fires else None
                limit = None if bound is None else float(bound[here].max() / UNIT)
                voltages.append(_box(segment.name, reached[:, depth : depth + steps, here] / UNIT, threshold, limit))
    return Ranges(
        weights=tuple(weights),
        weight_step=WEIGHT_STEP_MIXED,
        weight_limit=-WEIGHT_MIN_MIXED,
        voltages=tuple(voltages),
        voltage_step=1 / UNIT,
        voltage_limit=STATE_MAX / UNIT,
        samples=samples,
    )


def _weights(layer: Layer, here: slice) -> NDArray[np.int64]:
    """The numbers that are stored for the synapses to some neurons; the recurrent ones of this project are its delay lines."""
    weight = layer.connections[0].weight
    return weight.weight if isinstance(weight, Kernel) else weight[here]


def _bound(chain: Chain, index: int, steps: int, message_bits: int) -> NDArray[np.int64] | None:
    """What no voltage of a layer can exceed, whatever the input, int64 [neurons]; None of neurons without synapses or voltages."""
    layer = chain.layers[index]
    if not isinstance(layer.neurons, Lif) or not layer.connections:
        return None
    if not chain.constant:
        low, high = voltage_bounds(layer, current_bounds(chain, index, message_bits, steps=steps), steps)
        return np.minimum(np.maximum(-low, high), STATE_MAX)  # there it clips, even if the current wrapped
    current = current_bounds(chain, index, message_bits, bias_always=True)
    if layer.voltage_decay == 0:  # a read-out adds up all steps
        return steps * np.maximum(-current[0], current[1])
    low, high = voltage_bounds(layer, current, steps)
    return np.maximum(-low, high)


def _computing(layer: Layer) -> Iterator[Segment]:
    return (segment for segment in layer.segments if segment.of_model)


def _box(name: str, values: NDArray[np.generic], threshold: int | None = None, bound: float | None = None) -> Box:
    """Quantiles of the magnitudes of the values that are not zero."""
    magnitudes = np.abs(values[values != 0])
    quantiles = tuple(np.quantile(magnitudes, QUANTILES).tolist()) if magnitudes.size else None
    return Box(name=name, quantiles=quantiles, zeros=1 - magnitudes.size / values.size, threshold=threshold, bound=bound)
