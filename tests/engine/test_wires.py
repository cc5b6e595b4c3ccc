"""How the batch engine lays out synapses: each once, whatever its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from special import as_matrix, connections

from neuro_deploy.engine.wires import TILE, add_runs, add_taps, runs_of, taps_of
from neuro_deploy.ir.synapses import Connection, Kernel


def arrived(connection: Connection, sources: np.ndarray, factors: np.ndarray, kind: type) -> tuple[np.ndarray, np.ndarray]:
    """Sums of each delay, int64 [4, neurons], and whether their tiles are marked."""
    tiles = -(-connection.neurons // TILE)
    sums, touched = np.zeros(4 * tiles * TILE, np.int32 if kind is np.int16 else np.int64), np.zeros(4 * tiles, np.uint8)
    add, wires = (add_taps, taps_of) if isinstance(connection.weight, Kernel) else (add_runs, runs_of)
    add(sums, touched, 4, 0, wires(connection, np.dtype(kind)), sources, factors)
    return sums.reshape(4, -1)[:, : connection.neurons].astype(np.int64), touched.reshape(4, -1)


@settings(max_examples=300)
@given(connections(), st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([np.int16, np.int64]))
def test_an_event_adds_each_synapse_of_its_source_once(connection: Connection, seed: int, graded: bool, kind: type) -> None:
    rng = np.random.default_rng(seed)
    sources = np.flatnonzero(rng.random(connection.sources) < rng.choice([0.1, 0.5, 1])).astype(np.uint32)
    factors = rng.integers(-900, 900, sources.size).astype(np.int32) if graded else np.zeros(0, np.int32)
    found, marked = arrived(connection, sources, factors, kind)
    matrix = as_matrix(connection)
    counts = np.zeros(connection.sources, np.int64)
    np.add.at(counts, sources, factors if graded else 1)
    for delay in range(4):
        assert (found[delay] == np.where(np.asarray(connection.delay) == delay, matrix, 0) @ counts).all()
        places = np.flatnonzero(found[delay])
        assert marked[delay, places // TILE].all()


@pytest.mark.parametrize("length", range(1, 40))
def test_runs_of_any_length(length: int) -> None:
    matrix = np.zeros((TILE + 50, 1), np.int64)
    matrix[TILE - 10 : TILE - 10 + length] = np.arange(1, length + 1)[:, None]
    found, marked = arrived(Connection(matrix), np.zeros(2, np.uint32), np.array([7, -3], np.int32), np.int16)
    assert (found[0] == 4 * matrix[:, 0]).all()
    assert marked[0].tolist() == [1, int(length > 10)]


def test_zeros_are_not_stored() -> None:
    matrix = np.zeros((200, 3), np.int64)
    matrix[3:67, 0] = 2
    matrix[40:44, 0] = 0  # bridged
    matrix[[0, 199], 2] = -255
    runs = runs_of(Connection(matrix), np.dtype(np.int16))
    assert runs.first.tolist() == [0, 1, 1, 3]
    assert runs.length.tolist() == [64, 1, 1]
    assert runs.weight.size == 66
