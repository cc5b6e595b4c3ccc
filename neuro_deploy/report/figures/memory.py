"""Figure of the Legendre memory: what is written, the real-valued state, the spikes that stand for it, and what it remembers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from neuro_deploy.report.figures.style import ACCENT, DARK, FAINT, LIGHT, MIDDLE, WIDTH, label

SHOWN = 8
"""Orders that are drawn, from the lowest: the higher ones are small and fast."""


def memory(
    writes: Sequence[int], states: ArrayLike, spikes: Sequence[Sequence[int]], window: ArrayLike, names: tuple[str, str]
) -> Figure:
    """One channel of the memory over one sample.

    Args:
        writes: steps at which the writing neuron fires.
        states: real-valued memory [order, T].
        spikes: by order, steps at which the neuron that stands for it fires.
        window: the remembered past at the last step, by lag from 0.
        names: of the population that writes and of the one that stands for the memory.
    """
    values = np.asarray(states)[:SHOWN]
    order, steps = np.asarray(states).shape
    figure = Figure(figsize=(WIDTH, 4.6))
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
    _states(left, writes, values, spikes, names)
    _window(right, writes, np.asarray(window), steps, order, names[0])
    return figure


def _states(
    axes: Axes, writes: Sequence[int], values: NDArray[np.float64], spikes: Sequence[Sequence[int]], names: tuple[str, str]
) -> None:
    """A row for each order: the state as a line, its neuron's spikes as ticks on the row's zero."""
    steps = values.shape[1]
    axes.eventplot([list(writes)], lineoffsets=[-1], linelengths=0.5, colors=ACCENT, linewidths=1.6)
    for row, (state, fired) in enumerate(zip(values, spikes, strict=False)):
        scale = 0.42 / max(float(np.abs(state).max()), 1e-9)
        axes.axhline(row, color=FAINT, linewidth=0.7)
        axes.plot(range(steps), row - scale * state, color=MIDDLE, linewidth=1.3)
        axes.eventplot([list(fired)], lineoffsets=[row], linelengths=0.3, colors=DARK, linewidths=1.3)
    labels = [label(names[0]), *(f"order {row}" for row in range(len(values)))]
    axes.set_yticks(range(-1, len(values)), labels)
    axes.set(ylim=(len(values) - 0.4, -1.5), xlim=(-1, steps), xlabel="model step")
    axes.set_title(f"state (line) and spikes of {label(names[1])} (ticks)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _window(axes: Axes, writes: Sequence[int], window: NDArray[np.float64], steps: int, order: int, name: str) -> None:
    """What the polynomials say of the past, beside the spikes that were written, smoothed to the memory's resolution."""
    lags = np.arange(len(window))
    train = np.zeros(steps)
    train[list(writes)] = 1
    width = len(window) / (2 * order)
    kernel = np.exp(-0.5 * (np.arange(-int(3 * width), int(3 * width) + 1) / width) ** 2)
    smooth = np.convolve(train, kernel / kernel.sum())[int(3 * width) :][:steps][::-1][: len(window)]
    fired = [steps - 1 - step for step in writes if steps - 1 - step < len(window)]
    floor = min(0.0, float(window.min()), -0.05)
    axes.fill_between(lags, smooth, color=LIGHT, label=f"spikes of {label(name)}, smoothed")
    axes.plot(lags, window, color=DARK, label="remembered")
    axes.eventplot([fired], lineoffsets=[1.35 * floor], linelengths=abs(0.4 * floor), colors=ACCENT, linewidths=1.6)
    top = 1.3 * max(1, float(window.max()), float(smooth.max()))
    axes.set(xlim=(len(window) - 0.5, -0.5), ylim=(1.7 * floor, top), xlabel="steps before the last", ylabel="spikes per step")
    axes.set_title(f"the past of {label(name)}, remembered")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.02))
