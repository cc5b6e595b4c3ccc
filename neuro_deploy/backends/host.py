"""What a user would run without the chip: the models in torch on this machine, timed, their energy read from counters."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.measure.energy.counters import Stop, cpu_energy, gpu_energy
from neuro_deploy.measure.quantity import Quantity

BATCH = 256
"""Samples that run at once in the batch mode."""

WARM_UP = 2
"""Runs before the first that counts."""

REPEATS = 5
"""Runs that count, at least."""

SECONDS = 2.0
"""Time that they take together, at least: the counters of energy move in steps."""

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Encoded integers in the host's memory -> logits in the host's memory."""


@dataclass(frozen=True)
class HostModel:
    """A model on a device of this machine.

    Attributes:
        name: for the reader.
        stream: one sample [T, channels], step by step with carried state -> logits [classes].
        batch: [samples, T, channels] -> logits [samples, classes].
        note: what the reader must know of it.
    """

    name: str
    stream: Run
    batch: Run
    note: str = ""


@dataclass(frozen=True)
class HostRun:
    """One model in one mode.

    Attributes:
        model: its name.
        device: ``torch-cpu`` or ``torch-gpu``.
        mode: ``streaming, batch 1`` or ``batch 256``.
        latency: s of one inference: from first to last step when streaming, of the whole batch otherwise.
        throughput: inferences a second.
        energy: J of one inference.
    """

    model: str
    device: str
    mode: str
    latency: Quantity
    throughput: Quantity
    energy: Quantity


Load = Callable[[Path, str], Sequence[HostModel]]
"""Checkpoint and torch's name of the device -> the models; the models' code is not part of this package."""


@dataclass(frozen=True)
class Host:
    """A device of this machine.

    Attributes:
        device: torch's name of it.
        energy: starts to measure its energy.
    """

    device: str
    energy: Callable[[], Stop]


HOSTS: Mapping[str, Host] = {
    "torch-cpu": Host("cpu", cpu_energy),
    "torch-gpu": Host("cuda", gpu_energy),
}
"""The devices that can be chosen by name."""


def measure(name: str, models: Sequence[HostModel], encoded: NDArray[np.int32]) -> tuple[HostRun, ...]:
    """Time each model on a device, step by step on one sample and on a batch.

    Args:
        name: of the device, one of :data:`HOSTS`.
        models: on that device.
        encoded: int32 [samples, T, channels]; if they are fewer than a batch they are repeated.
    """
    frames = np.resize(encoded.astype(np.float32), (BATCH, *encoded.shape[1:]))
    runs = []
    for model in models:
        modes: list[tuple[str, int, Callable[[], object]]] = [
            ("streaming, batch 1", 1, lambda model=model: model.stream(frames[0])),  # type: ignore[misc]
            (f"batch {BATCH}", BATCH, lambda model=model: model.batch(frames)),  # type: ignore[misc]
        ]
        runs += [_measured(name, model, mode, number, work) for mode, number, work in modes]
    return tuple(runs)


def _measured(name: str, model: HostModel, mode: str, inferences: int, work: Callable[[], object]) -> HostRun:
    """Repeat one piece of work: its median time, its share of the energy."""
    for _ in range(WARM_UP):
        work()
    times: list[float] = []
    stop = HOSTS[name].energy()
    while len(times) < REPEATS or sum(times) < SECONDS:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    energy = stop()
    if energy.value is not None:
        energy = replace(energy, value=energy.value / (inferences * len(times)))
    median = statistics.median(times)
    source = f"wall clock, median of {len(times)} runs"
    return HostRun(
        model=model.name,
        device=name,
        mode=mode,
        latency=Quantity(median, "s", "measured", source, model.note),
        throughput=Quantity(inferences / median, "1/s", "measured", source, model.note),
        energy=energy,
    )
