"""Repeat, pair, fit: the statistics of all benchmarks, and the plain data that they fill."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        model: the NetX file of the shipped network.
        repeats: repetitions of each measurement; odd, so that the median is one of them.
        quick: smaller inputs, for a first look.
    """

    model: Path
    repeats: int
    quick: bool


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of some values."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Comparison:
    """Some variants of the same work, measured in turns.

    Attributes:
        title: what was measured.
        unit: of the values.
        base: the variant that the others are compared with.
        values: by variant, one for each repetition.
        higher_is_better: False for times, True for rates.
    """

    title: str
    unit: str
    base: str
    values: Mapping[str, Sequence[float]]
    higher_is_better: bool = False

    def speed_up(self, variant: str) -> Spread:
        """How many times faster than the base, from the ratios of the values that were measured side by side."""
        pairs = zip(self.values[variant], self.values[self.base], strict=True)
        return Spread.of([value / base if self.higher_is_better else base / value for value, base in pairs])

    def to_dict(self) -> dict[str, Any]:
        """As it goes into the result file."""
        variants = {
            name: vars(Spread.of(values)) | {"values": [significant(v) for v in values], "speed_up": vars(self.speed_up(name))}
            for name, values in self.values.items()
        }
        return {"title": self.title, "unit": self.unit, "base": self.base, "variants": rounded(variants)}


@dataclass(frozen=True)
class Fit:
    """``y = factor * x ** exponent``."""

    exponent: float
    factor: float
    r2: float


@dataclass(frozen=True)
class Curve:
    """Something over a size.

    Attributes:
        over: name of the size.
        variant: what was measured.
        x: sizes, ascending.
        values: repeated measurements at each size.
        unit: of the values.
        fitted: whether a power law is expected.
    """

    over: str
    variant: str
    x: Sequence[float]
    values: Sequence[Sequence[float]]
    unit: str
    fitted: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As it goes into the result file."""
        spreads = [Spread.of(values) for values in self.values]
        fit = vars(fit_power(self.x, [spread.median for spread in spreads])) if self.fitted else None
        points = [{"x": x, **vars(spread)} for x, spread in zip(self.x, spreads, strict=True)]
        names = {"over": self.over, "variant": self.variant, "unit": self.unit}
        return {**names, "points": rounded(points), "fit": rounded(fit)}


@dataclass(frozen=True)
class Section:
    """What one benchmark found.

    Attributes:
        comparisons: speed-ups.
        curves: scaling.
        facts: single numbers and settings, by name.
        notes: lines for the reader: what was checked, what was skipped and how to have it.
    """

    comparisons: Sequence[Comparison] = ()
    curves: Sequence[Curve] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """As it goes into the result file."""
        return {
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "curves": [curve.to_dict() for curve in self.curves],
            "facts": rounded(dict(self.facts)),
            "notes": list(self.notes),
        }


Measurement = Callable[[], float]
"""Does the work once and returns what was measured."""


def alternate(variants: Mapping[str, Measurement], repeats: int) -> dict[str, list[float]]:
    """Measure all variants in turns, so that a busy machine troubles all of them alike.

    Every other round goes backwards: a machine that gets slower and slower would favour the first otherwise.

    Args:
        variants: by name.
        repeats: rounds.

    Returns:
        By name, in the given order, one value for each round; values of the same round belong together.
    """
    values: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(repeats):
        for name in list(variants)[:: -1 if round_ % 2 else 1]:
            values[name].append(variants[name]())
    return values


def longer(once: Measurement, least: float = 0.1) -> Measurement:
    """The mean of as many runs as take ``least`` seconds in all: a shorter one is at the mercy of whatever interrupts it.

    Args:
        once: returns the seconds that it took; called here once, to see how long that is.
        least: seconds.
    """
    runs = min(100, math.ceil(least / max(once(), 1e-4)))
    return lambda: statistics.fmean(once() for _ in range(runs))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def fit_power(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Least squares of ``log y`` over ``log x``.

    Args:
        x: positive, at least two different values.
        y: positive.

    Returns:
        The power law; ``r2`` is of the logarithms, and 1 where ``y`` is constant (the line explains all there is).
    """
    log_x, log_y = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    exponent, intercept = np.polyfit(log_x, log_y, 1)
    residual = float(((log_y - exponent * log_x - intercept) ** 2).sum())
    total = float(((log_y - log_y.mean()) ** 2).sum())
    return Fit(float(exponent), float(np.exp(intercept)), 1 - residual / total if total > 1e-12 else 1.0)


def require(condition: bool, what: str) -> None:
    """Stop a benchmark whose variants do not compute the same.

    Raises:
        RuntimeError: they do not; an assert could be switched off.
    """
    if not condition:
        raise RuntimeError(f"{what}: the results differ, so their times are not compared")


def significant(value: float, digits: int = 4) -> float:
    """A number with so many significant digits; more are noise in a file that is read by people."""
    return float(f"{value:.{digits}g}")


def rounded(values: Any) -> Any:
    """The same data with every float at four significant digits."""
    if isinstance(values, dict):
        return {key: rounded(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [rounded(value) for value in values]
    return significant(values) if isinstance(values, float) else values


def readable(value: float) -> str:
    """A number for a table: three significant digits, thousands as k, M, G."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= 10 * factor:
            return f"{value / factor:.{0 if value >= 100 * factor else 1}f}{unit}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
