"""Counts against an event-by-event recount, and the same on all exact backends."""

import itertools
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nets
import numpy as np
import pytest
import shipped
from needs import needs
from special import as_matrix

from neuro_deploy.backends import Backend
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.backends.torch import TorchBackend
from neuro_deploy.ir.chain import Chain, Layer, Role, Segment
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.neurons import Lif, SigmaDelta
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.ir.synapses import Connection, Kernel, apply
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.cores import Placement, place, position
from neuro_deploy.measure.counts import Counts, count

STEPS = 12
FIELDS = ("spikes", "synops", "sent_synops", "active", "packets")


def recount(trace: Trace, chain: Chain, placement: Placement) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One neuron, one step and one synapse at a time: neurons of each layer, with the input as the first, and cores."""
    assert trace.layers is not None
    events = [trace.input, *trace.layers]
    home = [np.full(chain.input_size, -1), *placement.layers]
    tile = [np.zeros(chain.input_size, int), *(cores // limits.TILE_CORES for cores in placement.layers)]
    shape = [(trace.samples, record.shape[2]) for record in events]
    found = [{field: np.zeros(s, int) for field in FIELDS} | {"hops": np.zeros((*s, 2), int)} for s in shape]
    cores = {field: np.zeros((trace.samples, len(placement.cores)), int) for field in ("active", "spikes", "synops")}
    for sample in range(trace.samples):
        for k, record in enumerate(events):
            targets = [(k + 1, chain.layers[k].weight)] if k < chain.latency else []
            if k > 0 and (recurrent := chain.layers[k - 1].weight_rec) is not None:
                targets.append((k, recurrent))
            touched = {(step, neuron) for step, neuron in np.argwhere(record[sample]) if k > 0}
            for _, source in np.argwhere(record[sample]):
                found[k]["spikes"][sample, source] += 1
                reached = set()
                for layer, weight in targets:
                    for target in np.flatnonzero(weight[:, source]):
                        found[k]["sent_synops"][sample, source] += 1
                        found[layer]["synops"][sample, target] += 1
                        cores["synops"][sample, home[layer][target]] += 1
                        reached.add(home[layer][target])
                found[k]["packets"][sample, source] += len(reached)
                for core in reached:
                    way = position(tile[k][source]) - position(np.array(core // limits.TILE_CORES))
                    found[k]["hops"][sample, source] += abs(way)
            if k > 0:
                senders = [(events[k - 1], chain.layers[k - 1].weight), (record, chain.layers[k - 1].weight_rec)]
                for before, weight in senders:
                    if weight is not None:
                        for step, source in np.argwhere(before[sample, :-1]):
                            touched |= {(step + 1, target) for target in np.flatnonzero(weight[:, source])}
                for _, neuron in touched:
                    found[k]["active"][sample, neuron] += 1
                    cores["active"][sample, home[k][neuron]] += 1
                for neuron in range(record.shape[2]):
                    cores["spikes"][sample, home[k][neuron]] += int(record[sample, :, neuron].sum())
    return found, cores


def test_counts_are_a_recount_of_every_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_COMPARTMENTS", 3)
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    chain, placement = network.chain, place(network.chain)
    trace = IntegerBackend().run(network, nets.samples(graph, 2, STEPS))
    counts = count(trace, chain, placement)
    found, cores = recount(trace, chain, placement)
    assert counts.chip is not None
    assert counts.chip.cores is not None
    for name, number in cores.items():
        assert (getattr(counts.chip.cores, name) == number).all(), name
    assert counts.chip.cores.neurons.tolist() == [core.neurons for core in placement.cores]
    expected = {"events": "spikes", "synops": "sent_synops", "packets": "packets", "hops": "hops"}
    for ours, theirs in expected.items():
        assert (getattr(counts.chip.input, ours) == found[0][theirs].sum(axis=1)).all(), ours
    segments = [(k, segment) for k, layer in enumerate(chain.layers) for segment in layer.segments]
    for (k, segment), ours in zip(segments, counts.chip.segments, strict=True):
        assert (ours.layer, ours.name, ours.role, ours.neurons) == (k, segment.name, segment.role, segment.size)
        for field in (*FIELDS, "hops"):
            theirs = found[k + 1][field][:, segment.place].sum(axis=1)
            assert (getattr(ours, field) == theirs).all(), (ours.name, field)
            assert getattr(ours, field).dtype == np.int64
    assert {name: n.tolist() for name, n in counts.populations.items()} == {
        name: spikes.sum(axis=(1, 2)).tolist() for name, spikes in trace.populations.items()
    }
    check_totals(counts, trace)


def check_totals(counts: Counts, trace: Trace) -> None:
    """The totals are the sums of the segments, with the model's and the chip's own neurons apart."""
    chip, totals = counts.chip, counts.totals
    assert chip is not None
    assert trace.layers is not None
    model: tuple[Role, ...] = ("compute", "readout")
    relays: tuple[Role, ...] = ("tap", "relay", "bias")
    spikes = sum(int(spikes.sum()) for spikes in trace.populations.values())
    assert totals.compute_spikes == spikes
    assert totals.drain_spikes == chip.total("spikes", model).sum() - spikes
    assert (totals.relay_spikes, totals.relay_synops) == (
        chip.total("spikes", relays).sum(),
        chip.total("synops", relays).sum(),
    )
    assert totals.compute_synops == chip.total("synops", model).sum()
    assert totals.updates == sum(layer.size for layer in trace.layers)
    assert totals.active_updates == chip.total("active").sum()
    assert totals.packets == chip.total("packets").sum() + chip.input.packets.sum()
    assert totals.messages == np.count_nonzero(trace.input)
    assert totals.rates == {name: spikes.mean() for name, spikes in trace.populations.items()}
    numbers = [number for name, number in vars(totals).items() if name not in ("rates", "graded")]
    assert min(numbers) > 0


@needs("torch", "sklearn", "lava")
def test_all_exact_backends_count_the_same() -> None:
    """Every field of every population, tap, relay, bias and core, for each of eight digits."""
    from neuro_deploy.training.config import load
    from neuro_deploy.training.data import load_data
    from neuro_deploy.training.deploy import load_evaluator

    network = shipped.network("digits")
    test = load_data(load("digits").data).test
    encoded = encode(test.samples[:8], network.manifest.input)
    placement = place(network.chain)

    def counts(backend: Backend) -> Counts:
        return count(backend.run(network, encoded), network.chain, placement)

    expected = counts(IntegerBackend())
    assert expected.chip is not None
    assert min(segment.spikes.min() for segment in expected.chip.segments if segment.role == "tap") > 0
    for backend in (FastBackend(), LavaBackend(fused=True)):
        np.testing.assert_equal(asdict(counts(backend)), asdict(expected))
    model = counts(TorchBackend(load_evaluator))
    assert model.chip is None
    np.testing.assert_equal(model.populations, expected.populations)
    assert (model.messages == expected.messages).all()
    assert model.rates == expected.rates
    assert model.totals.compute_spikes == expected.totals.compute_spikes


def ways(chain: Chain, placement: Placement, events: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Packets [samples] and hops [samples, 2] of the input and of each layer, one message after the other."""
    packets = [np.zeros(len(record), np.int64) for record in events]
    hops = [np.zeros((len(record), 2), np.int64) for record in events]
    for k, record in enumerate(events):
        home = np.zeros(record.shape[2], int) if k == 0 else placement.layers[k - 1]
        reached: list[set[int]] = [set() for _ in home]
        for layer, placed, recurrent in [
            *([(chain.layers[k], placement.layers[k], False)] if k < len(chain.layers) else []),
            *([(chain.layers[k - 1], placement.layers[k - 1], True)] if k > 0 else []),
        ]:
            matrices = [as_matrix(one) for one in layer.connections if one.recurrent is recurrent]
            if not layer.connections and not recurrent:
                matrices = [np.eye(layer.size)]
            for i, j in itertools.chain(*(np.argwhere(matrix) for matrix in matrices)):
                reached[j].add(int(placed[i]))
        for sample, _, source in np.argwhere(record):
            packets[k][sample] += len(reached[source])
            for core in reached[source]:
                tiles = np.array([0 if k == 0 else home[source], core]) // limits.TILE_CORES
                hops[k][sample] += abs(np.diff(position(tiles), axis=0)[0])
    return packets, hops


def check_cores(counts: Counts, sent: tuple[np.ndarray, ...], placement: Placement) -> None:
    """Each core has what its neurons have."""
    assert counts.chip is not None
    cores = counts.chip.cores
    assert cores is not None
    for core in range(len(placement.cores)):
        own = [placed == core for placed in placement.layers]
        fired = sum(np.count_nonzero(messages[:, :, part], axis=(1, 2)) for messages, part in zip(sent, own, strict=True))
        assert (cores.spikes[:, core] == fired).all()
        assert cores.neurons[core] == sum(part.sum() for part in own)
    assert (cores.synops.sum(axis=1) == counts.chip.total("synops")).all()
    assert (cores.active.sum(axis=1) == counts.chip.total("active")).all()


def test_counts_of_any_layer_are_a_recount_of_every_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution with borders and groups, delays, a recurrent layer, graded messages; one synapse after the other."""
    rng = np.random.default_rng(2)
    kernel = Kernel(rng.integers(-3, 4, (4, 1, 3, 2)), (4, 5, 2), (2, 1), (1, 1), (1, 1), 2)
    size = int(np.prod(kernel.target))
    matrix, back = rng.integers(-1, 2, (6, size)), rng.integers(-9, 10, (3, 3))
    layers = (
        Layer((), SigmaDelta(1, sums=False, fraction=2, state=0), (4, 5, 2), kind="input"),
        Layer((Connection(kernel, graded=True),), SigmaDelta(2, fraction=2, state=0), kernel.target, kind="conv"),
        Layer((Connection(matrix, graded=True, delay=rng.integers(0, 3, matrix.shape)),), Lif(1, 4096, 2048), (6,)),
        Layer((Connection(rng.integers(-5, 9, (3, 6))), Connection(back, recurrent=True)), Lif(2, 4096, 2048), (3,)),
    )
    names = [Segment(f"layer{k}", 0, layer.size, "compute", f"layer{k}", 0) for k, layer in enumerate(layers)]
    chain = Chain(1, 40, tuple(replace(layer, segments=(name,)) for layer, name in zip(layers, names, strict=True)), 0, False)
    injected = rng.integers(0, 3, (2, 12, 40)).astype(np.int32)
    sent = tuple(run.sent for run in run_chain(chain, injected))
    assert all(messages.any() for messages in sent)
    monkeypatch.setattr(limits, "CORE_COMPARTMENTS", 7)
    placement = place(chain)
    assert len(placement.cores) > 2 * limits.TILE_CORES
    counts = count(Trace("", injected, {}, sent, np.zeros((2, 3), np.int64), chain.segments, 0.0), chain)
    assert counts.chip is not None
    packets, hops = ways(chain, placement, [injected, *sent])
    for k, (layer, messages, segment) in enumerate(zip(layers, sent, counts.chip.segments, strict=True)):
        source = injected if k == 0 else sent[k - 1]
        active = np.zeros((2, 12, layer.size), bool) | (messages != 0)
        synops = np.zeros(2, np.int64)
        if not layer.connections:
            active |= source != 0
        for connection in layer.connections:
            dense = apply(connection.weight, np.eye(connection.sources, dtype=np.int64)).T
            delays = np.broadcast_to(np.asarray(connection.delay), dense.shape)
            for i, j in np.argwhere(dense):
                events = (messages if connection.recurrent else source)[:, :, j] != 0
                synops += events.sum(axis=1)
                late = 1 + int(delays[i, j])
                active[:, late:, i] |= events[:, : 12 - late]
        assert (segment.spikes == np.count_nonzero(messages, axis=(1, 2))).all()
        assert (segment.synops == synops).all()
        assert (segment.active == active.sum(axis=(1, 2))).all()
        low, high = int(messages.min()), int(messages.max())
        bits = next(n for n in range(1, 40) if -(1 << n - 1) <= low and high < 1 << n - 1)  # two's complement
        assert segment.bits == (bits if layer.graded else None)
        assert (segment.packets == packets[k + 1]).all()
        assert (segment.hops == hops[k + 1]).all()
    assert (counts.chip.input.packets == packets[0]).all()
    assert (counts.chip.input.hops == hops[0]).all()
    check_cores(counts, sent, placement)
    assert counts.totals.graded == sum(np.count_nonzero(messages) for messages in sent[:2])
    assert counts.totals.packets == sum(number.sum() for number in packets)
