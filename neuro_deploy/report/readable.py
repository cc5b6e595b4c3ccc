"""Quantities as a person reads them: three digits, the unit with its prefix."""

from neuro_deploy.measure.quantity import Quantity

MISSING = "not available"

LABELS = {
    "accuracy": "accuracy",
    "spikes": "spikes",
    "relay_spikes": "overhead spikes",
    "synops": "SynOps",
    "relay_synops": "overhead SynOps",
    "updates": "neuron updates",
    "active": "active updates",
    "packets": "packets",
    "messages": "messages of the input",
    "graded": "graded messages",
    "latency": "latency",
    "throughput": "throughput",
    "energy": "energy",
    "edp": "energy-delay product",
}
"""Names of the quantities of a backend, in the order in which they are shown."""

_PREFIXED = frozenset({"J", "s", "W", "J s", "B"})


def readable(quantity: Quantity) -> str:
    """Value and unit; :data:`MISSING` where there is no value."""
    return MISSING if quantity.value is None else with_unit(quantity.value, quantity.unit)


def with_unit(value: float, unit: str) -> str:
    """A number with its unit: ``12.3 mJ``, ``99.17 %``, ``1,667 /s``, ``2,534,506``; events go without one."""
    if unit in _PREFIXED:
        from matplotlib.ticker import EngFormatter

        return EngFormatter(unit=unit)(float(f"{value:.3g}"))
    if unit == "%":
        return f"{value:.2f} %"
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"
    return f"{number} /s" if unit == "1/s" else number
