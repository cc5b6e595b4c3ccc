"""Reports side by side: what one has, what the others have, and by how much they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuro_deploy.errors import InputError
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.model import Report
from neuro_deploy.report.readable import LABELS

NETWORK = "network"
"""Stands for a backend where a quantity belongs to the network itself."""


@dataclass(frozen=True)
class Row:
    """One quantity in all reports.

    Attributes:
        backend: whose it is, or :data:`NETWORK`.
        name: which one, see :data:`neuro_deploy.report.readable.LABELS`.
        quantities: one for each report; None where it does not have it.
    """

    backend: str
    name: str
    quantities: tuple[Quantity | None, ...]

    def difference(self, index: int) -> float | None:
        """Of a report's value and the first one's; None where one is missing, or they are of different kinds or units."""
        first, other = self.quantities[0], self.quantities[index]
        if first is None or other is None or (first.kind, first.unit) != (other.kind, other.unit):
            return None
        return None if first.value is None or other.value is None else other.value - first.value

    def relative(self, index: int) -> float | None:
        """The difference over the first value; None where there is no difference to tell or the first value is zero."""
        first, difference = self.quantities[0], self.difference(index)
        return None if difference is None or first is None or not first.value else difference / first.value


@dataclass(frozen=True)
class Comparison:
    """Reports side by side; the first is what the others are held against.

    Attributes:
        names: of the reports, as the user gave them.
        reports: the reports.
        rows: every quantity that at least one of them has a value of.
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    rows: tuple[Row, ...]

    @property
    def same_network(self) -> bool:
        """All are of one NetX file."""
        return len({report.network.net_sha256 for report in self.reports}) == 1

    @property
    def same_data(self) -> bool:
        """All are of the same samples."""
        return len({report.data.sha256 for report in self.reports}) == 1


def compare(reports: Sequence[tuple[Path, Report]], different_data: bool = False) -> Comparison:
    """Put reports side by side.

    Args:
        reports: with the files that they are from; the first is held against the others.
        different_data: go on where they are of different samples.

    Raises:
        InputError: fewer than two, or of different samples.
    """
    if len(reports) < 2:
        raise InputError(f"{len(reports)} report to compare: name two or more report.json")
    first = reports[0]
    for path, report in reports[1:]:
        if report.data.sha256 != first[1].data.sha256 and not different_data:
            raise InputError(
                f"{path} is of {_data(report)}, {first[0]} of {_data(first[1])}: "
                "their numbers do not compare; --different-data shows them all the same"
            )
    tables = [_quantities(report) for _, report in reports]
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = [Row(backend, name, tuple(table.get((backend, name)) for table in tables)) for backend, name in keys]
    shown = tuple(row for row in rows if any(q is not None and q.value is not None for q in row.quantities))
    return Comparison(tuple(str(path) for path, _ in reports), tuple(report for _, report in reports), shown)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain values, for other programs."""
    others = range(1, len(comparison.reports))
    return {
        "format": "neuro-deploy comparison",
        "format_version": 1,
        "same_network": comparison.same_network,
        "same_data": comparison.same_data,
        "reports": [
            {"file": name, "network": report.network.model_dump(), "data": report.data.model_dump()}
            for name, report in zip(comparison.names, comparison.reports, strict=True)
        ],
        "rows": [
            {
                "backend": row.backend,
                "quantity": row.name,
                "values": [None if quantity is None else vars(quantity) for quantity in row.quantities],
                "differences": [row.difference(index) for index in others],
                "relative": [row.relative(index) for index in others],
            }
            for row in comparison.rows
        ],
    }


def _data(report: Report) -> str:
    return f"{report.data.samples:,} samples of {report.data.name} ({report.data.sha256[:8]})"


def _quantities(report: Report) -> dict[tuple[str, str], Quantity]:
    """Everything that is compared, by backend and name."""
    network = report.network
    counted = {"neurons": sum(network.neurons.values()), "synapses": network.synapses, "layers": network.latency}
    found = {(NETWORK, name): Quantity(value, "", "counted", "the NetX file") for name, value in counted.items()}
    found[NETWORK, "accuracy, real-valued"] = report.unquantised_accuracy
    found |= {("NeuroBench", name): quantity for name, quantity in report.benchmark.items()}
    for backend in report.backends:
        for name in LABELS:
            if name in backend.quantities:
                found[backend.name, name] = backend.quantities[name]
    for energy in report.energies:
        parts = {"total": energy.total, **energy.components, "relays": energy.relays, "saved by delays": energy.delays}
        found |= {(energy.table, name): quantity for name, quantity in parts.items()}
    return found
