"""Compare what two backends computed, spike by spike, and say where they part first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.trace import Trace


@dataclass(frozen=True)
class Divergence:
    """The first value in which two traces differ.

    Attributes:
        sample: 0-based.
        population: a population, ``layer k: segment``, or ``readout``.
        step: 0-based model step of a population, chip step of a layer; T + D, after which it is read, for the read-out.
        neuron: 0-based in its population.
        expected: the reference's value.
        found: the other's.
    """

    sample: int
    population: str
    step: int
    neuron: int
    expected: int
    found: int

    def __str__(self) -> str:
        """One line for the terminal."""
        return (
            f"sample {self.sample}, {self.population}, step {self.step}, neuron {self.neuron}: "
            f"expected {self.expected}, found {self.found}"
        )


@dataclass(frozen=True)
class Row:
    """The comparison of one population.

    Attributes:
        population: its name.
        compared: number of values (0 or 1 for each sample, step and neuron).
        spikes: those that are 1 in the reference.
        mismatches: those that differ.
    """

    population: str
    compared: int
    spikes: int
    mismatches: int


@dataclass(frozen=True)
class Comparison:
    """A backend held against the reference.

    Attributes:
        reference: backend that is taken as true.
        backend: the one that is checked.
        samples: number of samples.
        rows: each population in model time, then each segment of each layer in chip time where both have them.
        readouts: read-out voltages compared.
        readout_mismatches: those that differ.
        first: the first divergence, or None.
    """

    reference: str
    backend: str
    samples: int
    rows: tuple[Row, ...]
    readouts: int
    readout_mismatches: int
    first: Divergence | None

    @property
    def equal(self) -> bool:
        """Not one value differs."""
        return self.readout_mismatches == 0 and all(row.mismatches == 0 for row in self.rows)

    def __str__(self) -> str:
        """One line: equal, or where the two part first."""
        if self.equal:
            what = "every spike and every read-out" if self.rows else "every read-out"
            return f"{self.backend} = {self.reference}: {what} is the same"
        return f"{self.backend} differs from {self.reference}, first at {self.first}"

    @property
    def compared(self) -> int:
        """Spike values compared."""
        return sum(row.compared for row in self.rows)

    @property
    def mismatches(self) -> int:
        """Spike values that differ."""
        return sum(row.mismatches for row in self.rows)


def compare(reference: Trace, trace: Trace) -> Comparison:
    """Hold every spike and read-out of a trace against a reference, on the samples that both have.

    "First" means: the earliest sample, in it the earliest step, in that the population nearest to the input. The aligned populations
    are searched before the layers, since a divergence in a relay that does not reach a population is secondary.

    Args:
        reference: taken as true.
        trace: to be checked; may cover fewer samples, from the first.

    Raises:
        InputError: the traces are of different inputs or networks.
    """
    samples = min(reference.samples, trace.samples)
    if not np.array_equal(reference.input[:samples], trace.input[:samples]):
        raise InputError(f"{reference.backend} and {trace.backend} were fed different inputs: run both on the same samples")
    rows: list[Row] = []
    model_time = _divergences(_populations(reference, trace, samples), rows)
    chip_time = _divergences(_segments(reference, trace, samples), rows)
    outcome = read_outs(reference.backend, reference.readout[:samples], trace)
    first = _earliest(model_time) or _earliest(chip_time) or outcome.first
    return replace(outcome, rows=tuple(rows), first=first)


def read_outs(reference: str, expected: NDArray[np.int64], trace: Trace) -> Comparison:
    """Hold the read-outs of a trace alone against those that are expected.

    Args:
        reference: where these are from.
        expected: int64 [samples, classes].
        trace: of as many samples or more.
    """
    found = trace.readout[: len(expected)]
    different, first = expected != found, None
    if different.any():
        sample, neuron = (int(i) for i in np.argwhere(different)[0])
        step = trace.input.shape[1]
        first = Divergence(sample, "readout", step, neuron, int(expected[sample, neuron]), int(found[sample, neuron]))
    return Comparison(reference, trace.backend, len(expected), (), int(different.size), int(different.sum()), first)


Spikes = NDArray[Any]


def _populations(reference: Trace, trace: Trace, samples: int) -> Iterator[tuple[str, Spikes, Spikes]]:
    if reference.populations.keys() != trace.populations.keys():
        difference = sorted(reference.populations.keys() ^ trace.populations.keys())
        raise InputError(f"{reference.backend} and {trace.backend} have different populations: {', '.join(difference)}")
    for name, expected in reference.populations.items():
        yield name, expected[:samples], trace.populations[name][:samples]


def _segments(reference: Trace, trace: Trace, samples: int) -> Iterator[tuple[str, Spikes, Spikes]]:
    if reference.layers is None or trace.layers is None:
        return
    for index, (parts, expected, found) in enumerate(zip(reference.segments, reference.layers, trace.layers, strict=True)):
        for part in parts:
            window = (slice(samples), slice(None), part.place)
            yield f"layer {index}: {part.name}", expected[window], found[window]


def _divergences(pairs: Iterator[tuple[str, Spikes, Spikes]], rows: list[Row]) -> list[tuple[int, int, int, Divergence]]:
    """Append a row for each pair and return the first divergence of each with its sort key (sample, step, order)."""
    found_at = []
    for order, (name, expected, found) in enumerate(pairs):
        if expected.shape != found.shape:
            raise InputError(
                f"{name}: shape {list(found.shape)} is not the reference's {list(expected.shape)}: other networks?"
            )
        different = expected != found
        rows.append(Row(name, int(different.size), int(np.count_nonzero(expected)), int(np.count_nonzero(different))))
        if rows[-1].mismatches:
            sample, step, neuron = (int(i) for i in np.unravel_index(int(different.argmax()), different.shape))
            values = int(expected[sample, step, neuron]), int(found[sample, step, neuron])
            found_at.append((sample, step, order, Divergence(sample, name, step, neuron, *values)))
    return found_at


def _earliest(divergences: list[tuple[int, int, int, Divergence]]) -> Divergence | None:
    return min(divergences, key=lambda item: item[:3])[3] if divergences else None
