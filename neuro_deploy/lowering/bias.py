"""Bias neurons: a bias that is on during a sample only, so that a network without input is silent."""

from dataclasses import replace

import numpy as np

from neuro_deploy.loihi.limits import WEIGHT_MAX_MIXED, WEIGHT_MIN_MIXED
from neuro_deploy.lowering.plan import COPY_WEIGHT, Plan, refuse


def bias(plan: Plan) -> Plan:
    """Count the bias neurons that each layer needs for the ones after it.

    The host switches the constant input channel on for the T steps of a sample. Layer 0 reads it directly; from there one bias
    neuron a layer hands it on, and as many stand in a layer as the largest bias of the next one needs synapses.

    Raises:
        RuleError: a bias of layer 0 does not fit the one synapse from the constant channel.
    """
    largest = [max((int(np.abs(p.bias).max(initial=0)) for p in plan.members(layer)), default=0) for layer in range(plan.depth)]
    counts = [0] * plan.depth
    for layer in reversed(range(plan.depth - 1)):
        handed_on = 1 if counts[layer + 1] else 0
        counts[layer] = max(handed_on, -(-largest[layer + 1] // COPY_WEIGHT))
    refuse(
        [
            f"layer 0 ({p.name}): bias {value} does not fit the one synapse from the constant input channel, "
            f"{WEIGHT_MIN_MIXED} to {WEIGHT_MAX_MIXED}: raise the layer's weights less (a smaller threshold makes its bias smaller)"
            for p in plan.members(0)
            for value in (int(p.bias.min(initial=0)), int(p.bias.max(initial=0)))
            if not WEIGHT_MIN_MIXED <= value <= WEIGHT_MAX_MIXED
        ]
    )
    return replace(plan, bias_neurons=tuple(counts))


def split(
    values: np.ndarray[tuple[int, ...], np.dtype[np.int64]], parts: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Split even biases into even synapses, as evenly as possible.

    Args:
        values: int64 [neurons], even, at most ``254 * parts`` in magnitude.
        parts: number of bias neurons, 1 or more.

    Returns:
        int64 [neurons, parts]: even, at most 254 in magnitude, each row adds up to its bias.
    """
    half, rest = np.divmod(values // 2, parts)
    return 2 * (half[:, None] + (np.arange(parts)[None, :] < rest[:, None]))
