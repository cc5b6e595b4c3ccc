"""What backends have in common, and the integer one."""

import subprocess
import sys
from pathlib import Path

import nets
import numpy as np
import pytest

from neuro_deploy import backends
from neuro_deploy.backends import integer
from neuro_deploy.backends.common import align, prepare
from neuro_deploy.errors import BackendError, InputError
from neuro_deploy.ir.network import Network
from neuro_deploy.verify.simulation import REFERENCE

STEPS = 20


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path, STEPS)


def test_backends_are_made_by_name() -> None:
    assert [backends.create(name).name for name in backends.BACKENDS] == list(backends.BACKENDS)
    with pytest.raises(BackendError, match="backend 'spikey' is unknown: use one of brian2loihi, fast, integer, lava, "):
        backends.create("spikey")


def test_the_reference_is_the_first_of_all() -> None:
    assert next(iter(backends.BACKENDS)) == REFERENCE


def test_the_model_must_be_given(network: Network) -> None:
    with pytest.raises(BackendError, match=r"torch: Options.load is missing, which reads .*net\.npz"):
        backends.create("torch").run(network, nets.samples(nets.tiny(), 3, STEPS))


def test_importing_the_table_imports_no_backend() -> None:
    heavy = "[name for name in ('lava', 'torch', 'numba', 'brian2', 'h5py') if name in sys.modules]"
    code = f"import sys, neuro_deploy.backends; sys.exit(' '.join({heavy}))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (ended.stderr, ended.returncode) == ("\n", 1)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (np.zeros((3, STEPS + 1, 2), np.int32), r"shape \[3, 21, 2\], the network reads \[samples, 20, 2\]"),
        (np.zeros((3, STEPS), np.int32), "the network reads"),
        (np.zeros((0, STEPS, 2), np.int32), "at least one sample"),
        (np.full((3, STEPS, 2), 8, np.int32), "an encoded sample holds 8, a graded spike carries 0 to 7"),
        (np.full((3, STEPS, 2), -1, np.int32), "an encoded sample holds -1"),
    ],
)
def test_samples_that_do_not_fit(network: Network, encoded: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(network, encoded)


def test_a_trace_has_everything_in_its_place(network: Network) -> None:
    encoded = nets.samples(nets.tiny(), 3, STEPS)
    trace = integer.IntegerBackend().run(network, encoded)
    total = STEPS + network.manifest.latency + network.manifest.gap
    assert trace.input.shape == (3, total, 7)
    assert trace.layers is not None
    assert [layer.shape for layer in trace.layers] == [(3, total, layer.size) for layer in network.chain.layers]
    assert {name: spikes.shape for name, spikes in trace.populations.items()} == {
        "s0": (3, STEPS, 5),
        "s1": (3, STEPS, 4),
        "s2": (3, STEPS, 6),
        "s3": (3, STEPS, 3),
    }
    assert (trace.populations["s2"] == trace.layers[2][:, 3 : 3 + STEPS, :6]).all()
    assert trace.readout.shape == (3, 3)
    assert not (trace.readout % 64).any()
    assert all(spikes.any() for spikes in trace.populations.values())


def test_batches_do_not_matter(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = nets.samples(nets.tiny(), 3, STEPS)
    whole = integer.IntegerBackend().run(network, encoded)
    monkeypatch.setattr(integer, "_MEMORY", 1)
    single = integer.IntegerBackend().run(network, encoded)
    assert (whole.readout == single.readout).all()
    assert whole.layers is not None
    assert single.layers is not None
    assert all((a == b).all() for a, b in zip(whole.layers, single.layers, strict=True))


def test_align_shifts_by_the_layer(network: Network) -> None:
    steps = 4
    # Each neuron's "spike" is the number of its step.
    layers = [np.tile(np.arange(9, dtype=np.uint8)[None, :, None], (1, 1, layer.size)) for layer in network.chain.layers]
    populations = align(network.chain, layers, steps)
    assert [populations[name][0, 0, 0] for name in ("s0", "s1", "s2", "s3")] == [1, 2, 3, 4]
    assert populations["s3"].shape == (1, steps, 3)
