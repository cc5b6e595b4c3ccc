"""How the time of a sample grows with each size, in the NumPy and in the compiled backend."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import random_networks, shipped
from benchmarks.measure import Curve, Section, Settings, alternate, longer, require
from neuro_deploy.backends import Backend
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.network import Network


def _samples(settings: Settings) -> int:
    return 8 if settings.quick else 32


_DRIVES = (-0.3, 0.0, 0.3, 0.7, 1.3)


@dataclass(frozen=True)
class _Point:
    """One network and how many samples run through it; ``x`` is the size, or None where only the run will tell."""

    over: str
    x: float | None
    network: Network
    samples: int


def measure(settings: Settings) -> Section:
    """A curve for each size and backend."""
    x: dict[str, list[float]] = {}
    values: dict[tuple[str, str], list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for point in _points(Path(folder), settings):
            size, times = _measure(point, settings.repeats)
            x.setdefault(point.over, []).append(size)
            for variant, seconds in times.items():
                values.setdefault((point.over, variant), []).append(seconds)
    curves = []
    for (over, variant), found in values.items():
        order = sorted(range(len(found)), key=x[over].__getitem__)
        curves.append(Curve(over, variant, [x[over][i] for i in order], [found[i] for i in order], "ms"))
    facts = {"samples": _samples(settings), **{f"base: {key}": value for key, value in _base().items()}}
    notes = [
        "LMUFormers with random weights; one size at a time is changed, the others are those of the base. Milliseconds a sample.",
        "Every spike and read-out of both backends was compared before each measurement: the same.",
        "Steps are those of the chip, with latency and silent steps; the rate is of all neurons and those steps.",
        "fast runs on one core here; integer has what NumPy's matrix product takes.",
    ]
    return Section(curves=curves, facts=facts, notes=notes)


def _base() -> dict[str, int]:
    return {"channels": 32, "model steps": 64, "memory length": 32, "memory channels": 4, "memory order": 8}


def _points(folder: Path, settings: Settings) -> Iterator[_Point]:
    def cut(values: tuple[float, ...]) -> tuple[float, ...]:
        return values[:: len(values) - 1 if len(values) < 4 else 2] if settings.quick else values

    base, count = random_networks.make(folder), _samples(settings)
    for channels in cut((16, 32, 64, 128, 192)):
        yield _Point("channels", channels, random_networks.make(folder, channels=int(channels)), count)
    for steps in cut((32, 64, 128, 256, 512)):
        network = random_networks.make(folder, steps=int(steps))
        yield _Point("steps", steps + network.manifest.latency + network.manifest.gap, network, count)
    for length in cut((16, 32, 64, 128, 256)):
        yield _Point("memory length", length, random_networks.make(folder, memory_length=int(length)), count)
    for samples in cut((1, 4, 16, 64, 256)):
        yield _Point("samples", samples, base, int(samples))
    for drive in cut(_DRIVES):
        yield _Point("firing rate", None, random_networks.make(folder, drive=drive), count)


def _measure(point: _Point, repeats: int) -> tuple[float, dict[str, list[float]]]:
    """The size, and milliseconds a sample of each backend."""
    backends: dict[str, Backend] = {"integer": IntegerBackend(), "fast": FastBackend(threads=1)}
    encoded = random_networks.samples(point.network, point.samples)
    one, other = (backend.run(point.network, encoded) for backend in backends.values())
    require(shipped.equal(one, other), f"integer and fast over {point.over}")
    assert one.layers is not None
    spikes = sum(int(layer.sum()) for layer in one.layers)
    rate = spikes / sum(layer.size for layer in one.layers)
    runs = {name: longer(partial(shipped.run_seconds, backend, point.network, encoded)) for name, backend in backends.items()}
    each = 1000 / point.samples
    times = {name: [each * value for value in values] for name, values in alternate(runs, repeats).items()}
    return rate if point.x is None else point.x, times
