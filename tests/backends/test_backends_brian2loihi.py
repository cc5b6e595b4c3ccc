"""brian2-loihi, which shares no code with this project or Lava, fires the same spikes and ends with the same voltages."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nets
import netx_files
import numpy as np
import pytest
from commands import MODEL, run
from needs import needs
from netx_files import FileLayer

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, create
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.graph import Graph
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import count
from neuro_deploy.netx import Use, adopt, load_network
from neuro_deploy.training.config import parse
from neuro_deploy.training.data import load_data
from neuro_deploy.verify.check import Comparison, compare
from neuro_deploy.workbench import bench

SHIPPED = Path(__file__).parents[2] / "netx_models" / "digits.net"


def both(network: Network, encoded: np.ndarray) -> tuple[Trace, Trace]:
    expected, found = (create(name).run(network, encoded) for name in ("integer", "brian2loihi"))
    return expected, found


def held_against(expected: Trace, found: Trace, chain: Chain) -> Comparison:
    return compare(expected, found)


def recurrent() -> Graph:
    """Leaks from slow to fast, and a memory of the past long enough that its taps feed themselves."""
    rng = np.random.default_rng(7)
    populations = [
        nets.population(rng, "a", 4, threshold=150, decay=200, bias=60),
        nets.population(rng, "b", 5, threshold=80, decay=4000),
        nets.readout(2),
    ]
    projections = [
        nets.projection(rng, "input", "a", 2, 4, 2, 80),
        nets.projection(rng, "a", "b", 6, 5, 4, 120),
        nets.projection(rng, "b", "out", 1, 2, 5),
    ]
    return Graph(2, {p.name: p for p in populations}, tuple(projections))


@pytest.mark.emulators
@needs("brian2_loihi")
@pytest.mark.parametrize("graph", [nets.tiny(), recurrent()], ids=["skips", "recurrent"])
def test_every_spike_and_voltage(tmp_path: Path, graph: Graph) -> None:
    """Two samples: the second starts from rest."""
    network = nets.saved(graph, tmp_path)
    expected, found = both(network, nets.samples(graph, 2, 20))
    assert all(spikes.any(axis=(1, 2)).all() for spikes in expected.populations.values()), "a silent population proves nothing"
    assert expected.readout.any()
    comparison = held_against(expected, found, network.chain)
    assert comparison.first is None
    assert comparison.equal
    assert comparison.compared > 1000
    assert found.seconds > 0
    assert found.startup > 0


@pytest.mark.emulators
@needs("brian2_loihi")
@pytest.mark.slow
def test_the_shipped_network() -> None:
    """Eight digits: every neuron of the chain, every read-out, and every count."""
    network = load_network(SHIPPED)
    test = load_data(parse(network.manifest.settings, "the test").data).test
    expected, found = both(network, encode(test.samples[:8], network.manifest.input))
    comparison = held_against(expected, found, network.chain)
    assert comparison.mismatches == 0
    assert comparison.readout_mismatches == 0
    assert comparison.compared > 6_000_000
    np.testing.assert_equal(asdict(count(found, network.chain)), asdict(count(expected, network.chain)))


@pytest.mark.emulators
@needs("brian2_loihi")
def test_it_is_part_of_the_check(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    others = {name: entry for name, entry in BACKENDS.items() if name in ("integer", "brian2loihi")}
    monkeypatch.setattr(bench, "BACKENDS", others)
    assert run("check", MODEL, "--samples", 3, "--brian-samples", 1) == 0
    shown = capsys.readouterr().out
    assert "brian2loihi: 1 samples" in shown
    assert "brian2loihi = integer: every spike and every read-out is the same" in shown


def test_without_it_the_check_goes_on_and_says_so(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brian2_loihi", None)
    others = {name: entry for name, entry in BACKENDS.items() if name in ("integer", "fast", "brian2loihi")}
    monkeypatch.setattr(bench, "BACKENDS", others)
    assert run("check", MODEL, "--samples", 2) == 0
    shown = capsys.readouterr().out
    assert f"brian2loihi: left out, {extras.advice('brian2_loihi')}" in shown
    assert "fast = integer" in shown


@pytest.mark.parametrize(
    ("layer", "spec", "message"),
    [
        (
            {"bias": np.array([0, 9, 0, 0])},
            {},
            r"layer 0 \(dense\) has biases of its own, which it does not support: use bias neurons",
        ),
        ({"threshold": 131072}, {}, r"layer 0 \(dense\) has a threshold of 131072, which is at most 131071 there"),
        ({}, {"message_bits": 9}, "messages of 9 bits, at most 8 are supported"),
        ({}, {"signed": True}, "negative messages, which it does not support"),
    ],
)
def test_what_it_has_not_is_refused_before_it_runs(
    tmp_path: Path, layer: dict[str, Any], spec: dict[str, Any], message: str
) -> None:
    network = others(tmp_path, np.eye(4, dtype=np.int64))
    manifest, chain = network.manifest, network.chain
    neurons = replace(chain.layers[0].neurons, **layer)
    network = replace(
        network,
        chain=replace(chain, layers=(replace(chain.layers[0], neurons=neurons), *chain.layers[1:])),
        manifest=manifest.model_copy(update={"input": manifest.input.model_copy(update=spec)}),
    )
    with pytest.raises(BackendError, match=f"^brian2loihi: {message}$"):
        create("brian2loihi").run(network, np.zeros((1, STEPS, 4), np.int32))


STEPS = 12


def others(folder: Path, weight: np.ndarray) -> Network:
    """A network of two layers without a manifest."""
    rng = np.random.default_rng(1)
    neuron = {"type": b"CUBA", "iDecay": 4096, "vDecay": 128, "vThMant": 40}
    weights = (weight, 2 * rng.integers(-20, 30, (3, len(weight))))
    netx_files.write(folder / "others.net", [FileLayer(one, neuron=neuron) for one in weights])
    return adopt(folder / "others.net", Use(STEPS))[0]


@pytest.mark.emulators
@needs("brian2_loihi")
@pytest.mark.parametrize("span", [(0, 60), (-60, 0), (-50, 61), (250, 256), (-256, -250)])
def test_odd_weights_of_others(tmp_path: Path, span: tuple[int, int]) -> None:
    """Those of one sign have 8 bits, and those of both fit where Lava moves them up."""
    rng = np.random.default_rng(3)
    weight = rng.integers(*span, (8, 6), endpoint=False)
    network = others(tmp_path, weight)
    expected, found = both(network, (rng.random((2, STEPS, 6)) < 0.5).astype(np.int32))
    comparison = held_against(expected, found, network.chain)
    assert comparison.equal
    assert comparison.compared > 100
