"""Both models step by step are the models on whole sequences: the same spikes, and without spikes the same numbers up to rounding."""

import numpy as np
import pytest
import torch
from test_network import STEPS, checkpoint, random_network, tiny_config

from neuro_deploy.training.config import Config
from neuro_deploy.training.data import Split
from neuro_deploy.training.deploy import Evaluator
from neuro_deploy.training.evaluation import evaluate
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer, DenseStream, LegendreMemory
from neuro_deploy.training.models.legendre import impulse_response
from neuro_deploy.training.models.streaming import SpikingStream

Model = dict[str, object]

MODELS: list[Model] = [
    {},
    {"blocks": 2},
    {"kernel": 1},
    {"filters": [3, 4]},
    {"patch_embedding": False, "memory": False, "mixer": False},
]
"""Enough for every kind of map, and sources with one reader, several and none."""


def random_dense(config: Config) -> DenseLMUFormer:
    """Random norms and statistics, so that none of them is the identity."""
    torch.manual_seed(2)
    network = DenseLMUFormer(config, 2, 3)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(part.weight, -1.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.5, 0.5)
    network.train()
    for _ in range(5):
        network(torch.randint(0, 32, (16, STEPS, 2)).float())
    return network.eval()


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_every_spike_of_the_evaluation_pass(model: Model) -> None:
    config = tiny_config(**model)
    network = random_network(config)
    encoded = np.random.default_rng(0).integers(0, 32, (3, STEPS, 2)).astype(np.int32)
    populations, readout = Evaluator(checkpoint(config, network))(encoded)
    assert max(spikes.mean() for spikes in populations.values()) > 0.05, "a silent network proves nothing"
    stream = SpikingStream(network, STEPS, config.neuron.voltage_decay)
    frames = torch.from_numpy(encoded).float()
    for _ in range(2):  # the second time after the first, from rest
        stream.start(len(encoded))
        for step in range(STEPS):
            stream.step(frames[:, step])
            assert list(stream.spikes) == list(populations)
            for name, spikes in stream.spikes.items():
                assert np.array_equal(spikes.numpy(), populations[name][:, step]), (name, step)
        assert np.array_equal(stream.voltage.numpy(), readout)
    torch.testing.assert_close(stream.logits(), network(frames, quantised=True).logits)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_the_dense_model(model: Model) -> None:
    network = random_dense(tiny_config(**model))
    frames = torch.randint(0, 32, (3, STEPS, 2)).float()
    with torch.no_grad():
        whole = network(frames).logits
    stream = DenseStream(network)
    for _ in range(2):
        stream.start(3)
        for step in range(STEPS):
            stream.step(frames[:, step])
        torch.testing.assert_close(stream.logits(), whole, rtol=1e-4, atol=1e-4)
    assert whole.std() > 0.01


def test_the_dense_model_is_causal() -> None:
    network = random_dense(tiny_config(blocks=2))
    frames = torch.randint(0, 32, (2, STEPS, 2)).float()
    changed = frames.clone()
    changed[:, 9:] += 5
    with torch.no_grad():
        before, after = (network.answers(values, lambda part, signal: part(signal)) for values in (frames, changed))
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


@pytest.mark.parametrize("steps", [1, 5, 40])
def test_the_memory_is_the_sum_over_its_past(steps: int) -> None:
    """Also beyond its window, and after a sequence of another length."""
    order, length = 4, 9
    memory = LegendreMemory(order, length)
    memory(torch.zeros(1, 17, 1))
    values = torch.randn(2, steps, 3)
    response = impulse_response(order, length, steps)
    expected = np.zeros((2, steps, 3, order))
    for step in range(steps):
        for lag in range(step + 1):
            expected[:, step] += values[:, step - lag, :, None].numpy() * response[:, lag]
    found = memory(values).reshape(2, steps, 3, order)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_every_parameter_of_the_dense_model_gets_a_gradient() -> None:
    network = random_dense(tiny_config()).train()
    network(torch.randint(0, 32, (8, STEPS, 2)).float(), quantised=True).logits.square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_dense_model_learns_and_is_evaluated_like_the_spiking_one() -> None:
    """The class is whether the first channel's mean is above its middle."""
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 16, (64, STEPS, 2)).astype(np.float32)
    labels = (samples[:, :, 0].mean(1) > 7.5).astype(np.int64)
    config = tiny_config()
    network = DenseLMUFormer(config, 2, 3)
    before = evaluate(network, Split(samples, labels), config.encoding, quantised=True).loss
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    network.train()
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network(torch.from_numpy(samples)).logits, torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = evaluate(network, Split(samples, labels), config.encoding, quantised=True)
    assert after.loss < before / 2
    assert after.accuracy > 0.9


def test_the_models_have_the_same_sizes() -> None:
    """Weights of both, without norms; the spiking residual stream alone has no norm where the other has a convolution's."""
    config = tiny_config()
    spiking, dense = random_network(config), random_dense(config)
    sizes = [sorted(p.numel() for p in network.parameters() if p.ndim > 1) for network in (spiking, dense)]
    # what the memory's output reads lies in two maps there, in one matrix here
    assert sum(sizes[0]) == sum(sizes[1])
