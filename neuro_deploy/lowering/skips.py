"""Relays: how a population is read more than one layer later."""

from dataclasses import replace

from neuro_deploy.ir.graph import INPUT
from neuro_deploy.lowering.plan import Plan


def skips(plan: Plan) -> Plan:
    """Carry each population (lag 0) from the layer after it to the layer before its last reader, and not further."""
    relays: list[list[str]] = [[] for _ in range(plan.depth)]
    for name in plan.graph.populations:
        own = plan.layer_of[name]
        last = max((plan.layer_of[p.target] for p in plan.graph.readers_of(name) if p.source != INPUT), default=own + 1)
        for layer in range(own + 1, last):
            relays[layer].append(name)
    return replace(plan, relays=tuple(tuple(names) for names in relays))
