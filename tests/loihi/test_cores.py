"""Placement on cores: within the chip's limits, every neuron once, and clear where it cannot be."""

from dataclasses import replace
from itertools import pairwise

import nets
import numpy as np
import pytest

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, dense
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.cores import destinations, place, position, require_fit, violations
from neuro_deploy.lowering import lower


def layers(*sizes: int, density: float = 1.0) -> Chain:
    """Layers with random synapses; the first of the sizes is the input's."""
    rng = np.random.default_rng(1)
    weights = [2 * (rng.random((size, before)) < density) for before, size in pairwise(sizes)]
    return Chain(1, sizes[0] - 1, tuple(dense(weight.astype(np.int64), None, 100, 4096, 2048) for weight in weights), 1)


@pytest.mark.parametrize(
    ("limit", "value"), [("CORE_COMPARTMENTS", 7), ("CORE_AXONS", 30), ("CORE_SYNAPSE_BITS", 18 * 40), ("CORE_AXONS", 4096)]
)
def test_cores_are_filled_within_their_limits(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    """Recounted neuron by neuron."""
    monkeypatch.setattr(limits, limit, value)
    chain = lower(nets.tiny())
    placement = place(chain)
    placed = np.concatenate(placement.layers)
    assert (np.diff(placed) >= 0).all()
    assert (np.diff(placed) <= 1).all()
    assert (len(placement.cores) > 1) is (value != 4096)
    for index, core in enumerate(placement.cores):
        sources, synapse_bits, out = set(), 0, 0
        for k, layer in enumerate(chain.layers):
            for neuron in np.flatnonzero(placement.layers[k] == index):
                forward = np.flatnonzero(layer.weight[neuron])
                back = [] if layer.weight_rec is None else np.flatnonzero(layer.weight_rec[neuron])
                sources |= {(k - 1, n) for n in forward} | {(k, n) for n in back}
                synapse_bits += limits.SYNAPSE_BITS * (len(forward) + len(back))
                out += int(destinations(chain, placement.layers, k)[neuron].sum())
        assert core == type(core)(int((placed == index).sum()), synapse_bits, len(sources), out)
    assert violations(placement) == []


def test_destinations_are_the_cores_of_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_COMPARTMENTS", 5)
    chain = lower(nets.tiny())
    placed = place(chain).layers
    for k in range(-1, chain.latency):
        for source, cores in enumerate(destinations(chain, placed, k)):
            expected = set()
            if k + 1 < chain.latency:
                expected |= {placed[k + 1][n] for n in np.flatnonzero(chain.layers[k + 1].weight[:, source])}
            recurrent = chain.layers[k].weight_rec if k >= 0 else None
            if recurrent is not None:
                expected |= {placed[k][n] for n in np.flatnonzero(recurrent[:, source])}
            assert set(np.flatnonzero(cores)) == expected


def test_what_does_not_fit_is_said_at_once() -> None:
    require_fit(place(layers(3, 2000, 5, density=0.5)))
    wide = place(layers(3, 5000, 5))
    with pytest.raises(RuleError, match=r"core \d+ \(layer 1\): 5,000 input axons exceed the core's 4,096"):
        require_fit(wide)
    assert not [line for line in violations(wide) if "output axons" in line], "a core takes fewer neurons that reach many cores"
    many = replace(wide, cores=wide.cores * 30)
    assert any("cores exceed the chip's 128: use a smaller network" in line for line in violations(many))


def test_tiles_are_numbered_down_the_columns() -> None:
    assert position(np.array([0, 3, 4, 31])).tolist() == [[0, 0], [0, 3], [1, 0], [7, 3]]
