"""First pass: the graph says what it means and nothing impossible."""

import numpy as np

from neuro_deploy.ir.graph import INPUT, Graph
from neuro_deploy.lowering.plan import BIAS, Plan, refuse


def validate(plan: Plan) -> Plan:
    """Check names, shapes, order and the read-out; needs nothing, changes nothing.

    Raises:
        RuleError: lists everything that is wrong with the graph.
    """
    refuse([*_populations(plan.graph), *_projections(plan.graph), *_readout(plan.graph)])
    return plan


def _populations(graph: Graph) -> list[str]:
    found = []
    for key, population in graph.populations.items():
        name = population.name
        if key != name:
            found.append(f"population {name} is listed under the name {key}: use the same name")
        if not name or name in (INPUT, BIAS) or "~" in name:
            found.append(f"population name {name!r} is reserved (empty, 'input', 'bias' or with '~'): rename it")
        if population.size < 1:
            found.append(f"population {name} has {population.size} neurons: at least 1")
        if population.bias.shape != (population.size,):
            found.append(
                f"population {name} [{population.size}] has a bias of shape {list(population.bias.shape)}: one for each neuron"
            )
        elif (population.bias % 2).any():
            odd = int(np.flatnonzero(population.bias % 2)[0])
            found.append(
                f"population {name} has the odd bias {population.bias[odd]} at neuron {odd}: biases travel as even weights"
            )
    return found


def _projections(graph: Graph) -> list[str]:
    found = []
    order = {INPUT: -1} | {name: place for place, name in enumerate(graph.populations)}
    sizes = {INPUT: graph.channels} | {name: p.size for name, p in graph.populations.items()}
    seen = set()
    for projection in graph.projections:
        name = f"projection {projection.source} -> {projection.target}"
        if (projection.source, projection.target) in seen:
            found.append(f"{name} appears twice: add the weights up")
        seen.add((projection.source, projection.target))
        if projection.source not in order or projection.target not in graph.populations:
            found.append(f"{name} has an end that is no population of the graph")
            continue
        if order[projection.source] >= order[projection.target]:
            found.append(f"{name} points backwards: list every population after its sources; cycles cannot be lowered")
        ends = [sizes[projection.target], sizes[projection.source]]
        if projection.weight.ndim != 3 or projection.lags < 1 or list(projection.weight.shape[1:]) != ends:
            found.append(
                f"{name} has weights of shape {list(projection.weight.shape)}: expected [lags, {ends[0]}, {ends[1]}] for "
                f"{projection.source} [{ends[1]}] -> {projection.target} [{ends[0]}]"
            )
    return found


def _readout(graph: Graph) -> list[str]:
    silent = [name for name, population in graph.populations.items() if not population.fires]
    if len(silent) != 1:
        return [f"the graph has {len(silent)} read-outs ({', '.join(silent) or 'none'}): exactly one population must not fire"]
    readers = [projection.target for projection in graph.readers_of(silent[0])]
    return (
        [f"read-out {silent[0]} never fires but is read by {', '.join(readers)}: remove those projections"] if readers else []
    )
