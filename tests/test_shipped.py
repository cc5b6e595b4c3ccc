"""The networks that are shipped: made by the configurations that are shipped, and as good as promised, on the whole test sets."""

from collections.abc import Callable

import numpy as np
import pytest
import shipped
from numpy.typing import NDArray

from neuro_deploy.backends import create
from neuro_deploy.backends.torch import TorchBackend
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi import rules
from neuro_deploy.training.checkpoint import read
from neuro_deploy.training.config import load
from neuro_deploy.training.data import Data
from neuro_deploy.training.deploy import load_evaluator
from neuro_deploy.training.evaluation import evaluate
from neuro_deploy.verify.check import Comparison, compare

every = pytest.mark.parametrize("name", ["digits", "speech_commands_12"])


def run(network: Network, encoded: NDArray[np.int32]) -> tuple[Trace, Comparison]:
    """The chain, on the fast backend, which is compared with the reference elsewhere; and the trained model compared with it."""
    chain = create("fast").run(network, encoded)
    model = TorchBackend(load_evaluator).run(network, encoded)
    return chain, compare(chain, model)


@every
def test_it_was_made_by_the_shipped_configuration(name: str) -> None:
    manifest = shipped.network(name).manifest
    assert manifest.settings == load(name).model_dump(mode="json")
    assert manifest.config == name


@every
def test_it_keeps_the_rules_of_the_chip(name: str) -> None:
    network = shipped.network(name)
    rules.check(network.chain, message_bits=network.manifest.input.message_bits, steps=network.manifest.steps)


@every
def test_the_chain_computes_what_was_trained_whatever_comes_in(name: str) -> None:
    network = shipped.network(name)
    spec, steps = network.manifest.input, network.manifest.steps
    random = np.random.default_rng(0).integers(0, 1 << spec.message_bits, (16, steps, spec.channels), dtype=np.int32)
    _, result = run(network, random)
    assert result.equal
    assert sum(row.spikes for row in result.rows) > 10_000


@pytest.mark.parametrize(
    ("name", "samples", "accuracy", "loss"),
    [
        ("digits", 360, 0.965, 0.005),
        ("speech_commands_12", 767, 0.965, 0.003),
    ],
)
def test_the_chain_computes_what_was_trained_and_quantisation_costs_nothing(
    name: str, samples: int, accuracy: float, loss: float, data_of: Callable[[str], Data]
) -> None:
    """All test samples."""
    network, test = shipped.network(name), data_of(name).test
    chain, result = run(network, encode(test.samples, network.manifest.input))
    assert result.samples == len(test) == samples
    assert result.first is None
    assert result.mismatches == result.readout_mismatches == 0
    assert min(np.count_nonzero(spikes) for spikes in chain.populations.values()) > 0
    assert chain.accuracy(test.labels) >= accuracy
    real = evaluate(read(network.checkpoint).network(), test, network.manifest.input, quantised=False)
    assert chain.accuracy(test.labels) >= real.accuracy - loss
