"""Which figures a report has: its data as the plain arrays that each of them draws."""

from collections.abc import Mapping, Sequence

from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.figures import answers, energy, memory, ranges, spikes
from neuro_deploy.report.figures.style import image
from neuro_deploy.report.model import EnergyModel, Report
from neuro_deploy.report.views import Box


def draw(report: Report) -> dict[str, str]:
    """All figures, as ``data:`` addresses by name."""
    known = [e for e in report.energies if e.total.value is not None]
    found = {
        "rates": image(spikes.rates, report.rates),
        "raster": image(spikes.raster, report.sample.input, _events(report)),
        "steps": image(
            answers.over_steps,
            report.answers.right,
            report.answers.settled,
            report.data.samples,
            len(report.network.classes),
        ),
        "ranges": _ranges(report),
        "cost": image(energy.cost, [row for row in _costs(report) if row.latency or row.energy]),
        "components": image(energy.components, [(e.table, _values(e.components)) for e in known]),
        "relays": image(energy.relays, [(e.table, _relays(e)) for e in known]),
    }
    if report.answers.confusion is not None:
        found["confusion"] = image(answers.confusion, report.answers.confusion, report.network.classes)
    for index, part in enumerate(report.memories):
        names = (part.source, part.target)
        found[f"memory-{index}"] = image(memory.memory, part.writes, part.states, part.spikes, part.window, names)
    shown = detailed(report)
    if shown is not None:
        found["shares"] = image(energy.shares, _shares(shown))
    return found


def detailed(report: Report) -> EnergyModel | None:
    """The energy that is shown by population: that of a table which knows most of the components, the first of such."""
    known = [model for model in report.energies if model.total.value is not None]
    return max(known, key=lambda model: sum(bool(part.value) for part in model.components.values()), default=None)


def _events(report: Report) -> list[spikes.Events]:
    return [(part.name, part.neurons, part.steps, part.indices) for part in report.sample.populations]


def _ranges(report: Report) -> str:
    found = report.ranges
    weight = ranges.Format(found.weight_step, found.weight_limit)
    voltage = ranges.Format(found.voltage_step, found.voltage_limit)
    return image(ranges.ranges, _rows(found.weights), weight, _rows(found.voltages), voltage)


def _rows(boxes: Sequence[Box]) -> list[ranges.Row]:
    return [ranges.Row(box.name, box.quantiles, box.threshold, box.bound) for box in boxes]


def _costs(report: Report) -> list[energy.Cost]:
    return [
        energy.Cost(backend.name, _mark(backend.quantities.get("latency")), _mark(backend.quantities.get("energy")))
        for backend in report.backends
    ]


def _mark(quantity: Quantity | None) -> tuple[float, bool] | None:
    """Value, and whether it was measured; a logarithmic axis has no place for zero."""
    return (quantity.value, quantity.kind == "measured") if quantity is not None and quantity.value else None


def _values(quantities: Mapping[str, Quantity]) -> dict[str, float]:
    return {name: quantity.value for name, quantity in quantities.items() if quantity.value is not None}


def _relays(model: EnergyModel) -> dict[str, float]:
    total, cost, saved = (quantity.value or 0.0 for quantity in (model.total, model.relays, model.delays))
    return {"model": total - cost, "overhead that stays": cost - saved, "saved by delays": saved}


def _shares(model: EnergyModel) -> list[tuple[str, dict[str, float]]]:
    rows: dict[str, dict[str, float]] = {}
    for share in model.shares:
        row = rows.setdefault(share.population, {})
        row[share.role] = row.get(share.role, 0.0) + share.energy
    return list(rows.items())
