"""The comparison of two traces finds what differs, and where first."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuro_deploy.errors import InputError
from neuro_deploy.ir.chain import Segment
from neuro_deploy.ir.trace import Trace
from neuro_deploy.verify.check import compare

SAMPLES, STEPS, CHIP_STEPS = 3, 5, 9
SEGMENTS = (
    (Segment("a", 0, 4, "compute", "a", 0), Segment("a~1", 4, 8, "tap", "a", 1)),
    (Segment("b", 0, 2, "compute", "b", 0),),
)


def trace(backend: str, layers: bool = True) -> Trace:
    rng = np.random.default_rng(0)
    populations = {name: rng.integers(0, 2, (SAMPLES, STEPS, size)).astype(np.uint8) for name, size in (("a", 4), ("b", 2))}
    recorded = tuple(rng.integers(0, 2, (SAMPLES, CHIP_STEPS, size)).astype(np.uint8) for size in (8, 2))
    return Trace(
        backend,
        np.ones((SAMPLES, CHIP_STEPS, 2), np.int32),
        populations,
        recorded if layers else None,
        rng.integers(-99, 99, (SAMPLES, 3)),
        SEGMENTS,
        1.0,
    )


def flipped(values: np.ndarray, *places: tuple[int, ...]) -> np.ndarray:
    values = values.copy()
    for place in places:
        values[place] ^= 1
    return values


def test_equal_traces_are_equal_and_everything_is_compared() -> None:
    result = compare(trace("x"), trace("y"))
    assert result.equal
    assert result.first is None
    assert [row.population for row in result.rows] == ["a", "b", "layer 0: a", "layer 0: a~1", "layer 1: b"]
    assert result.compared == SAMPLES * (STEPS * 6 + CHIP_STEPS * 10)
    assert sum(row.spikes for row in result.rows[:2]) == sum(int(s.sum()) for s in trace("x").populations.values())
    assert result.readouts == 9


def test_the_first_divergence_is_the_earliest_sample_then_step_then_population() -> None:
    found = trace("y")
    populations = {
        "a": flipped(found.populations["a"], (1, 3, 0), (2, 0, 0)),
        "b": flipped(found.populations["b"], (1, 2, 1), (1, 3, 0)),
    }
    result = compare(trace("x"), replace(found, populations=populations))
    assert not result.equal
    assert [row.mismatches for row in result.rows[:2]] == [2, 2]
    assert result.first is not None
    assert (result.first.sample, result.first.population, result.first.step, result.first.neuron) == (1, "b", 2, 1)
    expected = int(trace("x").populations["b"][1, 2, 1])
    assert (result.first.expected, result.first.found) == (expected, 1 - expected)
    assert str(result.first) == f"sample 1, b, step 2, neuron 1: expected {expected}, found {1 - expected}"


@given(st.integers(0, SAMPLES - 1), st.integers(0, CHIP_STEPS - 1), st.integers(0, 7))
def test_a_single_flipped_relay_is_found(sample: int, step: int, neuron: int) -> None:
    found = trace("y")
    assert found.layers is not None
    layers = (flipped(found.layers[0], (sample, step, neuron)), found.layers[1])
    result = compare(trace("x"), replace(found, layers=layers))
    assert result.mismatches == 1
    assert result.first is not None
    name, local = ("layer 0: a", neuron) if neuron < 4 else ("layer 0: a~1", neuron - 4)
    assert (result.first.sample, result.first.population, result.first.step, result.first.neuron) == (sample, name, step, local)


def test_a_different_readout_alone_is_found() -> None:
    found = trace("y")
    readout = found.readout.copy()
    readout[2, 1] += 64
    result = compare(trace("x"), replace(found, readout=readout))
    assert not result.equal
    assert (result.mismatches, result.readout_mismatches) == (0, 1)
    assert result.first is not None
    assert (result.first.sample, result.first.population, result.first.neuron) == (2, "readout", 1)


def test_fewer_samples_and_no_layers_are_compared_as_far_as_they_go() -> None:
    found = trace("y", layers=False)
    populations = {name: spikes[:2] for name, spikes in found.populations.items()}
    short = replace(found, input=found.input[:2], populations=populations, readout=found.readout[:2])
    result = compare(trace("x"), short)
    assert result.equal
    assert (result.samples, [row.population for row in result.rows]) == (2, ["a", "b"])


def test_traces_of_other_inputs_or_networks_are_refused() -> None:
    found = trace("y")
    with pytest.raises(InputError, match="different inputs"):
        compare(trace("x"), replace(found, input=found.input * 2))
    with pytest.raises(InputError, match="different populations: b, c"):
        compare(trace("x"), replace(found, populations={"a": found.populations["a"], "c": found.populations["b"]}))
    with pytest.raises(InputError, match=r"a: shape \[3, 5, 2\] is not"):
        compare(trace("x"), replace(found, populations={"a": found.populations["b"], "b": found.populations["b"]}))
