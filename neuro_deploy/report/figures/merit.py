"""Figure of trained models: how often each is right, and how many synaptic operations or multiply-accumulates that takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from neuro_deploy.report.figures.style import ACCENT, DARK, WIDTH, label


@dataclass(frozen=True)
class Point:
    """A model: its name, operations of a sample, accuracy and its standard error (0 to 1), and whether it has spikes."""

    name: str
    operations: float
    accuracy: float
    error: float
    spiking: bool


def tradeoff(points: Sequence[Point]) -> Figure:
    """Accuracy against operations.

    Args:
        points: in any order.
    """
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots()
    spiking = sorted((point for point in points if point.spiking), key=lambda point: point.operations)
    others = [point for point in points if not point.spiking]
    looks: list[tuple[list[Point], dict[str, Any]]] = [
        (spiking, {"color": DARK, "marker": "o", "linestyle": "-", "label": "spiking: SynOps"}),
        (
            others,
            {"color": ACCENT, "marker": "s", "linestyle": "none", "markerfacecolor": "white", "label": "without spikes: MACs"},
        ),
    ]
    for group, look in looks:
        if group:
            x, y, error = zip(*((p.operations, 100 * p.accuracy, 100 * p.error) for p in group), strict=True)
            axes.errorbar(x, y, error, linewidth=1.2, elinewidth=0.7, capsize=2, markersize=5, **look)
    for point in points:  # below and to the right of a curve that rises there is room
        place = (point.operations, 100 * point.accuracy)
        axes.annotate(label(point.name), place, (5, -4), textcoords="offset points", fontsize=8, va="top")
    axes.set(xscale="log" if others else "linear", xlabel="operations of one sample", ylabel="test accuracy, %")
    if not others:
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.15, y=0.12)
    axes.legend(loc="upper left")
    axes.grid(axis="y")
    return figure
