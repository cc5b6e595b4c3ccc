"""Tap lines: how the past of a population is read."""

from dataclasses import replace

from neuro_deploy.ir.graph import INPUT
from neuro_deploy.lowering.plan import Plan


def taps(plan: Plan) -> Plan:
    """Give the layer before each reader as many lags of the source as it reads.

    The lags are rebuilt from lag 0 in the layer directly before the reader, whatever an earlier layer holds: carrying lag 0 costs
    one relay a layer, carrying the whole line would cost ``lags``. The input's lags are stacked by the host instead.
    """
    lags: list[dict[str, int]] = [{} for _ in range(plan.depth)]
    for projection in plan.graph.projections:
        if projection.source != INPUT and projection.lags > 1:
            before = lags[plan.layer_of[projection.target] - 1]
            before[projection.source] = max(projection.lags, before.get(projection.source, 1))
    return replace(plan, lags=tuple(lags))
