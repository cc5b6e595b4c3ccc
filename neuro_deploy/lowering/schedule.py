"""Which population computes in which layer, and how many input frames the host stacks."""

from dataclasses import replace

from neuro_deploy.ir.graph import INPUT
from neuro_deploy.lowering.plan import Plan, refuse


def schedule(plan: Plan) -> Plan:
    """Place each population one layer after its last source, and the read-out behind everything.

    The layer is the longest path from the input, whose layer is -1: the earliest in which all sources can be present.

    Raises:
        RuleError: a population reads the input beside another population (the input ends at layer 0), or populations of one
            layer differ in a parameter that a layer has only once.
    """
    graph = plan.graph
    layer_of = {INPUT: -1}
    for name in graph.populations:
        layer_of[name] = 1 + max((layer_of[p.source] for p in graph.inputs_of(name)), default=-1)
    readout = next(name for name, population in graph.populations.items() if not population.fires)
    layer_of[readout] = 1 + max((layer for name, layer in layer_of.items() if name != readout), default=-1)
    depth = layer_of[readout] + 1
    populations = tuple(tuple(name for name in graph.populations if layer_of[name] == layer) for layer in range(depth))
    placed = replace(
        plan,
        populations=populations,
        frames=max((p.lags for p in graph.readers_of(INPUT)), default=1),
        layer_of=layer_of,
    )
    refuse([*_late_input(placed), *_mixed_layers(placed)])
    return placed


def _late_input(plan: Plan) -> list[str]:
    return [
        f"population {p.target} is scheduled in layer {plan.layer_of[p.target]} and reads the input, which only layer 0 sees: "
        f"read a population of layer 0 instead"
        for p in plan.graph.readers_of(INPUT)
        if plan.layer_of[p.target] > 0
    ]


def _mixed_layers(plan: Plan) -> list[str]:
    found = []
    for layer in range(plan.depth):
        first, *others = plan.members(layer)
        for other in others:
            for what, ours, theirs in (
                ("threshold", first.threshold, other.threshold),
                ("voltage decay", first.voltage_decay, other.voltage_decay),
            ):
                if ours != theirs:
                    found.append(
                        f"layer {layer}: {first.name} has {what} {ours} and {other.name} has {theirs}, a layer has one: make them equal"
                    )
    return found
