"""A report, and a comparison of reports, as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.compare import Comparison, Row
from neuro_deploy.report.model import Report
from neuro_deploy.report.readable import LABELS, MISSING, readable, with_unit
from neuro_deploy.report.tables import plain_table

COLUMNS = ("accuracy", "spikes", "relay_spikes", "synops", "latency", "throughput", "energy", "edp")
"""What fits beside each other in a terminal; the page has everything."""

MARKS = {"measured": "", "counted": "#", "modelled": "~"}
"""In front of each number: where it is from."""

LEGEND = "# counted, ~ modelled (counts times a cost table), no mark: measured."


def report_tables(report: Report) -> RenderableType:
    """The backends of a report side by side, and whether they agree."""
    network = report.network
    title = (
        f"{network.config}: {sum(network.neurons.values()):,} neurons, {report.data.samples:,} samples of {report.data.name}"
    )
    table = plain_table(title, ("backend", *(LABELS[name].replace(" ", "\n", 1) for name in COLUMNS)), left=("backend",))
    table.caption = f"Of one inference. {LEGEND} n/a: not available, the page says why; '-': nothing of the kind."
    for backend in report.backends:
        table.add_row(backend.name, *(_cell(backend.quantities.get(name)) for name in COLUMNS))
    differing = [check for check in report.checks if not check.equal]
    if differing:
        verdicts = [Text(f"{c.backend} differs from {c.reference}, first at {c.first}", style="bold red") for c in differing]
    else:
        names = ", ".join(check.backend for check in report.checks)
        verdicts = [Text(f"{names}: every spike and every read-out is that of the reference", style="green")]
    return Group(table, *verdicts)


def comparison_table(comparison: Comparison) -> RenderableType:
    """All quantities of all reports, with the differences to the first."""
    others = range(1, len(comparison.reports))
    configs = [report.network.config for report in comparison.reports]
    names = ["backend", "quantity", f"1: {configs[0]}"]
    for index in others:
        names += [f"{index + 1}: {configs[index]}", "difference", "%"]
    table = plain_table(_head(comparison), names, left=("backend", "quantity"))
    table.caption = f"{LEGEND} Differences are to the first; numbers of different kinds are not subtracted."
    before = ""
    for row in comparison.rows:
        cells = [_cell(row.quantities[0])]
        for index in others:
            cells += [_cell(row.quantities[index]), _difference(row, index), _percent(row.relative(index))]
        table.add_row("" if row.backend == before else row.backend, LABELS.get(row.name, row.name), *cells)
        before = row.backend
    files = [Text(f"{index}: {name}") for index, name in enumerate(comparison.names, 1)]
    return Group(*files, Text(), table)


def _head(comparison: Comparison) -> str:
    network = "the same network" if comparison.same_network else "different networks"
    data = "the same samples" if comparison.same_data else "DIFFERENT samples"
    return f"{network}, {data}"


def _cell(quantity: Quantity | None) -> str:
    if quantity is None:
        return "-"
    text = readable(quantity)
    return "n/a" if text == MISSING else MARKS[quantity.kind] + text


def _difference(row: Row, index: int) -> str:
    difference, first = row.difference(index), row.quantities[0]
    if difference is None or first is None:
        return "-"
    return ("+" if difference > 0 else "") + with_unit(difference, first.unit)


def _percent(relative: float | None) -> str:
    return "-" if relative is None else f"{100 * relative:+.2f}"
