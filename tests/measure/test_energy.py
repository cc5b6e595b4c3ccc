"""Cost tables, the closed form of the energy, and what delays would save."""

from dataclasses import replace
from pathlib import Path

import nets
import pytest

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.errors import ConfigError, InputError
from neuro_deploy.ir.graph import INPUT
from neuro_deploy.ir.network import Network
from neuro_deploy.measure.counts import Counts, count
from neuro_deploy.measure.energy.delays import with_delays
from neuro_deploy.measure.energy.model import COMPONENTS, dense_energy, dense_macs, energy, latency
from neuro_deploy.measure.energy.tables import Table, load_table, names

STEPS = 12
ENERGY = "access = 1\nupdate = 10\nspike = 100\nsynop = 1000\npacket = 1e4\nhop_x = 1e5\nhop_y = 1e6"
HEAD = 'title = "mine"\nsource = "me"\nleaves_out = "much"\nstatic_power = "unknown"\n'


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path, STEPS)


@pytest.fixture
def counts(network: Network) -> Counts:
    trace = IntegerBackend().run(network, nets.samples(nets.tiny(), 2, STEPS))
    return count(trace, network.chain)


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_the_tables_say_where_they_are_from() -> None:
    assert names() == ("horowitz-45nm", "loihi1-davies", "loihi1-sanafe", "loihi2")
    davies, horowitz = load_table("loihi1-davies").energy, load_table("horowitz-45nm")
    assert davies is not None
    assert horowitz.energy is not None
    assert (davies.synop, davies.access, davies.access + davies.update) == (23.6, 52, 81)
    assert (horowitz.energy.synop, horowitz.mac) == (0.9, 4.6)
    assert load_table("loihi2").energy is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "[energy]\n" + ENERGY.replace("synop = 1000", "synop = -1"), "energy.synop: .*greater than or equal to 0.*-1"),
        (HEAD + "[energy]\n" + ENERGY.replace("synop = 1000\n", ""), "energy.synop: Field required"),
        (HEAD + "[energy]\n" + ENERGY + "\nsoma = 2", "energy.soma: Extra inputs are not permitted"),
        (HEAD + "[energy]\n" + ENERGY.replace("synop = 1000", "synop = inf"), "energy.synop: .*finite number"),
        (HEAD + "[energy]\n" + ENERGY.replace("synop = 1000", "synop = '1'"), "energy.synop: .*valid number.*'1'"),
        (HEAD + "mac = -4.6", "mac: .*greater than or equal to 0.*-4.6"),
        (HEAD, "has neither energy nor mac nor time"),
        (HEAD.replace("leaves_out", "ignores") + "mac = 1", "leaves_out: Field required; ignores: Extra inputs"),
        ("title = ", "not TOML"),
    ],
)
def test_a_bad_table_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"cost table .*mine.toml: {message}") as caught:
        load_table(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cost table 'loihi3' is unknown: use one of horowitz-45nm, .*loihi2, or the path"):
        load_table("loihi3")
    with pytest.raises(
        ConfigError, match=r"none.toml: cannot be read \(No such file or directory\): give the path of a .toml file"
    ):
        load_table(str(tmp_path / "none.toml"))


def test_the_energy_is_every_event_once(counts: Counts, tmp_path: Path) -> None:
    """With powers of ten as costs and a mesh of one tile, the sum shows each number of events."""
    table = load_table(written(tmp_path, HEAD + "[energy]\n" + ENERGY))
    totals, result = counts.totals, energy(counts, table)
    assert totals.relay_spikes is not None
    assert totals.compute_synops is not None
    assert totals.updates is not None
    assert totals.packets is not None
    spikes = totals.compute_spikes + totals.drain_spikes + totals.relay_spikes
    soma = totals.updates + 10 * totals.active_updates + 100 * spikes
    synapse = 1000 * (totals.compute_synops + totals.relay_synops)
    expected = dict(zip(COMPONENTS, (soma, synapse, 1e4 * totals.packets), strict=True))
    for name in COMPONENTS:
        assert result.components[name].value == pytest.approx(expected[name] / 2 * 1e-12)
        assert result.components[name].value == pytest.approx(sum(getattr(s, name) for s in result.segments))
    assert result.total.value == pytest.approx(sum(expected.values()) / 2 * 1e-12)
    assert (result.total.kind, result.total.unit, result.total.source) == ("modelled", "J", "mine")
    assert "without much" in result.total.note


def test_no_joules_where_none_were_published(counts: Counts) -> None:
    result = energy(counts, load_table("loihi2"))
    assert result.total.value is None
    assert "no table of energies per event was published" in result.total.note
    bound = latency(counts, load_table("loihi2"))
    assert bound.value is not None
    assert bound.value > counts.steps * 200e-9
    assert latency(counts, load_table("horowitz-45nm")).value is None


def test_the_model_without_a_chain_has_no_energy(counts: Counts) -> None:
    with pytest.raises(InputError, match="a backend that runs the chain: integer, fast or lava"):
        energy(replace(counts, chip=None), load_table("loihi1-sanafe"))


def test_a_dense_evaluation_multiplies_every_weight_of_the_graph(network: Network) -> None:
    graph = nets.tiny()
    sizes = {INPUT: graph.channels} | {name: population.size for name, population in graph.populations.items()}
    expected = STEPS * sum(p.lags * sizes[p.source] * sizes[p.target] for p in graph.projections)
    assert dense_macs(network.chain, STEPS) == expected
    table = load_table("horowitz-45nm")
    assert dense_energy(network.chain, STEPS, table).value == pytest.approx(expected * 4.6e-12)
    assert dense_energy(network.chain, STEPS, load_table("loihi1-davies")).value is None


@pytest.mark.parametrize("longest", [62, 2, 1])
def test_delays_leave_the_model_as_it_is(
    counts: Counts, network: Network, monkeypatch: pytest.MonkeyPatch, longest: int
) -> None:
    """What the model's neurons fire and receive stays; with short delays some relays come back."""
    monkeypatch.setattr("neuro_deploy.measure.energy.delays.DELAY_MAX", longest)
    delayed = with_delays(counts, network.chain)
    assert counts.chip is not None
    assert delayed.chip is not None
    before, after = counts.chip, delayed.chip
    for what in ("spikes", "synops", "active"):
        for role in ("compute", "readout", "bias"):
            assert (after.total(what, (role,)) == before.total(what, (role,))).all()
    received, sent = after.total("synops"), after.total("sent_synops") + after.input.synops
    assert (received == sent).all(), "an operation that is caused arrives"
    assert (after.total("spikes", ("tap",)) == 0).all()
    relays = [segment for segment in after.segments if segment.role == "relay"]
    # s1 is read three steps and two layers later: four steps in all.
    assert bool(relays) is (longest < 4)
    assert sum(s.neurons for s in after.segments) < sum(s.neurons for s in before.segments)
    table: Table = load_table("loihi1-sanafe")
    saved, whole = energy(delayed, table).total.value, energy(counts, table).total.value
    assert saved is not None
    assert whole is not None
    assert 0 < saved < whole
