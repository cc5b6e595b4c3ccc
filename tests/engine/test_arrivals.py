"""Active updates against a look at each synapse."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from special import as_matrix, special_layers

from neuro_deploy.engine.arrivals import active_updates
from neuro_deploy.ir.chain import Layer


def slow_updates(layer: Layer, before: np.ndarray, own: np.ndarray) -> np.ndarray:
    """One event after the other through a matrix."""
    reached = own != 0
    if not layer.connections:
        reached |= before != 0
    for connection in layer.connections:
        there = as_matrix(connection) != 0
        delays = np.broadcast_to(np.asarray(connection.delay), there.shape)
        sent = own if connection.recurrent else before
        for sample, step, source in np.argwhere(sent != 0):
            for neuron in np.flatnonzero(there[:, source]):
                at = step + 1 + delays[neuron, source]
                if at < own.shape[1]:
                    reached[sample, at, neuron] = True
    counts: np.ndarray = reached.sum(axis=1)
    return counts


@settings(max_examples=100)
@given(special_layers(), st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0.0, 0.1, 1]))
def test_active_updates_of_any_layer(layer: Layer, seed: int, steps: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    before, own = (
        rng.integers(-3, 4, (2, steps, size)).astype(np.int32) * (rng.random((2, steps, size)) < rate)
        for size in (layer.sources, layer.size)
    )
    assert (active_updates(layer, before, own) == slow_updates(layer, before, own)).all()
