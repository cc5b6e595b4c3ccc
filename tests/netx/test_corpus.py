"""Networks of every kind that stock Lava loads, run by stock Lava and by the integer semantics: every layer, step and value."""

import itertools
from pathlib import Path
from typing import Any

import netx_files
import numpy as np
import pytest
from needs import missing, needs
from netx_files import FileNetwork
from numpy.typing import NDArray

from neuro_deploy.backends import create
from neuro_deploy.errors import ModelFileError, RuleError
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.netx import Use, adopt
from neuro_deploy.verify.check import compare

if not missing("lava"):  # at once: Lava refuses to be imported after processes were started
    import lava_reference

pytestmark = [needs("lava"), pytest.mark.filterwarnings("ignore:pandas not found:ImportWarning")]

STEPS = 40
TOGETHER = 8
"""Networks that one start of Lava runs."""

PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "netx"


def adopted(path: Path, made: FileNetwork) -> Network:
    return adopt(path, Use(STEPS, made.bits, Loading(**made.loading)))[0]


def differences(folder: Path, first: int) -> tuple[dict[int, list[int]], set[str]]:
    """Values of each layer in which stock Lava differs, by seed, and what the networks have; silent ones are left out."""
    jobs, kinds = [], set()
    for seed in itertools.count(first):
        rng = np.random.default_rng(seed)
        made = netx_files.mixed(rng)
        path = netx_files.write(folder / f"{seed}.net", made.layers)
        network, rows = adopted(path, made), netx_files.inputs(rng, made, STEPS)
        try:
            expected = [run.sent[0] for run in run_chain(network.chain, rows.reshape(1, STEPS, -1))]
        except RuleError:  # numbers for which Lava has no room
            continue
        if not any(sent.any() for sent in expected[1:]):
            continue
        kinds |= {layer.special or "plain" for layer in network.chain.layers}
        jobs.append((seed, path, made, rows, expected))
        if len(jobs) == TOGETHER:
            break
    found = lava_reference.run_networks([(path, made, rows) for _, path, made, rows, _ in jobs])
    return {
        seed: [int(np.count_nonzero(one != other)) for one, other in zip(expected, sent, strict=True)]
        for (seed, *_, expected), sent in zip(jobs, found, strict=True)
    }, kinds


def test_random_networks_of_mixed_kinds(tmp_path: Path) -> None:
    found, kinds = differences(tmp_path, 0)
    assert len(found) == TOGETHER
    assert {seed: numbers for seed, numbers in found.items() if any(numbers)} == {}
    assert {"a convolution", "SigmaDelta neurons", "synaptic delays", "plain"} <= kinds


@pytest.mark.slow
def test_many_random_networks(tmp_path: Path) -> None:
    kinds = set()
    for first in range(1000, 9000, 1000):
        found, more = differences(tmp_path, first)
        assert {seed: numbers for seed, numbers in found.items() if any(numbers)} == {}
        kinds |= more
    assert kinds >= {
        "a convolution",
        "SigmaDelta neurons",
        "Sigma neurons",
        "synaptic delays",
        "periodic resets",
        "parameters of each neuron",
        "neurons that take the input itself",
        "plain",
    }


def walk(rng: np.random.Generator, network: Network, steps: int, bits: int) -> NDArray[np.int32]:
    """One sample: values that change slowly where neurons take them, else sparse messages."""
    shape = (1, steps, network.chain.channels)
    first = network.chain.layers[0]
    if first.connections:
        return (rng.integers(0, 2 ** max(bits, 1), shape) * (rng.random(shape) < 0.3)).astype(np.int32)
    high = 64 if first.graded else 17000
    moves = rng.integers(-high // 40 - 1, high // 40 + 2, shape) * (rng.random(shape) < 0.1)
    return (rng.integers(0, high, (1, 1, shape[2])) + np.cumsum(moves, axis=1)).astype(np.int32)


FILES = {
    "iris_issue92": (60, 4),
    "ldl_oxford": (200, 0),
    "ldl_tut_mnist": (60, 0),
    "ldl_bootstrap_mnist": (30, 0),
    "ldl_tiny": (60, 0),
    "ldl_test_recurrent": (60, 0),
    "ldl_pilotnet_lif": (12, 0),
    "ldl_tut_pilotnet_sdnn": (12, 0),
    "ldl_pilotnet_sdnn_square": (40, 0),
    "dns_delays": (80, 0),
    "heatmaps_sdnn": (3, 0),
}
"""Steps and message bits of each public file."""


@pytest.mark.slow
@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public NetX files are not here")
@pytest.mark.parametrize("name", FILES)
def test_public_networks(name: str) -> None:
    steps, bits = FILES[name]
    network, _ = adopt(PUBLIC / f"{name}.net", Use(steps, bits))
    sample = walk(np.random.default_rng(0), network, steps, bits)
    traces = [create(backend).run(network, sample) for backend in ("integer", "lava")]
    comparison = compare(*traces)
    assert comparison.equal, str(comparison)
    assert len(comparison.rows) >= len(network.chain.layers)


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public NetX files are not here")
def test_a_public_network_that_lava_does_not_run() -> None:
    with pytest.raises(ModelFileError, match="layer 2: layer type 'pool' does not run in Lava"):
        adopt(PUBLIC / "dhp19_sdnn.net", Use(10))


def exported(folder: Path, module: Any, sample: Any) -> Path:
    """A network of lava-dl's own blocks, after a pass that sets its shapes, as lava-dl writes it."""
    import h5py
    import torch

    with torch.no_grad():
        for block in module:
            sample = block(sample)
    path = folder / "own.net"
    with h5py.File(path, "w") as file:
        for index, block in enumerate(module):
            block.export_hdf5(file.create_group(f"layer/{index}"))
    return path


def blocks(kind: str) -> tuple[list[Any], tuple[int, ...]]:
    """Blocks of SLAYER, and the shape of an input [batch, ..., time]."""
    from lava.lib.dl import slayer

    cuba = {"threshold": 1.0, "current_decay": 0.4, "voltage_decay": 0.1}
    delta = {"threshold": 0.1, "tau_grad": 0.1, "scale_grad": 1.0, "activation": __import__("torch").nn.functional.relu}
    dense, conv = slayer.block.cuba.Dense, slayer.block.cuba.Conv
    if kind == "dense":
        return [dense(cuba, 9, 12), dense(cuba, 12, 4)], (2, 9, STEPS)
    if kind == "delays":
        return [dense(cuba, 9, 12, delay=True), dense(cuba, 12, 4, delay=True)], (2, 9, STEPS)
    if kind == "recurrent":
        return [slayer.block.cuba.Recurrent(cuba, 9, 12), dense(cuba, 12, 4)], (2, 9, STEPS)
    if kind == "conv":
        flatten = slayer.block.cuba.Flatten()
        return [slayer.block.cuba.Input(cuba), conv(cuba, 2, 3, 3, stride=2), flatten, dense(cuba, 36, 4)], (2, 2, 8, 9, STEPS)
    sigma = slayer.block.sigma_delta
    layers = [sigma.Input(delta), sigma.Conv(delta, 2, 3, 3, padding=1), sigma.Flatten(), sigma.Dense(delta, 3 * 8 * 9, 5)]
    return [*layers, sigma.Output(delta, 5, 2)], (2, 2, 8, 9, STEPS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["dense", "delays", "recurrent", "conv", "sigma-delta"])
def test_networks_of_lava_dls_own_blocks(kind: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    module, shape = blocks(kind)
    path = exported(tmp_path, module, (torch.rand(shape) < 0.3).float())
    made = FileNetwork([], shape[1:-1][::-1], 0, {})
    network = adopted(path, made)
    rng = np.random.default_rng(3)
    rows = (rng.random((STEPS, *(network.chain.input_shape or made.shape))) < 0.3).astype(np.int32)
    if not network.chain.layers[0].connections:
        rows *= 3000 if kind == "conv" else 64
    (found,) = lava_reference.run_networks([(path, made, rows)])
    expected = [run.sent[0] for run in run_chain(network.chain, rows.reshape(1, STEPS, -1))]
    assert [int(np.count_nonzero(one != other)) for one, other in zip(expected, found, strict=True)] == [0] * len(expected)
    assert expected[0].any()
