"""Placement on cores: within the chip's limits, every neuron once, and clear where it cannot be."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from special import as_matrix, special_chains

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
                out += int((destinations(chain, placement.layers, k)[0] == neuron).sum())
        assert core == type(core)(int((placed == index).sum()), synapse_bits, len(sources), out)
    assert violations(placement) == []


Sender = tuple[int, int]
"""A layer, -1 for the input, and a neuron of it."""


def slow_place(chain: Chain) -> tuple[list[list[int]], list[list[int]]]:
    """Cores of all neurons, and neurons, bits of synapses, axons in and out of each core; one neuron after the other."""
    into: dict[Sender, list[Sender]] = {}
    for k, layer in enumerate(chain.layers):
        matrices = [(k if one.recurrent else k - 1, as_matrix(one)) for one in layer.connections]
        if not layer.connections:
            matrices = [(k - 1, np.eye(layer.size, dtype=np.int64))]
        for n in range(layer.size):
            into[k, n] = [(before, int(source)) for before, matrix in matrices for source in np.flatnonzero(matrix[n])]
    out: dict[Sender, list[Sender]] = {}
    for target, senders in into.items():
        for sender in senders:
            out.setdefault(sender, []).append(target)
    homes: dict[Sender, int] = {}
    used: list[dict[str, Any]] = [{"neurons": 0, "synapses": 0, "in": set(), "out": 0}]
    for neuron in reversed(into):
        cores_out = {homes.get(target, -1) for target in out.get(neuron, [])}
        synapses = len(into[neuron]) if chain.layers[neuron[0]].connections else 0
        core = used[-1]
        if core["neurons"] and (
            core["neurons"] + 1 > limits.CORE_COMPARTMENTS
            or (core["synapses"] + synapses) * limits.SYNAPSE_BITS > limits.CORE_SYNAPSE_BITS
            or len(core["in"] | set(into[neuron])) > limits.CORE_AXONS
            or core["out"] + len(cores_out) > limits.CORE_AXONS
        ):
            core = {"neurons": 0, "synapses": 0, "in": set(), "out": 0}
            used.append(core)
        core["neurons"] += 1
        core["synapses"] += synapses
        core["in"] |= set(into[neuron])
        core["out"] += len(cores_out)
        homes[neuron] = len(used) - 1
    last = len(used) - 1
    placed = [[last - homes[k, n] for n in range(layer.size)] for k, layer in enumerate(chain.layers)]
    after = [0] * len(used)  # when all targets are known
    for neuron, home in homes.items():
        after[home] += len({homes[target] for target in out.get(neuron, [])})
    found = [
        [core["neurons"], core["synapses"] * limits.SYNAPSE_BITS, len(core["in"]), after[number]]
        for number, core in enumerate(used)
    ]
    return placed, found[::-1]


@settings(max_examples=150)
@given(special_chains(), st.integers(1, 30), st.sampled_from([4, 12, 100, 4096]), st.sampled_from([3, 40, 1000]))
def test_any_network_is_placed_as_one_neuron_after_the_other(chain: Chain, neurons: int, axons: int, synapses: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "CORE_COMPARTMENTS", neurons)
        patch.setattr(limits, "CORE_AXONS", axons)
        patch.setattr(limits, "CORE_SYNAPSE_BITS", synapses * limits.SYNAPSE_BITS)
        placement = place(chain)
        layers, cores = slow_place(chain)
    assert [placed.tolist() for placed in placement.layers] == layers
    assert [[core.neurons, core.synapse_bits, core.axons_in, core.axons_out] for core in placement.cores] == cores


def test_a_neuron_that_reaches_two_layers_of_a_core_has_one_axon_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_AXONS", 8)  # of two axons for each there would be 10
    full = np.full((4, 4), 2)
    chain = Chain(1, 1, (dense(full[:, :2], full, 100, 4096, 2048), dense(full[:1], None, 100, 4096, 2048)), 1)
    placement = place(chain)
    assert [core.axons_in for core in placement.cores] == [6], "4 neurons of the first layer and 2 channels"
    assert [placed.tolist() for placed in placement.layers] == slow_place(chain)[0] == [[0] * 4, [0]]


def test_destinations_are_the_cores_of_all_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_COMPARTMENTS", 5)
    chain = lower(nets.tiny())
    placed = place(chain).layers
    for k in range(-1, chain.latency):
        senders, reached = destinations(chain, placed, k)
        for source in range(chain.input_size if k < 0 else chain.layers[k].size):
            cores, expected = reached[senders == source], set()
            if k + 1 < chain.latency:
                expected |= {placed[k + 1][n] for n in np.flatnonzero(chain.layers[k + 1].weight[:, source])}
            recurrent = chain.layers[k].weight_rec if k >= 0 else None
            if recurrent is not None:
                expected |= {placed[k][n] for n in np.flatnonzero(recurrent[:, source])}
            assert cores.tolist() == sorted(expected)


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
