"""The model: what is folded and quantised computes what it should, with every stage on and off."""

from typing import Any

import numpy as np
import pytest
import torch

from neuro_deploy.errors import ConfigError
from neuro_deploy.ir.graph import INPUT, Graph
from neuro_deploy.loihi import rules
from neuro_deploy.lowering import lower
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.config import Config, parse
from neuro_deploy.training.deploy import Evaluator, to_graph
from neuro_deploy.training.models.bands import WIDTH, BandKernel
from neuro_deploy.training.models.lmuformer import build
from neuro_deploy.training.models.network import BandMap, Map, Memory, Network

STEPS = 14


def tiny_config(**model: Any) -> Config:
    sizes = {"channels": 6, "memory_channels": 2, "memory_order": 3, "memory_length": 5, "mixer_ratio": 2}
    return parse(
        {
            "name": "tiny",
            "data": {"name": "digits"},
            "encoder": {"bits": 5},
            "model": sizes | model,
            "train": {"epochs": 1, "quantised_epochs": 1},
        },
        "the test",
    )


def random_network(config: Config, channels: int = 2, classes: int = 3) -> Network:
    """Random weights, norms and statistics, so that every neuron sees something and most fire now and then."""
    torch.manual_seed(1)
    network = build(config, channels, classes)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm1d):
                part.weight.uniform_(-1.5, 1.5)
                part.bias.uniform_(-0.5, 1.0)
        network.train()
        for _ in range(20):
            network(torch.randint(0, 32, (16, STEPS, channels)).float())
        network.readout.bias.uniform_(-1, 1)
    return network.eval()


def checkpoint(config: Config, network: Network) -> Checkpoint:
    return Checkpoint(config, ("a", "b", "c"), network.channels, STEPS, network.state_dict(), 1, 0.5)


def run_graph(graph: Graph, encoded: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The graph's definition, neuron by neuron in plain integers: an implementation that shares nothing with the others."""
    spikes = {INPUT: encoded.astype(int)}
    voltage = np.zeros(0)
    for name, population in graph.populations.items():
        v = [0] * population.size
        record = np.zeros((len(encoded), population.size), int)
        for step in range(len(encoded)):
            for neuron in range(population.size):
                a = int(population.bias[neuron])
                for projection in graph.inputs_of(name):
                    for lag in range(min(projection.lags, step + 1)):
                        a += int(projection.weight[lag, neuron] @ spikes[projection.source][step - lag])
                kept = abs(v[neuron]) * (4096 - population.voltage_decay) // 4096
                v[neuron] = (kept if v[neuron] >= 0 else -kept) + 64 * a
                if v[neuron] > 64 * population.threshold:
                    v[neuron], record[step, neuron] = 0, 1
        spikes[name], voltage = record, np.array(v)
    return spikes, voltage


ABLATIONS: list[dict[str, Any]] = [
    {},
    {"patch_embedding": False},
    {"residual_embedding": False},
    {"memory": False},
    {"mixer": False},
    {"blocks": 2},
    {"kernel": 1},
    {"filters": [3, 4], "residual_embedding": False},
    {"filters": [5]},
    {"patch_embedding": False, "memory": False, "mixer": False},
]


@pytest.mark.parametrize("model", ABLATIONS, ids=str)
def test_the_evaluation_pass_computes_the_graph(model: dict[str, Any]) -> None:
    config = tiny_config(**model)
    trained = checkpoint(config, random_network(config))
    graph = to_graph(trained)
    encoded = np.random.default_rng(0).integers(0, 32, (3, STEPS, 2)).astype(np.int32)
    populations, readout = Evaluator(trained)(encoded)
    assert [name for name, p in graph.populations.items() if p.fires] == list(populations)
    rates = [spikes.mean() for spikes in populations.values()]
    assert max(rates) > 0.05, "a silent network proves nothing"
    for sample in range(len(encoded)):
        expected, voltage = run_graph(graph, encoded[sample])
        for name, spikes in populations.items():
            assert np.array_equal(spikes[sample], expected[name]), name
        assert np.array_equal(readout[sample], voltage)


@pytest.mark.parametrize("model", ABLATIONS, ids=str)
def test_the_deployed_integers_keep_the_rules(model: dict[str, Any]) -> None:
    config = tiny_config(**model)
    graph = to_graph(checkpoint(config, random_network(config)))
    for projection in graph.projections:
        assert projection.weight.min() >= -256
        assert projection.weight.max() <= 254
        assert not (projection.weight % 2).any()
    rules.check(lower(graph), message_bits=5, steps=STEPS)


def test_switching_a_stage_off_removes_its_populations() -> None:
    names = {str(model): set(build(tiny_config(**model), 1, 2).populations) for model in ABLATIONS[:5]}
    everything = names["{}"]
    assert everything == {"s0", "s1", "s2", "s3", "p", "u", "m", "h", "a", "b", "z"}
    assert everything - names["{'patch_embedding': False}"] == {"s1", "s2", "s3"}
    assert everything - names["{'residual_embedding': False}"] == {"s3"}
    assert everything - names["{'memory': False}"] == {"u", "m"}
    assert everything - names["{'mixer': False}"] == {"a", "b"}


def test_without_rounding_folding_changes_nothing() -> None:
    """The folded weights before rounding give the same sums as batch norm with its running statistics."""
    config = tiny_config()
    network = random_network(config)
    frames = torch.randint(0, 32, (4, STEPS, 2)).float()
    spikes = network(frames).spikes | {"input": frames}
    for name, population in network.spiking():
        parts = network.deployed(name)
        sums: dict[tuple[str, ...], torch.Tensor] = {}
        expected = population.norm(network._stream(population.reads, spikes, sums).flatten(0, 1)).reshape(4, STEPS, -1)
        found = (network._sum(parts, spikes) + parts.bias) / parts.threshold
        # each weight and bias was moved by one integer at most
        active = sum(_stacked(network, read, spikes) for read in population.reads) + 1
        assert ((found - expected).abs() <= active / parts.threshold + 1e-4).all(), name


def _stacked(network: Network, read: str, spikes: dict[str, torch.Tensor]) -> torch.Tensor:
    """Number of active inputs [samples, steps, 1] of a map (of the widest row)."""
    part = network.linear(read)
    source = spikes[part.source].sum(2, keepdim=True)
    return sum(torch.nn.functional.pad(source, (0, 0, lag, 0))[:, :STEPS] for lag in range(part.lags))  # type: ignore[return-value]


PARTS = {
    "map": Map("x", 4, 5, lags=3),
    "memory": Memory("x", 4, torch.randn(3, 6)),
    "bands": BandMap("x", BandKernel(2, 2, 5, lags=3)),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_the_dense_form_of_a_map_is_the_map(part: Map | Memory) -> None:
    spikes = torch.randint(0, 2, (2, 9, 4)).float()
    dense = part.dense(part.weight)
    assert dense.shape == (part.lags, part.outputs, 4)
    padded = torch.nn.functional.pad(spikes, (0, 0, part.lags - 1, 0))
    expected = sum(padded[:, part.lags - 1 - lag :][:, :9] @ dense[lag].T for lag in range(part.lags))
    torch.testing.assert_close(part.apply_weight(part.weight, spikes), expected)


@pytest.mark.parametrize("places", [1, 2, 5, 8])
def test_a_kernel_over_bands_is_a_convolution_in_two_dimensions(places: int) -> None:
    part = BandMap("x", BandKernel(places, 3, 4, lags=3))
    spikes = torch.randint(0, 2, (2, 9, places * 3)).float()
    images = spikes.reshape(2, 9, places, 3).permute(0, 3, 1, 2)  # [samples, neurons of a place, steps, places]
    padded = torch.nn.functional.pad(images, (WIDTH // 2, WIDTH // 2, 2, 0))
    kernel = part.kernel.kernel.permute(0, 3, 1, 2).flip(2)  # [outputs, inputs, steps, the present last, places]
    expected = torch.nn.functional.conv2d(padded, kernel, stride=(1, 2)).permute(0, 2, 3, 1).flatten(2)
    assert part.outputs == expected.shape[2]
    torch.testing.assert_close(part.apply_weight(part.weight, spikes), expected)
    chosen = torch.randn(2, 9, part.outputs)
    wanted = torch.autograd.grad((expected * chosen).sum(), part.kernel.kernel)
    torch.testing.assert_close(
        torch.autograd.grad((part.apply_weight(part.weight, spikes) * chosen).sum(), part.kernel.kernel), wanted
    )


def test_filters_stand_in_places_along_the_frequencies() -> None:
    network = build(tiny_config(filters=[3, 4]), 10, 2)
    assert [part.size for name, part in network.spiking() if name.startswith("s")] == [5 * 3, 3 * 4, 6]
    assert network.linear("embed").inputs == 3 * 4


def test_filters_without_the_patch_embedding_are_refused() -> None:
    with pytest.raises(ConfigError, match="filters are the patch embedding's: leave them out, or set patch_embedding = true"):
        tiny_config(filters=[3], patch_embedding=False)


def test_the_model_is_causal() -> None:
    """Later input does not change earlier spikes."""
    config = tiny_config(blocks=2)
    network = random_network(config)
    frames = torch.randint(0, 32, (2, STEPS, 2)).float()
    changed = frames.clone()
    changed[:, 9:] = torch.randint(0, 32, (2, STEPS - 9, 2)).float()
    for quantised in (False, True):
        before, after = network(frames, quantised).spikes, network(changed, quantised).spikes
        assert all(torch.equal(before[name][:, :9], after[name][:, :9]) for name in before)
        assert any(not torch.equal(before[name], after[name]) for name in before)


def test_every_parameter_gets_a_gradient_in_both_passes() -> None:
    network = random_network(tiny_config()).train()
    for quantised in (False, True):
        network.zero_grad()
        network(torch.randint(0, 32, (8, STEPS, 2)).float(), quantised).logits.square().sum().backward()
        missing = [name for name, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
        assert missing == []
