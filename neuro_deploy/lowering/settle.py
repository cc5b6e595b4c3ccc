"""How long the network must stay silent before the next sample."""

from dataclasses import replace

from neuro_deploy.ir.semantics import settle_steps
from neuro_deploy.lowering.plan import Plan, refuse


def settle(plan: Plan) -> Plan:
    """Count the silent steps after ``T + D`` that bring every state but the read-out's voltage to zero.

    Without input nothing fires, because a voltage only decays. The last input acts on layer 0 in chip step ``T`` (0-based), and on
    layer ``k`` at most ``k`` steps plus the lengths of the tap lines in the layers before it later (lines of one layer empty side
    by side). So after step ``T + D - 2 + emptying`` no firing layer receives anything, and its voltages settle; the read-out, one
    layer later, has lost its current one step after its last input.

    Raises:
        RuleError: a population that fires never leaks.
    """
    firing = [population for population in plan.graph.populations.values() if population.fires]
    refuse(
        [
            f"population {p.name} has voltage decay {p.voltage_decay} and never forgets a sample: use 1 to 4095"
            for p in firing
            if p.voltage_decay < 1
        ]
    )
    emptying = sum(max(lines.values(), default=1) - 1 for lines in plan.lags)
    settling = max((settle_steps(p.voltage_decay) for p in firing), default=1)
    return replace(plan, gap=emptying + settling)
