"""Lowering: every computing population of the chain equals the graph, run directly in model time."""

from collections.abc import Callable
from dataclasses import replace

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_deploy.backends.common import align
from neuro_deploy.errors import RuleError
from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.inputs import inject
from neuro_deploy.ir.manifest import InputSpec
from neuro_deploy.ir.semantics import LayerRun, run_chain
from neuro_deploy.loihi import rules
from neuro_deploy.lowering import lower
from neuro_deploy.lowering.bias import split


def direct(graph: Graph, sample: np.ndarray) -> tuple[dict[str, list[list[int]]], list[int]]:
    """Spikes of every population and the read-out's last voltage; plain loops over Python integers, in model time."""
    history: dict[str, list[list[int]]] = {INPUT: sample.tolist()} | {name: [] for name in graph.populations}
    voltage = {name: [0] * population.size for name, population in graph.populations.items()}
    for step in range(len(sample)):
        for name, population in graph.populations.items():
            spikes = []
            for neuron in range(population.size):
                a = int(population.bias[neuron])
                for projection in graph.projections:
                    if projection.target == name:
                        for lag in range(projection.lags):
                            if step - lag >= 0:
                                row = projection.weight[lag, neuron].tolist()
                                a += sum(w * s for w, s in zip(row, history[projection.source][step - lag], strict=True))
                old = voltage[name][neuron]
                kept = abs(old) * (4096 - population.voltage_decay) >> 12
                new = (kept if old >= 0 else -kept) + 64 * a
                fired = new > 64 * population.threshold
                voltage[name][neuron] = 0 if fired else new
                spikes.append(int(fired))
            history[name].append(spikes)
    readout = next(name for name, population in graph.populations.items() if not population.fires)
    return {name: spikes for name, spikes in history.items() if name != INPUT}, voltage[readout]


def chain_runs(graph: Graph, encoded: np.ndarray, repeat: int = 1) -> tuple[list[LayerRun], int]:
    """All layers over ``repeat`` times the samples' steps, each followed by its latency and gap."""
    chain = lower(graph)
    spec = InputSpec(
        channels=graph.channels, frames=chain.frames, constant_channel=chain.input_size - 1, message_bits=8, scale=1, offset=0
    )
    injected = inject(encoded, spec, chain.latency + chain.gap)
    return list(run_chain(chain, np.concatenate([injected] * repeat, axis=1))), injected.shape[1]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs of up to six populations with any skips and lags; those of one layer share threshold and decay."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.integers(1, 3))
    sizes = {INPUT: channels}
    layer_of = {INPUT: -1}
    populations: list[Population] = []
    projections: list[Projection] = []
    parameters: dict[int, tuple[int, int]] = {}
    for index in range(draw(st.integers(1, 6))):
        name = f"p{index}"
        earlier = [p.name for p in populations]
        sources = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        sources = sources or [INPUT]
        layer = 1 + max(layer_of[source] for source in sources)
        if layer not in parameters:
            parameters[layer] = draw(st.integers(1, 253)), draw(st.sampled_from([1024, 2048, 3000, 4095]))
        threshold, decay = parameters[layer]
        size = draw(st.integers(1, 4))
        bias = draw(st.sampled_from([0, 50, 254 if layer == 0 else 900]))
        populations.append(nets.population(rng, name, size, threshold=threshold, decay=decay, bias=bias))
        layer_of[name], sizes[name] = layer, size
        for source in sources:
            lags = draw(st.integers(1, 4))
            projections.append(nets.projection(rng, source, name, lags, size, sizes[source], 250))
    populations.append(nets.readout(2, nets.even(rng, (2,), draw(st.sampled_from([0, 500])))))
    for source in draw(st.lists(st.sampled_from([p.name for p in populations[:-1]]), unique=True, min_size=1, max_size=3)):
        projections.append(nets.projection(rng, source, "out", draw(st.integers(1, 3)), 2, sizes[source], 60))
    return Graph(channels, {p.name: p for p in populations}, tuple(projections))


inputs = st.tuples(st.integers(1, 12), st.integers(0, 2**32 - 1))


def encode(graph: Graph, steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 8, (2, steps, graph.channels)) * (rng.random((2, steps, 1)) < 0.7)).astype(np.int32)


@settings(max_examples=80)
@given(graphs(), inputs)
def test_every_population_equals_the_graph(graph: Graph, drawn: tuple[int, int]) -> None:
    steps, seed = drawn
    encoded = encode(graph, steps, seed)
    runs, _ = chain_runs(graph, encoded)
    chain = lower(graph)
    found = align(chain, [run.sent for run in runs], steps)
    assert set(found) == {name for name, population in graph.populations.items() if population.fires}
    voltages = runs[-1].voltages
    assert voltages is not None
    for sample in range(len(encoded)):
        expected, logits = direct(graph, encoded[sample])
        for name, spikes in found.items():
            assert spikes[sample].tolist() == expected[name], name
        assert voltages[sample, steps + chain.latency - 1].tolist() == logits


@settings(max_examples=80)
@given(graphs(), inputs)
def test_after_the_gap_nothing_is_left(graph: Graph, drawn: tuple[int, int]) -> None:
    steps, seed = drawn
    runs, period = chain_runs(graph, encode(graph, steps, seed), repeat=2)
    # The second presentation of the same sample, not reset, repeats every spike of the first.
    for run in runs:
        assert (run.sent[:, :period] == run.sent[:, period:]).all()
        assert not run.sent[:, -1].any()
        assert not run.states["u"].any()
    assert not any(run.states["v"].any() for run in runs[:-1])


@settings(max_examples=80)
@given(graphs())
def test_relays_and_taps_live_no_longer_than_needed(graph: Graph) -> None:
    chain = lower(graph)
    layer_of = {s.name: k for k, layer in enumerate(chain.layers) for s in layer.segments if s.role in ("compute", "readout")}
    for index, layer in enumerate(chain.layers):
        assert [segment.start for segment in layer.segments] == [0] + [segment.stop for segment in layer.segments[:-1]]
        assert layer.segments[-1].stop == layer.size
        for segment in layer.segments:
            readers = [p for p in graph.projections if p.source == segment.source]
            if segment.role == "relay":
                assert layer_of[segment.source] < index < max(layer_of[p.target] for p in readers)
            elif segment.role == "tap":
                assert any(layer_of[p.target] == index + 1 and p.lags > segment.lag for p in readers)
            elif segment.role == "bias":
                later = [p for p in graph.populations.values() if layer_of[p.name] > index]
                assert any(p.bias.any() for p in later)


def test_the_layout_of_a_known_graph() -> None:
    chain = lower(nets.tiny())
    names = [[f"{s.name}:{s.role}:{s.size}" for s in layer.segments] for layer in chain.layers]
    assert names == [
        ["s0:compute:5", "bias:bias:3"],
        ["s1:compute:4", "s1~1:tap:4", "s1~2:tap:4", "s1~3:tap:4", "s0:relay:5", "bias:bias:1"],
        ["s2:compute:6", "s0~1:tap:5", "s1~1:tap:4", "s1~2:tap:4", "s0:relay:5", "s1:relay:4", "bias:bias:1"],
        ["s3:compute:3", "s1:relay:4", "bias:bias:1"],
        ["out:readout:3"],
    ]
    assert (chain.frames, chain.latency, chain.gap) == (3, 5, 3 + 2 + 53)
    assert [layer.kind for layer in chain.layers] == ["dense", "dense_rec", "dense_rec", "dense", "dense"]
    rules.check(chain, message_bits=3, steps=20)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=5))
def test_biases_split_into_even_weights(halves: list[int]) -> None:
    values = 2 * np.array(halves)
    parts = max(1, -(-int(np.abs(values).max()) // 254))
    weights = split(values, parts)
    assert (weights.sum(axis=1) == values).all()
    assert not (weights % 2).any()
    assert np.abs(weights).max() <= 254


def change(graph: Graph, key: str, **fields: object) -> Graph:
    populations = dict(graph.populations)
    populations[key] = replace(populations[key], **fields)  # type: ignore[arg-type]
    return replace(graph, populations=populations)


def add(graph: Graph, *projections: Projection) -> Graph:
    return replace(graph, projections=(*graph.projections, *projections))


ONE = np.full((1, 3, 2), 2)

BROKEN: list[tuple[Callable[[Graph], Graph], str]] = [
    (lambda g: change(g, "s1", bias=np.array([1, 2, 3, 4])), "population s1 has the odd bias 1"),
    (lambda g: change(g, "s1", bias=np.array([2])), "bias of shape"),
    (lambda g: change(g, "s0", bias=np.full(5, 300)), "bias 300 does not fit the one synapse"),
    (lambda g: change(g, "s1", threshold=254), "threshold 254 is above 253"),
    (lambda g: change(g, "s2", voltage_decay=0), "population s2 has voltage decay 0"),
    (lambda g: change(g, "s3", fires=False), "2 read-outs"),
    (lambda g: change(g, "out", fires=True), "0 read-outs"),
    (lambda g: change(g, "s1", name="bias"), "'bias' is reserved"),
    (lambda g: add(g, Projection(INPUT, "s3", ONE)), "s3 is scheduled in layer 3 and reads the input"),
    (lambda g: add(g, Projection("s3", "s0", np.full((1, 5, 3), 2))), "points backwards"),
    (lambda g: add(g, Projection("s0", "s1", np.full((1, 4, 5), 2))), "appears twice"),
    (lambda g: add(g, Projection("s9", "s1", ONE)), "no population"),
    (lambda g: add(g, Projection("s2", "out", ONE)), r"shape \[1, 3, 2\]: expected \[lags, 3, 6\]"),
]


@pytest.mark.parametrize(("breaking", "message"), BROKEN)
def test_graphs_that_cannot_be_lowered(breaking: Callable[[Graph], Graph], message: str) -> None:
    with pytest.raises(RuleError, match=message):
        lower(breaking(nets.tiny()))


def test_populations_of_one_layer_must_agree() -> None:
    rng = np.random.default_rng(0)
    populations = [
        nets.population(rng, "a", 2, threshold=100),
        nets.population(rng, "b", 2, threshold=90, decay=1024),
        nets.readout(1),
    ]
    projections = [nets.projection(rng, INPUT, name, 1, 2, 1) for name in "ab"] + [nets.projection(rng, "a", "out", 1, 1, 2)]
    with pytest.raises(RuleError) as caught:
        lower(Graph(1, {p.name: p for p in populations}, tuple(projections)))
    assert "a has threshold 100 and b has 90" in str(caught.value)
    assert "a has voltage decay 2048 and b has 1024" in str(caught.value)


def test_a_graph_of_one_layer() -> None:
    graph = Graph(2, {"out": nets.readout(3, np.array([2, 0, -4]))}, (Projection(INPUT, "out", np.full((2, 3, 2), 4)),))
    chain = lower(graph)
    assert (chain.latency, chain.frames, chain.gap) == (1, 2, 1)
    encoded = np.array([[[1, 2], [3, 0]]], np.int32)
    runs, _ = chain_runs(graph, encoded)
    assert runs[0].voltages is not None
    assert runs[0].voltages[0, 2].tolist() == direct(graph, encoded[0])[1]
