"""Figure of numbers against their formats, after the profiles of hls4ml: boxes over the range that the format can hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neuro_deploy.report.figures.style import ACCENT, DARK, FAINT, LIGHT, WIDTH, label


@dataclass(frozen=True)
class Row:
    """One population.

    Attributes:
        name: its name.
        quantiles: 0, 5, 25, 50, 75, 95 and 100 % of its magnitudes; None where there are none.
        threshold: at which its neurons fire, or None.
        bound: what cannot be exceeded, or None.
    """

    name: str
    quantiles: tuple[float, ...] | None
    threshold: float | None = None
    bound: float | None = None


@dataclass(frozen=True)
class Format:
    """What a fixed-point number can hold: smallest nonzero and largest magnitude."""

    step: float
    limit: float


def ranges(weights: Sequence[Row], weight: Format, voltages: Sequence[Row], voltage: Format) -> Figure:
    """Magnitudes of weights and voltages, logarithmic, each over the range of its format.

    Args:
        weights: by population.
        weight: their format.
        voltages: by population, in the same order.
        voltage: their format.
    """
    figure = Figure(figsize=(WIDTH, 0.24 * len(weights) + 1.15))
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.1), sharey=True)
    _panel(left, weights, weight)
    _panel(right, voltages, voltage)
    left.set_yticks(range(len(weights)), [label(row.name) for row in weights])
    left.set_title("weights")
    right.set_title("voltages, in units of a weight")
    right.plot([], [], "|", color=ACCENT, markersize=9, markeredgewidth=1.8, label="threshold")
    right.plot([], [], "D", color="white", markeredgecolor=DARK, markersize=4.5, label="bound, whatever the input")
    figure.legend(loc="outside lower right", ncols=2)
    return figure


def _panel(axes: Axes, rows: Sequence[Row], form: Format) -> None:
    for place, row in enumerate(rows):
        axes.barh(place, form.limit - form.step, left=form.step, height=0.86, color=FAINT)
        if row.quantiles is not None:
            least, low, lower, median, upper, high, most = row.quantiles
            for inner, outer, width in ((lower, low, 1.6), (upper, high, 1.6), (low, least, 0.7), (high, most, 0.7)):
                axes.hlines(place, min(inner, outer), max(inner, outer), color=DARK, linewidth=width)
            axes.barh(place, upper - lower, left=lower, height=0.5, facecolor=LIGHT, edgecolor=DARK, linewidth=1)
            axes.vlines(median, place - 0.25, place + 0.25, color=DARK, linewidth=2)
        if row.bound is not None:
            axes.plot(row.bound, place, "D", color="white", markeredgecolor=DARK, markersize=4.5)
        if row.threshold is not None:
            axes.plot(row.threshold, place, "|", color=ACCENT, markersize=11, markeredgewidth=1.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(_power))
    axes.set(xlabel="magnitude", xlim=(form.step / 1.3, 1.6 * form.limit), ylim=(len(rows) - 0.45, -0.55))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _power(value: float, position: int | None = None) -> str:
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"
