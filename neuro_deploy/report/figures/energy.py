"""Figures of what an inference costs: latency and energy by backend, energy by component, by population, and of the overhead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator

from neuro_deploy.report.figures.style import ACCENT, COMPONENTS, DARK, FAINT, ROLES, WIDTH, label
from neuro_deploy.report.readable import with_unit

Parts = Mapping[str, float]
"""Joules by the name of the part."""

_ROW = 0.3
"""Inches of a row."""


@dataclass(frozen=True)
class Cost:
    """One backend: value and whether it was measured (or else modelled), None where there is none."""

    name: str
    latency: tuple[float, bool] | None
    energy: tuple[float, bool] | None


def cost(rows: Sequence[Cost]) -> Figure:
    """Latency and energy of one inference side by side.

    Args:
        rows: the backends, from the top; latency in seconds, energy in joules.
    """
    figure = Figure(figsize=(WIDTH, _ROW * len(rows) + 0.85))
    left, right = figure.subplots(1, 2, sharey=True)
    for place in range(len(rows)):
        for axes in (left, right):
            axes.axhline(place, color=FAINT, linewidth=0.8)
    _marks(left, [row.latency for row in rows], "s")
    _marks(right, [row.energy for row in rows], "J")
    left.set_yticks(range(len(rows)), [label(row.name) for row in rows], fontsize=8)
    left.set(ylim=(len(rows) - 0.4, -0.6), title="latency")
    right.set(title="energy")
    return figure


def _marks(axes: Axes, values: Sequence[tuple[float, bool] | None], unit: str) -> None:
    for place, value in enumerate(values):
        if value is not None:
            number, measured = value
            axes.plot(number, place, "o", color=DARK if measured else "white", markeredgecolor=DARK, markersize=6)
            _label(axes, number, place, unit)
    shown = [value[0] for value in values if value is not None]
    if shown:
        axes.set_xscale("log")
        axes.set_xlim(0.4 * min(shown), 25 * max(shown))
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_major_formatter(EngFormatter(unit))
    else:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "no numbers", transform=axes.transAxes, ha="center", color="0.4")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def components(rows: Sequence[tuple[str, Parts]]) -> Figure:
    """Energy of one inference by cost table, split into its components.

    Args:
        rows: for each table its name and its parts.
    """
    return _stacks(rows, COMPONENTS, _ROW + 0.08)


def shares(rows: Sequence[tuple[str, Parts]]) -> Figure:
    """Energy of one inference by population, split by what the neurons are.

    Args:
        rows: for each population its name and its parts by role.
    """
    return _stacks(rows, ROLES, 0.26)


def relays(rows: Sequence[tuple[str, Parts]]) -> Figure:
    """What the model costs and what its overhead costs, by cost table.

    Args:
        rows: for each table its name, and joules of ``model``, ``overhead that stays`` and ``saved by delays``.
    """
    styles = {
        "model": ROLES["compute"],
        "overhead that stays": ROLES["relay"],
        "saved by delays": {"facecolor": "white", "edgecolor": ACCENT, "hatch": "xxxx"},
    }
    return _stacks(rows, styles, _ROW + 0.08)


def _stacks(rows: Sequence[tuple[str, Parts]], styles: Mapping[str, Mapping[str, Any]], height: float) -> Figure:
    """A horizontal bar a row, its parts one after the other, its sum at the end."""
    figure = Figure(figsize=(WIDTH, height * len(rows) + 0.95))
    axes = figure.subplots()
    names = [name for name in styles if any(parts.get(name) for _, parts in rows)]
    places = range(len(rows))
    ends = [0.0] * len(rows)
    for name in names:
        widths = [parts.get(name, 0.0) for _, parts in rows]
        axes.barh(places, widths, left=ends, height=0.72, label=name, linewidth=0.6, **{"edgecolor": DARK} | dict(styles[name]))
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for place, end in zip(places, ends, strict=True):
        _label(axes, end, place, "J")
    axes.set_yticks(places, [label(name) for name, _ in rows])
    axes.set(ylim=(len(rows) - 0.45, -0.55), xlim=(0, 1.14 * max([*ends, 1e-15])), xlabel="energy of one inference")
    axes.xaxis.set_major_formatter(EngFormatter("J"))
    axes.tick_params(axis="y", length=0)
    if len(names) > 1:
        figure.legend(loc="outside upper right", ncols=len(names))
    return figure


def _label(axes: Axes, value: float, place: int, unit: str) -> None:
    """Write a value to the right of where it is drawn, over whatever line passes there."""
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "bbox": behind}
    axes.annotate(with_unit(value, unit), (value, place), (7, 0), **style)
