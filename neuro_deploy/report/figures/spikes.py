"""Figures of spikes: one sample through all populations, and how often each population fires."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from neuro_deploy.report.figures.style import ACCENT, DARK, FAINT, MIDDLE, WIDTH, label

Events = tuple[str, int, Sequence[int], Sequence[int]]
"""A population: its name, its neurons, and for each spike the step and the neuron, both 0-based."""

_LEAST = 0.55
"""Inches that a population has at least; a large one has more, but less than its neurons ask for."""


def raster(frames: ArrayLike, populations: Sequence[Events]) -> Figure:
    """Every spike of one sample, the input on top, then the populations in the order of the data flow.

    The marks are drawn as pixels: as lines they would make a megabyte.

    Args:
        frames: encoded input, integers [T, channels].
        populations: what fired.
    """
    values = np.asarray(frames)
    steps, channels = values.shape
    heights = [0.5, *(max(_LEAST, 0.09 * neurons**0.5) for _, neurons, _, _ in populations)]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.6))
    grid = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    if channels == 1:
        grid[0].bar(range(steps), values[:, 0], width=0.8, color=ACCENT, rasterized=steps > 256)
    else:
        grid[0].imshow(values.T, aspect="auto", cmap="Greys", interpolation="nearest", origin="lower")
    grid[0].set(ylabel="input")
    width = 0.5 * 72 * WIDTH / steps
    for axes, height, (name, neurons, fired, indices) in zip(grid[1:], heights[1:], populations, strict=True):
        mark = {"marker": "|", "markersize": max(0.9, 0.9 * 72 * height / neurons), "markeredgewidth": width}
        axes.plot(fired, indices, linestyle="none", color=DARK, rasterized=True, **mark)
        axes.set(ylim=(neurons - 0.5, -0.5), yticks=[])
        axes.set_ylabel(label(name), fontweight="bold")
        axes.text(1.01, 0.5, f"{neurons}", transform=axes.transAxes, va="center", color="0.35")
    grid[0].text(1.01, 0, "neurons", transform=grid[0].transAxes, va="center", color="0.35")
    for axes in grid:
        axes.yaxis.label.set(rotation=0, ha="right", va="center")
        axes.tick_params(length=2)
        axes.spines["bottom"].set_visible(axes is grid[-1])
        axes.tick_params(axis="x", bottom=axes is grid[-1])
    grid[-1].set(xlim=(-1, steps), xlabel="model step")
    figure.align_ylabels(grid)
    figure.set_layout_engine("constrained", hspace=0.01, h_pad=0.01)
    return figure


def rates(populations: Mapping[str, float]) -> Figure:
    """How often each population fires.

    Args:
        populations: spikes per neuron and step, by name.
    """
    figure = Figure(figsize=(WIDTH, 0.21 * len(populations) + 0.65))
    axes = figure.subplots()
    values = [100 * rate for rate in populations.values()]
    axes.hlines(range(len(values)), 0, values, color=MIDDLE, linewidth=1.2)
    axes.plot(values, range(len(values)), "o", color=DARK, markersize=5)
    for place, value in enumerate(values):
        axes.annotate(f"{value:.1f}", (value, place), (7, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set_yticks(range(len(values)), list(map(label, populations)))
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.12 * max([*values, 1e-3])), xlabel="spikes in 100 neuron-steps")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(FAINT)
    return figure
