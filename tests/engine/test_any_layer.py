"""The batch engine on layers of any kind, against the integer semantics, bit for bit."""

from contextlib import nullcontext
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from special import special_chains

from neuro_deploy import engine
from neuro_deploy.engine import general
from neuro_deploy.errors import BackendError, RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.neurons import Lif, Sigma, SigmaDelta
from neuro_deploy.ir.semantics import run_chain, sent_type
from neuro_deploy.ir.synapses import Connection, Kernel


def chain_of(*layers: Layer) -> Chain:
    return Chain(1, layers[0].sources, layers, 0, constant=False)


def run_fast(chain: Chain, source: np.ndarray, when: int, threads: int = 1) -> tuple[list[np.ndarray], np.ndarray]:
    samples, steps = source.shape[:2]
    # Filled with what must be overwritten.
    found = [np.full((samples, steps, layer.size), 99, sent_type(layer)) for layer in chain.layers]
    readout = np.full((samples, chain.layers[-1].size), 99, np.int64)
    plans = engine.make_plan(chain, int(np.abs(source).max()), steps)
    engine.run_chain(plans, source.astype(np.int32), found, readout, when, threads)
    return found, readout


def require_equal(chain: Chain, source: np.ndarray, when: int, threads: int = 1) -> None:
    """Both give the same, or both refuse."""
    try:
        expected = list(run_chain(chain, source))
    except RuleError:
        with pytest.raises(RuleError, match="use smaller"):
            run_fast(chain, source, when, threads)
        return
    found, readout = run_fast(chain, source, when, threads)
    for sent, run in zip(found, expected, strict=True):
        assert sent.dtype == run.sent.dtype
        assert (sent == run.sent).all()
    voltages = expected[-1].voltages
    assert voltages is not None
    assert (readout == voltages[:, when]).all()


@settings(max_examples=200)
@given(special_chains(), st.data())
def test_any_chain_runs_as_the_semantics_say(chain: Chain, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 14)), chain.input_size
    source = rng.integers(-3, 4, shape) * (rng.random(shape) < data.draw(st.sampled_from([0.01, 0.2, 1])))
    source[:, shape[1] // 2 :] = source[:, shape[1] // 2 : shape[1] // 2 + 1] * data.draw(
        st.integers(0, 1)
    )  # the same, or silent
    source *= data.draw(st.sampled_from([1, 1, 1000, 1 << 20]))
    when = data.draw(st.integers(0, shape[1] - 1))
    narrow = data.draw(st.booleans())
    with mock.patch.object(general.GeneralPlan, "_fits", general.GeneralPlan._fits if narrow else lambda *_: False):
        require_equal(chain, source, when, data.draw(st.integers(1, 3)))


def copies(neurons: Lif | SigmaDelta | Sigma, weight: int = 1, size: int = 1, **more: int | bool) -> Layer:
    """As many neurons as sources, each reads its own."""
    return Layer((Connection(weight * np.eye(size, dtype=np.int64), graded=True, **more),), neurons, (size,))  # type: ignore[arg-type]


def test_sums_that_grow_out_of_the_narrow_kind_go_on_in_the_wide_one() -> None:
    chain = chain_of(copies(Sigma(), 1 << 14), copies(SigmaDelta(0, fraction=1, state=0)))
    source = np.full((2, 12, 1), 6000)
    source[:, 6:] = -6000
    assert general.NARROW < 12 * 6000 << 14
    require_equal(chain, source, 11)


def test_what_lava_has_no_bits_for_is_refused() -> None:
    long = np.full((1, 40, 1), 6000)
    for layer in (copies(Sigma(), 1 << 14), copies(SigmaDelta(0), 1 << 14), copies(Lif(1, 0, 0, None, 99), 1 << 19)):
        with pytest.raises(RuleError, match=r"layer 0: a sum or a state leaves the 32 bits that Lava has for it: use smaller"):
            run_fast(chain_of(layer, copies(Lif(1, 4096, 0))), long, 39)
    kernel = Connection(Kernel(np.array([[[[200]]]]), (1, 1, 1)), graded=True)
    with pytest.raises(RuleError, match=r"layer 0: a convolution's sum is beyond 2\*\*24"):
        run_fast(chain_of(Layer((kernel,), Sigma(), (1, 1, 1))), np.full((1, 4, 1), 100_000), 3)


def test_a_plain_layer_refuses_sums_of_values_beyond_lavas_bits() -> None:
    chain = chain_of(Layer((), SigmaDelta(0, sums=False, fraction=3, state=0), (1,)), copies(Lif(50, 4096, 0), 254))
    for most, refused in ((1 << 20, False), (1 << 21, True)):  # 254 * 2**23 is below 2**31
        source = np.full((1, 3, 1), most)
        with pytest.raises(RuleError, match="a sum of weights reaches 4261412864") if refused else nullcontext():
            list(run_chain(chain, source))
        require_equal(chain, source, 2)


def test_the_sum_of_a_convolution_wraps() -> None:
    kernel = Connection(Kernel(np.array([[[[1]], [[-1]]]]), (1, 1, 2)), graded=True)
    source = np.random.default_rng(0).integers(-(1 << 23), (1 << 23) + 1, (3, 20, 2))
    require_equal(chain_of(Layer((kernel,), SigmaDelta(0, fraction=0, state=0), (1, 1, 1))), source // 4 * 4, 19)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Layer((Connection(np.eye(2, dtype=np.int64)),) * 2, Sigma(), (2,)),
            "layer 0: more than one matrix forward and one recurrent, or a convolution beside another: use the integer backend",
        ),
        (copies(SigmaDelta(1 << 45)), "layer 0: a bias or threshold of 35184372088832 with 12 bits of fraction"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(layer: Layer, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        engine.make_plan(chain_of(layer), 1, 10)
