"""What a network is, as tables for the terminal and as JSON."""

import itertools
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from neuro_deploy.report.tables import plain_table
from neuro_deploy.workbench.examination import EDGES, Examination, LayerFacts, Weights

_BARS = " ▁▂▃▄▅▆▇█"

_OVERFLOWS = 3
"""Cores that are too small are shown up to so many."""

FORMAT = 1
"""Raised whenever a key of the JSON changes its meaning or goes."""


def examination_json(found: Examination) -> dict[str, Any]:
    """All of it as plain data; ``weights`` of a layer have their ``bits`` too, and ``edges`` are those of the histograms."""
    values = asdict(found)
    for layer, facts in zip(values["layers"], found.layers, strict=True):
        for weights, of in zip(layer["weights"], facts.weights, strict=True):
            weights["bits"] = round(of.bits, 2)
    return {"format_version": FORMAT, "edges": EDGES, **values}


def examination_tables(found: Examination) -> RenderableType:
    """Layers, weights, notes, rules and backends."""
    parts: list[RenderableType] = [_layers(found), _weights(found)]
    parts += [Text(f"note: {note}") for note in found.notes]
    parts += [Text(f"note: with the worst input, {risk}") for risk in found.risks]
    parts += [Text(f"note: Loihi 1: {overflow}") for overflow in found.overflows[:_OVERFLOWS]]
    if (more := len(found.overflows) - _OVERFLOWS) > 0:
        parts.append(Text(f"note: Loihi 1: {more:,} more cores and limits of this kind"))
    parts += [Text(f"violated: {violation}", style="bold red") for violation in found.violations]
    if not found.violations:
        parts.append(Text("no rule of the chip is violated", style="green"))
    parts.append(_backends(found))
    return Group(*parts)


def _layers(found: Examination) -> RenderableType:
    shape = f" ({_shape(found.input_shape)})" if found.input_shape else ""
    title = (
        f"{found.name}: {found.neurons:,} neurons, {found.synapses:,} synapses; {found.input:,} input channels{shape}, "
        f"{found.message_bits} message bits; latency {found.latency} steps; "
        f"{found.cores:,} cores of Loihi 1"
    )
    names = ("layer", "type", "shape", "neurons", "of type", "parameters", "steps\nlate")
    table = plain_table(title, names, left=("type", "shape", "of type", "parameters"))
    for layer in found.layers:
        parameters = ", ".join(f"{name.replace('_', ' ')} {_between(*span)}" for name, span in layer.parameters.items())
        table.add_row(
            f"{layer.index}", layer.kind, _shape(layer.shape), f"{layer.neurons:,}", layer.type, parameters, f"{layer.depth}"
        )
    return table


def _weights(found: Examination) -> RenderableType:
    names = ("layer", "synapses", "", "messages", "weights", "step", "bits\nin use", "zero\n%", "magnitudes", "delays")
    table = plain_table("synapses", names, left=("synapses", "messages", "weights", "magnitudes", "delays"))
    spans = (f"{low}" if high == low + 1 else f"{low} to {high - 1}" for low, high in itertools.pairwise(EDGES))
    table.caption = f"Magnitudes: how many weights are {', '.join(spans)}."
    for layer in found.layers:
        for weights in layer.weights:
            table.add_row(*_row(layer, weights))
    return table


def _row(layer: LayerFacts, weights: Weights) -> tuple[str, ...]:
    return (
        f"{layer.index}",
        weights.what,
        f"{weights.synapses:,}",
        "graded" if weights.graded else "spikes",
        _between(weights.lowest, weights.highest),
        f"{weights.step}",
        f"{weights.bits:.1f}",
        f"{100 * weights.zeros:.0f}",
        _bars(weights.histogram),
        _between(*weights.delays) if weights.delays[1] else "",
    )


def _backends(found: Examination) -> RenderableType:
    table = plain_table("backends", ("name", "runs it"), left=("name", "runs it"))
    for name, reason in found.backends.items():
        table.add_row(name, Text("exactly", style="green") if reason is None else Text(f"no: {reason}"))
    return table


def _bars(counts: tuple[int, ...]) -> str:
    """One character for each count; whatever is not nothing is seen."""
    highest = max(max(counts), 1)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // highest)] for count in counts)


def _between(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
