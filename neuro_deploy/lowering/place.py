"""Which neurons of a layer are what."""

from dataclasses import replace

from neuro_deploy.ir.chain import Role, Segment
from neuro_deploy.lowering.plan import BIAS, COPY_THRESHOLD_MAX, COPY_WEIGHT, Plan, refuse


def place(plan: Plan) -> Plan:
    """Lay out the neurons of each layer: those that compute, taps, relays, bias neurons, without gaps.

    Raises:
        RuleError: a layer with copying neurons has a threshold that their synapse does not exceed.
    """
    segments = tuple(_layer(plan, layer) for layer in range(plan.depth))
    thresholds = [plan.members(layer)[0].threshold for layer in range(plan.depth)]
    copying = [any(not segment.of_model for segment in layer) for layer in segments]
    refuse(
        [
            f"layer {layer} ({', '.join(plan.populations[layer])}): threshold {thresholds[layer]} is above {COPY_THRESHOLD_MAX}, "
            f"which relays, taps and bias neurons with a weight of {COPY_WEIGHT} need: scale the layer down"
            for layer in range(plan.depth)
            if copying[layer] and thresholds[layer] > COPY_THRESHOLD_MAX
        ]
    )
    return replace(plan, segments=segments)


def _layer(plan: Plan, layer: int) -> tuple[Segment, ...]:
    graph = plan.graph
    wanted: list[tuple[str, int, Role, str, int]] = [
        (p.name, p.size, "compute" if p.fires else "readout", p.name, 0) for p in plan.members(layer)
    ]
    for source, lags in plan.lags[layer].items():
        wanted += [(f"{source}~{lag}", graph.populations[source].size, "tap", source, lag) for lag in range(1, lags)]
    wanted += [(source, graph.populations[source].size, "relay", source, 0) for source in plan.relays[layer]]
    if plan.bias_neurons[layer]:
        wanted.append((BIAS, plan.bias_neurons[layer], "bias", BIAS, 0))
    segments = []
    start = 0
    for name, size, role, source, lag in wanted:
        segments.append(Segment(name, start, start + size, role, source, lag))
        start += size
    return tuple(segments)
