"""From a graph in model time to a chain of layers in chip time; one pass a file, their order is data.

NetX files are chains: layer ``k`` is connected to layer ``k + 1`` and nothing else. The passes express everything that a chain
cannot (skips, delays, biases) by neurons that only copy spikes. Population ``p`` of layer ``k`` holds at chip step
``t + k + 1`` what the model holds at step ``t`` (both 0-based).
"""

from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.graph import Graph
from neuro_deploy.lowering.assemble import assemble
from neuro_deploy.lowering.bias import bias
from neuro_deploy.lowering.place import place
from neuro_deploy.lowering.plan import Pass, Plan
from neuro_deploy.lowering.schedule import schedule
from neuro_deploy.lowering.settle import settle
from neuro_deploy.lowering.skips import skips
from neuro_deploy.lowering.taps import taps
from neuro_deploy.lowering.validate import validate

__all__ = ["PASSES", "lower"]

PASSES: tuple[Pass, ...] = (validate, schedule, skips, taps, bias, place, assemble, settle)
"""In this order each pass finds what it reads; see :class:`~neuro_deploy.lowering.plan.Plan` for who writes what."""


def lower(graph: Graph) -> Chain:
    """Turn a graph into the chain that computes the same spikes, each layer one step later than the one before.

    Args:
        graph: populations and projections in model time, integer weights.

    Returns:
        The chain; check it with :func:`neuro_deploy.loihi.rules.check` before it is written.

    Raises:
        RuleError: the graph has no equivalent chain; lists what to change.
    """
    plan = Plan(graph)
    for step in PASSES:
        plan = step(plan)
    return Chain(plan.frames, graph.channels, plan.layers, plan.gap)
