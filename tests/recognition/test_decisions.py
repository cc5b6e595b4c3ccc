"""Read-outs over time and the decisions taken from them, against shorter samples and against plain loops."""

from pathlib import Path

import nets
import numpy as np
import pytest

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.inputs import inject
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.netx import load_network
from neuro_deploy.recognition.decisions import decide, readouts, scores

STEPS = 12


def test_a_readout_so_far_is_that_of_a_shorter_sample(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    chain = network.chain
    encoded = nets.samples(graph, 3, STEPS)
    trace = IntegerBackend().run(network, encoded)
    voltages = readouts(network, trace)
    assert voltages.shape == (3, STEPS, 3)
    assert np.array_equal(voltages[:, -1], trace.readout)
    for steps in (1, 2, 7, STEPS):
        *_, last = run_chain(chain, inject(encoded[:, :steps], network.manifest.input, chain.latency))
        assert last.voltages is not None
        assert np.array_equal(voltages[:, steps - 1], last.voltages[:, steps + chain.latency - 1])
    assert np.unique(voltages[0, :, 0]).size > STEPS // 2, "a read-out that stands still proves nothing"


def test_readouts_of_the_shipped_network_end_where_its_trace_ends() -> None:
    """A real chain has taps, relays and bias neurons before its read-out."""
    network = load_network(Path("netx_models/digits.net"))
    steps, spec = network.manifest.steps, network.manifest.input
    encoded = np.random.default_rng(0).integers(0, 2**spec.message_bits, (2, steps, spec.channels)).astype(np.int32)
    trace = IntegerBackend().run(network, encoded)
    assert np.array_equal(readouts(network, trace)[:, -1], trace.readout)


def test_scores_are_shares_that_evidence_moves() -> None:
    voltages = np.array([[[0, 0, 0], [640, 0, 0], [640, 1280, -640]]])
    found = scores(voltages, 640)
    np.testing.assert_allclose(found.sum(axis=2), 1)
    np.testing.assert_allclose(found[0, 0], 1 / 3)
    np.testing.assert_allclose(found[0, 1, 0] / found[0, 1, 1], np.e)
    np.testing.assert_allclose(found[0, 2, 1] / found[0, 2, 2], np.exp(3))
    assert np.isfinite(scores(np.array([[[2**40, -(2**40)]]]), 64)).all()


def test_shares_of_a_step_are_the_same_alone_and_among_others() -> None:
    voltages = np.random.default_rng(0).integers(-5000, 5000, (40, 12, 20))[..., np.arange(1, 20, 2)]  # as words are chosen
    together = scores(voltages, 640)
    for sample in range(40):
        for step in range(12):
            alone = np.array([[voltages[sample, step].tolist()]])
            assert np.array_equal(scores(alone, 640)[0, 0], together[sample, step])


@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.6, 0.9, 1.1])
def test_a_decision_is_the_first_that_is_sure_enough(threshold: float) -> None:
    confidence = np.random.default_rng(1).dirichlet(np.ones(3), (50, 7))
    found = decide(confidence, threshold)
    for sample, steps in enumerate(confidence):
        sure = [step for step in range(7) if max(steps[step]) >= threshold]
        step = sure[0] if sure else 6
        assert found.steps[sample] == step + 1
        assert found.classes[sample] == list(steps[step]).index(max(steps[step]))
        assert found.scores[sample] == max(steps[step])


def test_nothing_is_decided_before_the_first_step_with_sound() -> None:
    confidence = np.random.default_rng(1).dirichlet(np.ones(3), (50, 7))
    first = np.arange(50) % 7 + 1
    found = decide(confidence, 0.6, first)
    for sample, steps in enumerate(confidence):
        sure = [step for step in range(first[sample], 8) if max(steps[step - 1]) >= 0.6]
        assert found.steps[sample] == (sure[0] if sure else 7)
