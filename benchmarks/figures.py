"""Figures of the result file, readable in black and white."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot, ticker

from benchmarks.measure import readable

Values = Mapping[str, Any]

_GREYS = ("black", "0.45", "0.7")
_MARKERS = ("o", "s", "^", "D")
_LINES = ("-", "--", ":", "-.")
_STYLE = {
    "svg.hashsalt": "neuro_deploy",  # the same numbers give the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}

_UNITS = {
    "channels": "channels",
    "steps": "chip steps of a sample",
    "samples": "samples of a run",
    "memory length": "memory length, steps",
    "firing rate": "spikes per neuron and step",
}


def draw(results: Values, folder: Path) -> list[Path]:
    """Draw what the results have.

    Args:
        results: the content of the result file.
        folder: where the figures go.

    Returns:
        The files.
    """
    sections = results["sections"]
    figures: dict[str, Any] = {}
    with pyplot.rc_context(_STYLE):
        bars = _bars(sections)
        if bars:
            figures["speedup"] = _speed_up(bars)
        rates = _rates(sections)
        if rates:
            figures["simulators"] = _simulators(rates)
        if "scaling" in sections:
            figures["scaling"] = _scaling(sections["scaling"]["curves"])
        if "roofline" in sections:
            figures["roofline"] = _roofline(sections["roofline"])
        paths = [folder / f"{name}.svg" for name in figures]
        for path, figure in zip(paths, figures.values(), strict=True):
            figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
            pyplot.close(figure)
    return paths


def _bars(sections: Values) -> list[tuple[str, str, Values]]:
    """What was compared, the variant, its speed-up."""
    found = []
    for section in ("training", "lava", "backends"):
        for comparison in sections.get(section, {"comparisons": []})["comparisons"]:
            if comparison["unit"].startswith(("synaptic", "neuron-steps")):
                continue  # the same ratios again
            for name, variant in comparison["variants"].items():
                if name != comparison["base"]:
                    found.append((comparison["title"], f"{name} / {comparison['base']}", variant["speed_up"]))
    return found


def _speed_up(bars: Sequence[tuple[str, str, Values]]) -> Any:
    figure, axes = pyplot.subplots(figsize=(7.2, 0.36 * len(bars) + 0.9))
    titles = list(dict.fromkeys(title for title, _, _ in bars))
    hatches = ("", "//", "..", "xx", "\\\\", "--", "oo")
    for index, (title, _, ratio) in enumerate(bars):
        errors = [[ratio["median"] - ratio["low"]], [ratio["high"] - ratio["median"]]]
        axes.barh(
            index,
            ratio["median"],
            xerr=errors,
            height=0.7,
            color="0.85",
            edgecolor="black",
            hatch=hatches[titles.index(title) % len(hatches)],
            error_kw={"capsize": 3, "elinewidth": 1.2},
        )
        axes.annotate(f"{readable(ratio['median'])}x", (ratio["high"], index), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(bars)), [f"{title}:\n{label}" for title, label, _ in bars], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(0.7 * min(1, *(ratio["low"] for _, _, ratio in bars)), 3 * max(ratio["high"] for _, _, ratio in bars))
    axes.set_xlabel("times faster (median of the pairs; whiskers: lowest and highest)")
    return figure


def _rates(sections: Values) -> dict[str, Values]:
    """Neuron-steps a second of everything that ran the shipped network, slowest first."""
    found: dict[str, Values] = {}
    for section in ("emulators", "backends"):  # the latter has more samples
        for comparison in sections.get(section, {"comparisons": []})["comparisons"]:
            if comparison["unit"] == "neuron-steps/s":
                found |= comparison["variants"]
    return dict(sorted(found.items(), key=lambda item: float(item[1]["median"])))


def _simulators(rates: Mapping[str, Values]) -> Any:
    figure, axes = pyplot.subplots(figsize=(6.4, 0.36 * len(rates) + 0.9))
    for index, rate in enumerate(rates.values()):
        errors = [[rate["median"] - rate["low"]], [rate["high"] - rate["median"]]]
        axes.barh(index, rate["median"], xerr=errors, height=0.7, color="0.85", edgecolor="black", error_kw={"capsize": 3})
        axes.annotate(readable(rate["median"]), (rate["high"], index), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(rates)), list(rates))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(0.3 * min(rate["low"] for rate in rates.values()), 5 * max(rate["high"] for rate in rates.values()))
    axes.set_xlabel("neuron-steps per second (median; whiskers: lowest and highest)")
    return figure


def _scaling(curves: Sequence[Values]) -> Any:
    sizes = list(dict.fromkeys(curve["over"] for curve in curves))
    rows = -(-len(sizes) // 3)
    figure, grid = pyplot.subplots(rows, 3, figsize=(9.6, 3.0 * rows), squeeze=False, layout="constrained")
    for axes in grid.flat[len(sizes) :]:
        axes.set_visible(False)
    for axes, over in zip(grid.flat, sizes, strict=False):
        shown = [curve for curve in curves if curve["over"] == over]
        for index, curve in enumerate(shown):
            _points(axes, curve, index)
            _line(axes, curve, index)
        unit = shown[0]["unit"]
        axes.set(xscale="log", yscale="log", xlabel=_UNITS.get(over, over), ylabel=f"{unit} per sample")
        _label(axes, [point["x"] for point in shown[0]["points"]], readable)
        axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        axes.margins(y=0.2)
        axes.legend(fontsize=7)
    return figure


def _points(axes: Any, curve: Values, index: int, **more: Any) -> None:
    """Medians, and whiskers from the lowest to the highest."""
    x, median, low, high = ([point[key] for point in curve["points"]] for key in ("x", "median", "low", "high"))
    errors = [[m - lowest for m, lowest in zip(median, low, strict=True)], [h - m for h, m in zip(high, median, strict=True)]]
    style = {"marker": _MARKERS[index], "color": _GREYS[index], "linestyle": "none", "markersize": 5, "capsize": 2}
    axes.errorbar(x, median, errors, **style | more)


def _line(axes: Any, curve: Values, index: int) -> None:
    """The fitted power law; the legend names its exponent."""
    ends = [curve["points"][0]["x"], curve["points"][-1]["x"]]
    fit = curve["fit"]
    heights = [fit["factor"] * x ** fit["exponent"] for x in ends]
    label = f"{curve['variant']}: $x^{{{fit['exponent']:.2f}}}$, $R^2$ = {fit['r2']:.3f}"
    # The marker is of the points; a line of two ends alone would not show whose it is.
    style = {"color": _GREYS[index], "linestyle": _LINES[index], "linewidth": 1}
    axes.plot(ends, heights, **style)
    axes.plot([], [], marker=_MARKERS[index], markersize=5, label=label, **style)


def _label(axes: Any, places: Sequence[float], text: Callable[[float], str]) -> None:
    """Name the measured sizes, and no others, on a logarithmic axis."""
    axes.xaxis.set_major_locator(ticker.FixedLocator(places))
    axes.xaxis.set_major_formatter(ticker.FixedFormatter([text(place) for place in places]))
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _roofline(section: Values) -> Any:
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for index, curve in enumerate(section["curves"]):
        _points(axes, curve, index, linestyle=_LINES[index], label=curve["variant"])
    facts = section["facts"]
    for index, (name, variant) in enumerate(section["comparisons"][0]["variants"].items()):
        share = facts[f"% of the triad at this working set, {name.partition(', ')[2]}"]
        label = f"{name}: {variant['median']:.3g} GB/s, {share:.0f} % of the triad there"
        style: dict[str, Any] = {"color": _GREYS[index], "markerfacecolor": "white", "markersize": 9, "linestyle": "none"}
        axes.plot(facts["working set KiB"], variant["median"], marker=_MARKERS[2 + index], label=label, **style)
    axes.set(xscale="log", yscale="log", ylim=(1, None), xlabel="working set of a core", ylabel="GB/s loaded and stored")
    _label(axes, [point["x"] for point in section["curves"][0]["points"]], _kibibytes)
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.grid(color="0.9")
    title = f"1 core reaches {facts['% of the roof, 1 core']:.0f} % of plain loops over the same bytes"
    axes.legend(fontsize=8, loc="lower left", title=title, title_fontsize=8, alignment="left")
    return figure


def _kibibytes(size: float) -> str:
    return f"{size:g} KiB" if size < 1024 else f"{size / 1024:g} MiB"
