"""The batch engine against the integer semantics, bit for bit."""

import sys
import warnings
from pathlib import Path

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_deploy import engine
from neuro_deploy.backends import create, fast
from neuro_deploy.engine.rows import BLOCK, pack
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Chain, Layer, dense
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.ir.trace import Trace
from neuro_deploy.netx import load_network

DIGITS = Path(__file__).parents[2] / "netx_models" / "digits.net"

KINDS = ("mixed", "excitatory", "inhibitory", "copies", "sparse", "wide")


def weights(rng: np.random.Generator, kind: str, rows: int, columns: int) -> np.ndarray:
    if kind == "mixed":
        return 2 * rng.integers(-128, 128, (rows, columns))
    if kind in ("excitatory", "inhibitory"):
        return rng.integers(0, 256, (rows, columns)) * (1 if kind == "excitatory" else -1)
    if kind == "copies":
        return 255 * np.eye(rows, columns, k=-int(rng.integers(0, 3)), dtype=np.int64)
    if kind == "sparse":
        return 2 * rng.integers(-128, 128, (rows, columns)) * (rng.random((rows, columns)) < 0.15)
    # No chip has them, but they reach the wrap of the current and need the wide kernel.
    return rng.integers(-50_000, 50_000, (rows, columns))


@st.composite
def layers(draw: st.DrawFn, inputs: int, rng: np.random.Generator) -> Layer:
    size = draw(st.integers(1, 40) | st.sampled_from([BLOCK, 64, 65, 130]))
    weight = weights(rng, draw(st.sampled_from(KINDS)), size, inputs)
    kind = draw(st.sampled_from((None, *KINDS[:-1])))
    return dense(
        weight,
        None if kind is None else weights(rng, kind, size, size),
        draw(st.integers(-2, 600) | st.integers(1, 2**17 - 1)),
        draw(st.just(4096) | st.integers(1, 4096)),
        draw(st.integers(0, 4095)),
        bias=draw(st.sampled_from([None, np.zeros(size, np.int64), rng.integers(-4096, 4096, size)])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Chain, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = width = draw(st.integers(1, 30))
    chain = []
    for _ in range(draw(st.integers(1, 4))):
        chain.append(draw(layers(width, rng)))
        width = chain[-1].size
    bits = draw(st.integers(1, 8))
    shape = (draw(st.integers(1, 11)), draw(st.integers(1, 25)), inputs)
    source = rng.integers(0, 2**bits, shape) * (rng.random(shape) < draw(st.sampled_from([0.05, 0.5, 1])))
    source[:, shape[1] // 2 + 1 :] *= draw(st.integers(0, 1))  # some samples end with silence
    return Chain(1, inputs - 1, tuple(chain), 0), source.astype(np.int32)


def run_fast(chain: Chain, source: np.ndarray, when: int, threads: int) -> tuple[list[np.ndarray], np.ndarray]:
    samples, steps = source.shape[:2]
    # Filled with what must be overwritten.
    found = [np.full((samples, steps, layer.size), 99, np.uint8) for layer in chain.layers]
    readout = np.full((samples, chain.layers[-1].size), 99, np.int64)
    engine.run_chain(engine.make_plan(chain, int(source.max()), steps), source, found, readout, when, threads)
    return found, readout


@settings(max_examples=250)
@given(cases(), st.data())
def test_any_chain_runs_as_the_semantics_say(case: tuple[Chain, np.ndarray], data: st.DataObject) -> None:
    chain, source = case
    when = data.draw(st.integers(0, source.shape[1] - 1))
    found, readout = run_fast(chain, source, when, data.draw(st.integers(1, 3)))
    expected = list(run_chain(chain, source))
    for spikes, run in zip(found, expected, strict=True):
        assert (spikes == run.sent).all()
    voltages = expected[-1].voltages
    assert voltages is not None
    assert (readout == voltages[:, when]).all()


def equal(one: Trace, other: Trace) -> bool:
    assert one.layers is not None
    assert other.layers is not None
    pairs = [*zip(one.layers, other.layers, strict=True), (one.readout, other.readout), (one.input, other.input)]
    pairs += [(one.populations[name], spikes) for name, spikes in other.populations.items()]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path)


def run(name: str, network: Network, samples: int = 20) -> Trace:
    encoded = nets.samples(nets.tiny(), samples, network.manifest.steps)
    return create(name).run(network, encoded)


def test_a_trace_is_the_integer_backends(network: Network) -> None:
    trace = run("fast", network)
    assert trace.backend == "fast"
    assert trace.seconds > 0
    assert trace.startup > 0
    assert equal(trace, run("integer", network))
    assert all(spikes.any() for spikes in trace.populations.values())


def test_the_shipped_network_on_all_test_samples() -> None:
    from neuro_deploy.training.config import parse
    from neuro_deploy.training.data import load_data

    network = load_network(DIGITS)
    data = load_data(parse(network.manifest.settings, "the manifest").data).test
    encoded = encode(data.samples, network.manifest.input)
    traces = [create(name).run(network, encoded) for name in ("integer", "fast")]
    assert traces[0].samples == 360
    assert equal(*traces)


def test_the_wrap_of_the_current_is_lavas() -> None:
    limit = 2**17  # 64 times it is 2**23
    for weight in (limit, limit + 1, -limit, -limit - 1, 3 * limit + 5):
        chain = Chain(1, 0, (dense(np.array([[weight]]), None, 2**17 - 1, 1, 0),), 0)
        source = np.ones((1, 6, 1), np.int32)
        voltages = next(run_chain(chain, source)).voltages
        assert voltages is not None
        assert all(run_fast(chain, source, step, 1)[1] == voltages[:, step] for step in range(6))


def test_sums_beyond_32_bits_are_exact() -> None:
    layer = dense(np.array([[255, 255, 1], [-255, -255, -1], [255, -254, 0]]), None, 2**17 - 1, 4096, 2048)
    chain = Chain(1, 2, (layer,), 0)
    source = np.random.default_rng(0).integers(0, 2**24, (20, 30, 3)).astype(np.int32)
    run = next(run_chain(chain, source))
    (spikes,), readout = run_fast(chain, source, 29, 2)
    assert (spikes == run.sent).all()
    assert (readout == run.states["v"]).all()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (dense(np.array([[255, 255]]), None, 1, 4096, 0), r"layer 0: the synaptic current can reach 3\d+, .* below 2\*\*40"),
        (dense(np.array([[1, 1]]), None, 2**40, 4096, 0), "layer 0: the threshold can reach"),
        (dense(np.array([[1, 1]]), None, 1, 4096, 0, bias=np.array([2**40])), "layer 0: the bias can reach"),
    ],
)
def test_numbers_that_are_too_large_are_refused(layer: Layer, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        engine.make_plan(Chain(1, 1, (layer,), 0), 2**30, 10)


def test_zeros_are_not_stored_and_copies_cost_one_weight() -> None:
    weight = np.zeros((200, 5), np.int64)
    weight[3:67, 0] = 2  # dense from 3 to 66: five blocks, the first and the last partly zeros
    weight[150, 1] = 255
    weight[[0, 199], 2] = -255
    rows = pack(weight, np.int16)
    assert np.diff(rows.first_block).tolist() == [4, 0, 0, 0, 0]
    assert np.diff(rows.first_single).tolist() == [3, 1, 2, 0, 0]
    assert rows.single_target.tolist() == [64, 65, 66, 150, 0, 199]
    assert rows.single_weight.tolist() == [2, 2, 2, 255, -255, -255]
    assert rows.block_weight.size == 4 * BLOCK


def forbid_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neuro_deploy.engine", None)
    monkeypatch.delattr("neuro_deploy.engine")


def fail_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise RuntimeError("LLVM ERROR:\n  unknown processor")

    monkeypatch.setattr(engine, "run_chain", fail)


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [(forbid_numba, "ModuleNotFoundError|ImportError"), (fail_to_compile, "LLVM ERROR: unknown processor")],
)
def test_without_a_compiler_the_integer_backend_runs(
    network: Network, monkeypatch: pytest.MonkeyPatch, breaks: object, reason: str
) -> None:
    expected = run("integer", network)
    fast._warn.cache_clear()
    assert callable(breaks)
    breaks(monkeypatch)
    with pytest.warns(UserWarning, match=rf"fast: the engine cannot be compiled here \(.*({reason})"):
        trace = run("fast", network)
    assert trace.backend == "fast"
    assert equal(trace, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run("fast", network)  # it warns once
    fast._warn.cache_clear()


def test_an_error_of_a_thread_reaches_the_caller(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("neuro_deploy.engine.run.run_layer", fail)
    plans = engine.make_plan(network.chain, 7, 10)
    source = np.ones((30, 10, network.chain.input_size), np.int32)
    records = [np.empty((30, 10, layer.size), np.uint8) for layer in network.chain.layers]
    with pytest.raises(MemoryError, match="no room"):
        engine.run_chain(plans, source, records, np.empty((30, 3), np.int64), 9, 2)
