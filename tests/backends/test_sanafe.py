"""Our closed form of the energy against SANA-FE, which gets our spikes and prices every event itself."""

import sys
from collections.abc import Callable
from pathlib import Path

import nets
import numpy as np
import pytest
import shipped
from needs import needs

from neuro_deploy.backends import create, sanafe
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.errors import BackendError, MissingPackageError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.neurons import Lif
from neuro_deploy.ir.synapses import Connection
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.cores import Placement, place
from neuro_deploy.measure.counts import Counts, count
from neuro_deploy.measure.energy.model import COMPONENTS, energy, latency
from neuro_deploy.measure.energy.tables import load_table
from neuro_deploy.training.data import Data
from neuro_deploy.verify.check import compare as compare_traces

TABLE = load_table("loihi1-sanafe")


def compare(network: Network, trace: Trace, placement: Placement) -> tuple[Counts, tuple[sanafe.Replay, ...]]:
    """Energy by component within 0.1 %, and each kind of event exactly."""
    counts, replays = count(trace, network.chain, placement), sanafe.replay(trace, network.chain, placement)
    assert counts.chip is not None
    sent = counts.chip.input
    assert [r.spikes for r in replays] == (counts.chip.total("spikes") + sent.events).tolist()
    assert [r.synops for r in replays] == counts.chip.total("synops").tolist()
    assert [r.updates for r in replays] == (counts.chip.total("active") + sent.events).tolist()
    assert [r.packets for r in replays] == (counts.chip.total("packets") + sent.packets).tolist()
    modelled = energy(counts, TABLE)
    for name in COMPONENTS:
        replayed = float(np.mean([replay.energy[name] for replay in replays]))
        assert modelled.components[name].value == pytest.approx(replayed, rel=1e-3)
        assert replayed > 0
    return counts, replays


def test_a_layer_that_cannot_be_replayed_is_named() -> None:
    layer = Layer((Connection(np.array([[2]]), delay=1),), Lif(1, 4096, 0), (1,))
    with pytest.raises(BackendError, match=r"^sanafe: layer 0 \(dense\) has synaptic delays, which it cannot replay$"):
        sanafe.Emulator(Chain(1, 1, (layer,), 0, constant=False))


@pytest.mark.emulators
@needs("sanafe")
@pytest.mark.parametrize("name", ["digits", "speech_commands_12"])
def test_a_shipped_network_costs_what_sanafe_says(name: str, data_of: Callable[[str], Data]) -> None:
    network = shipped.network(name)
    test = data_of(name).test
    trace = FastBackend().run(network, encode(test.samples[:2], network.manifest.input))
    counts, replays = compare(network, trace, place(network.chain))
    bound, simulated = latency(counts, TABLE).value, np.mean([replay.time for replay in replays])
    assert bound is not None
    assert 0.5 * simulated < bound < simulated, "the busiest core alone is faster than all of them with their traffic"


@pytest.mark.emulators
@needs("sanafe")
def test_packets_over_many_tiles_cost_their_hops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores of two neurons spread a small network over the whole mesh."""
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, 12)
    with monkeypatch.context() as patched:
        patched.setattr(limits, "CORE_COMPARTMENTS", 2)
        placement = place(network.chain)
    trace = IntegerBackend().run(network, nets.samples(graph, 2, 12))
    counts, _ = compare(network, trace, placement)
    assert counts.chip is not None
    assert (counts.chip.total("hops") > 0).all(), "both directions"


@pytest.mark.emulators
@needs("sanafe")
def test_as_a_backend_it_returns_what_it_replayed(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, 12)
    encoded = nets.samples(graph, 2, 12)
    trace, reference = create("sanafe").run(network, encoded), IntegerBackend().run(network, encoded)
    assert trace.backend == "sanafe"
    assert compare_traces(reference, trace).equal
    assert trace.seconds > 0


@pytest.mark.emulators
@needs("sanafe")
def test_a_replay_starts_from_rest(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, 12)
    trace = IntegerBackend().run(network, nets.samples(graph, 2, 12))
    emulator = sanafe.Emulator(network.chain)
    first, second, again = (emulator.run(sanafe.events_of(trace, sample)) for sample in (0, 1, 0))
    assert first.synops != second.synops
    assert (first.energy, first.time, first.updates) == (again.energy, again.time, again.updates)


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sanafe", None)
    with pytest.raises(MissingPackageError, match=r"sanafe is not installed: .*\[sanafe\]'"):
        sanafe.require()
