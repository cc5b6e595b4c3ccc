"""The report as one page: no script, no other file, no request."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from neuro_deploy.ir.chain import CHIP_ROLES
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.drawing import detailed, draw
from neuro_deploy.report.model import Report
from neuro_deploy.report.readable import LABELS, readable, with_unit

SECTIONS = {
    "check": "Reference check",
    "counts": "Counts",
    "energy": "Energy, latency and throughput",
    "breakdown": "Energy by component and by population",
    "relays": "Cost of the overhead, and what axonal delays would save",
    "rates": "Firing rates",
    "raster": "One sample through all populations",
    "memory": "The Legendre memory over time",
    "answers": "Accuracy against steps, and confusions",
    "ranges": "Weights and voltages against their fixed-point ranges",
    "sources": "Sources",
}
"""Identifier, which is also the template's name, and title, in the order of the page."""

COUNTED = ("accuracy", "spikes", "relay_spikes", "synops", "relay_synops", "updates", "active", "packets", "messages", "graded")
COSTS = ("accuracy", "latency", "throughput", "energy", "edp")


class Sources:
    """Where numbers are from, in the order in which the page first shows one."""

    def __init__(self) -> None:
        self.entries: list[Quantity] = []
        self._numbers: dict[tuple[str, str, str], int] = {}

    def number(self, quantity: Quantity) -> int:
        """The number of its source in the list, from 1."""
        key = (quantity.kind, quantity.source, quantity.note)
        if key not in self._numbers:
            self.entries.append(quantity)
            self._numbers[key] = len(self.entries)
        return self._numbers[key]


def render(report: Report) -> str:
    """The page.

    Args:
        report: everything that it says.

    Returns:
        HTML.
    """
    environment = Environment(loader=PackageLoader("neuro_deploy.report"), autoescape=True, undefined=StrictUndefined)
    environment.filters["count"] = lambda value: with_unit(value, "")
    environment.filters["trace_of"] = lambda matrix: sum(row[index] for index, row in enumerate(matrix))
    environment.globals |= {"readable": readable, "labels": LABELS}
    counting = [backend for backend in report.backends if "spikes" in backend.quantities]
    return environment.get_template("report.html.j2").render(
        report=report,
        css=files("neuro_deploy.report").joinpath("templates/report.css").read_text(encoding="utf-8"),
        sections=sections(report),
        sources=Sources(),
        figures=draw(report),
        key_figures=key_figures(report),
        counting=counting,
        count_keys=[key for key in COUNTED if any(key in backend.quantities for backend in counting)],
        cost_keys=COSTS,
        components=list(dict.fromkeys(name for energy in report.energies for name in energy.components)),
        shares_table=detailed(report),
        graded=[row.population for row in report.counts if row.bits is not None],
        rates_text=", ".join(f"{name} {100 * rate:.1f}" for name, rate in report.rates.items()),
    )


def sections(report: Report) -> list[tuple[str, str]]:
    """Identifier and title of the parts that have a meaning for a network."""
    without = set()
    if not any(report.network.neurons.get(role) for role in CHIP_ROLES):
        without.add("relays")
    if not report.memories:
        without.add("memory")
    if all(energy.total.value is None for energy in report.energies):
        without |= {"breakdown", "relays"}
    return [(name, title) for name, title in SECTIONS.items() if name not in without]


def key_figures(report: Report) -> list[tuple[str, Quantity]]:
    """What a reader looks for first."""
    found = []
    if first := next((backend for backend in report.backends if "accuracy" in backend.quantities), None):
        found.append(("accuracy", first.quantities["accuracy"]))
    if report.unquantised_accuracy.value is not None:
        found.append(("with real-valued weights", report.unquantised_accuracy))
    differ = sum(check.mismatches + check.readout_mismatches for check in report.checks)
    compared = sum(check.compared + check.readouts for check in report.checks)
    source = f"every spike and read-out of {len(report.checks)} backends against the reference"
    found.append((f"differ of {compared:,} values", Quantity(differ, "", "counted", source)))
    shown = detailed(report)
    if shown is not None:
        found.append((f"energy, {shown.title}", shown.total))
    return found
