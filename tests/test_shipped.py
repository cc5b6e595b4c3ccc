"""The network that is shipped: made by the configuration that is shipped, and as good as promised, on the whole test set."""

from pathlib import Path

import numpy as np

from neuro_deploy.backends import create
from neuro_deploy.backends.torch import TorchBackend
from neuro_deploy.check import compare
from neuro_deploy.inputs import encode
from neuro_deploy.loihi import rules
from neuro_deploy.netx import load_network
from training.checkpoint import read
from training.config import load
from training.data import load_data
from training.deploy import load_evaluator
from training.evaluation import evaluate

NETWORK = load_network(Path(__file__).parent.parent / "netx_models" / "digits.net")
TEST = load_data(load("digits").data).test


def test_it_was_made_by_the_shipped_configuration() -> None:
    assert NETWORK.manifest.settings == load("digits").model_dump()
    assert NETWORK.manifest.config == "digits"


def test_it_keeps_the_rules_of_the_chip() -> None:
    rules.check(NETWORK.chain, message_bits=NETWORK.manifest.input.message_bits, steps=NETWORK.manifest.steps)


def test_the_chain_computes_what_was_trained_and_quantisation_costs_nothing() -> None:
    """All 360 test digits; the fast backend stands for the reference, with which it is compared elsewhere."""
    encoded = encode(TEST.samples, NETWORK.manifest.input)
    chain = create("fast").run(NETWORK, encoded, TEST.labels)
    model = TorchBackend(load_evaluator).run(NETWORK, encoded, TEST.labels)
    result = compare(chain, model, tuple(layer.segments for layer in NETWORK.chain.layers))
    assert result.samples == len(TEST) == 360
    assert result.first is None
    assert result.mismatches == result.readout_mismatches == 0
    assert min(np.count_nonzero(spikes) for spikes in chain.populations.values()) > 0
    assert chain.accuracy >= 0.965
    real = evaluate(read(NETWORK.checkpoint).network(), TEST, NETWORK.manifest.input, quantised=False)
    assert chain.accuracy >= real.accuracy - 0.005
