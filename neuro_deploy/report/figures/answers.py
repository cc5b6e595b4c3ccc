"""Figures of the answers: right ones step by step, and what was taken for what."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from rich.cells import cell_len

from neuro_deploy.report.figures.style import ACCENT, DARK, FAINT, MIDDLE, WIDTH, label


def over_steps(right: Sequence[int] | None, settled: Sequence[int], samples: int, classes: int) -> Figure:
    """How soon the answer is right, and how soon it no longer changes.

    Args:
        right: samples whose answer so far is right, after 1 to T steps; None where nobody knows the classes.
        settled: samples whose answer so far stays.
        samples: of how many.
        classes: for the line of guessing.
    """
    figure = Figure(figsize=(WIDTH, 2.7))
    axes = figure.subplots()
    steps, middle = np.arange(1, len(settled) + 1), len(settled) // 2
    if right is not None:
        axes.plot(steps, 100 * np.asarray(right) / samples, color=DARK, linewidth=1.8)
        place = steps[middle], 100 * right[middle] / samples
        axes.annotate("right", place, (-6, 6), textcoords="offset points", ha="right")
        axes.axhline(100 / classes, color=MIDDLE, linewidth=1, linestyle=":")
        axes.annotate("chance", (len(right), 100 / classes), (0, 3), textcoords="offset points", ha="right", color="0.4")
    axes.plot(steps, 100 * np.asarray(settled) / samples, color=ACCENT, linewidth=1.6, linestyle=(0, (4, 1.6)))
    axes.annotate(
        "settled", (steps[middle], 100 * settled[middle] / samples), (8, -8), textcoords="offset points", color=ACCENT
    )
    axes.set(xlim=(1, max(2, len(settled))), ylim=(0, 101), xlabel="steps of the sample read", ylabel="samples, %")
    axes.grid(axis="y")
    return figure


def confusion(counts: ArrayLike, classes: Sequence[str]) -> Figure:
    """Samples by true class and answer; the mistakes stand out.

    Args:
        counts: integers [true class, answer].
        classes: names.
    """
    table = np.asarray(counts)
    number, names = len(classes), [label(name, 24) for name in classes]
    longest = max(map(cell_len, names))
    side = 0.36 * number + 0.08 * max(0, longest - 8)
    figure = Figure(figsize=(min(WIDTH, 1.6 + side), min(WIDTH, 1.2 + side)))
    axes = figure.subplots()
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.sqrt(shares), cmap="Greys", vmin=0, vmax=1.35)
    size = 9 if number <= 12 else 5.5
    for row, column in np.argwhere(table):
        wrong = row != column
        colour = ACCENT if wrong else ("white" if shares[row, column] > 0.3 else "black")
        text: dict[str, Any] = {"color": colour, "fontsize": size, "fontweight": "bold" if wrong else "normal"}
        axes.text(column, row, f"{table[row, column]}", ha="center", va="center", **text)
    axes.set_xticks(range(number), names, rotation=90 if longest > 2 else 0)
    axes.set_yticks(range(number), names)
    axes.set_xticks(np.arange(number + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(number + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="answer", ylabel="true class")
    return figure
