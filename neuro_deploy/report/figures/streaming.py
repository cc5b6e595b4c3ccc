"""Figure of the answers before a sample's end: by the share of it that was fed, and at a confidence."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro_deploy.report.figures.style import ACCENT, DARK, MIDDLE, WIDTH

Points = Sequence[tuple[float, float]]
"""Share of a sample that was fed, and accuracy; both 0 to 1."""

Exit = tuple[float | None, float, float]
"""Confidence, mean steps, and accuracy, 0 to 1; None is no confidence: every sample is fed to its end."""

CLOSE = 0.1, 0.06
"""Shares of the axes within which points have one label together."""


def streaming(all_steps: Points, own_sound: Points | None, exits: Sequence[Exit], steps: int, classes: int) -> Figure:
    """Accuracy against the share of a sample that was fed, and against the mean steps of early exits.

    Args:
        all_steps: fractions of all steps.
        own_sound: fractions of the recordings alone, or None.
        exits: by rising confidence; empty: left out.
        steps: T.
        classes: for the line of guessing.
    """
    figure = Figure(figsize=(WIDTH, 3.0))
    left, *right = figure.subplots(1, 2 if exits else 1, squeeze=False)[0]
    _fractions(left, all_steps, own_sound, classes)
    if exits:
        _exits(right[0], exits, steps)
    return figure


def _fractions(axes: Axes, all_steps: Points, own_sound: Points | None, classes: int) -> None:
    axes.plot(*_percent(all_steps), color=DARK, linewidth=1.8, label="of all steps")
    if own_sound is not None:
        axes.plot(*_percent(own_sound), color=ACCENT, linewidth=1.6, linestyle=(0, (4, 1.6)), label="of the recording alone")
    axes.axhline(100 / classes, color=MIDDLE, linewidth=1, linestyle=":", label="chance")
    axes.set(title="A part of each sample", xlim=(0, 100), ylim=(0, 101), xlabel="part of each sample, %", ylabel="accuracy, %")
    axes.legend(loc="best")
    axes.grid(axis="y")


def _exits(axes: Axes, exits: Sequence[Exit], steps: int) -> None:
    x, y = [mean for _, mean, _ in exits], [100 * accuracy for _, _, accuracy in exits]
    axes.plot(x, y, color=DARK, marker="o", markersize=4, linewidth=1.2)
    groups = _close_together(x, y)
    for group in groups[:-1]:
        place = x[group[0]], y[group[0]]
        axes.annotate(_name(exits, group), place, (4, -3), textcoords="offset points", fontsize=8, ha="left", va="top")
    # The axis ends at the last point, so its label is to the left.
    axes.annotate(
        _name(exits, groups[-1]), (x[-1], y[-1]), (4, 4), textcoords="offset points", fontsize=8, ha="right", va="bottom"
    )
    axes.set(title="Early exit at a confidence", xlabel=f"mean steps until the exit, of {steps}", ylabel="accuracy, %")
    axes.margins(x=0.06, y=0.15)
    axes.grid(axis="y")


def _name(exits: Sequence[Exit], group: Sequence[int]) -> str:
    """The confidences of some points: ``0.5``, ``0.5 to 0.7``, ``0.99 to the end``."""
    ends = ["the end" if threshold is None else f"{threshold:g}" for threshold in (exits[group[0]][0], exits[group[-1]][0])]
    if len(group) > 1:
        return " to ".join(ends)
    return "to the end" if exits[group[0]][0] is None else ends[0]


def _close_together(x: Sequence[float], y: Sequence[float]) -> list[list[int]]:
    """Indices of neighbouring points whose labels would lie upon each other."""
    width, height = CLOSE[0] * (max(x) - min(x)), CLOSE[1] * (max(y) - min(y))
    groups = [[0]]
    for index in range(1, len(x)):
        first = groups[-1][0]
        if abs(x[index] - x[first]) <= width and abs(y[index] - y[first]) <= height:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _percent(points: Points) -> tuple[list[float], list[float]]:
    return [100 * x for x, _ in points], [100 * y for _, y in points]
