"""Training in two processes that torchrun starts (gloo, CPU): the same training as in one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import run
from torchrun_training import smooth_losses

from neuro_deploy.training import distributed
from neuro_deploy.training.log import read_log

CONFIG = """
[data]
name = "digits"
validation = 0.8
[encoder]
bits = 5
[model]
channels = 6
memory_channels = 2
memory_order = 3
memory_length = 5
mixer_ratio = 2
{model}
[neuron]
gain = {gain}
[train]
epochs = 2
quantised_epochs = 2
batch = 143  # 287 samples: the last batch is one sample, which is dropped; the others are odd, so the two parts differ
rate = {rate}
quantised_rate = {rate}
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which two processes trained, and what they printed."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "smooth.toml").write_text(CONFIG.format(model="", gain=0.5, rate=0.01))
    # Shallow and slow, so that a spike which flips is not multiplied by the layers and steps after it.
    (folder / "tiny.toml").write_text(CONFIG.format(model="patch_embedding = false\nmixer = false", gain=4.0, rate=1e-4))
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    training = subprocess.Popen(
        [*command, str(ROOT / "tests" / "training" / "torchrun_training.py")],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        shown, errors = training.communicate(timeout=200)
    finally:
        training.terminate()  # torchrun then ends its processes; killed, it would leave them behind
        training.wait()
    assert training.returncode == 0, errors
    return folder, shown


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As torchrun's processes have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_without_spikes_the_losses_are_the_same(pair: tuple[Path, str], tmp_path: Path, one_thread: None) -> None:
    """Gradients, statistics and the order of the samples: everything but the rounding of sums is equal."""
    folder, _ = pair
    expected = smooth_losses(str(folder / "smooth.toml"), tmp_path)
    assert expected[1][0] < expected[0][0]
    for rank in (0, 1):
        found = json.loads((folder / f"smooth{rank}.json").read_text())
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, rel=1e-9)


def test_with_spikes_the_loss_curve_is_the_same(
    pair: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not bit for bit: batch norm adds in another order, and a voltage that was just above a threshold may be just below it."""
    folder, _ = pair
    monkeypatch.chdir(tmp_path)
    assert run("train", folder / "tiny.toml") == 0
    alone, together = read_log(Path("runs/tiny")), read_log(folder / "runs/tiny")
    assert [epoch["phase"] for epoch in together] == ["real", "real", "quantised", "quantised"]
    for one, other in zip(together, alone, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-4)
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=0.01)
        assert one["validation_accuracy"] == pytest.approx(other["validation_accuracy"], abs=0.01)
        assert one["rates"] == pytest.approx(other["rates"], abs=0.01)
    assert max(alone[-1]["rates"].values()) > 0.05, "a silent network proves nothing"


def test_one_process_writes_and_prints(pair: tuple[Path, str]) -> None:
    folder, shown = pair
    assert shown.count("epoch   4/4") == 1
    assert shown.count("runs/tiny/best.npz") == 1
    assert sorted(path.name for path in (folder / "runs" / "tiny").iterdir()) == ["best.npz", "last.npz", "training.jsonl"]


def test_parts_cover_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "size", lambda: 3)
    for samples in (1, 2, 7, 9):
        covered = []
        for rank in range(3):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            covered += list(range(samples))[distributed.part(samples)]
        assert covered == list(range(samples))


def test_one_process_needs_no_other() -> None:
    with distributed.process_group():
        assert (distributed.size(), distributed.rank()) == (1, 0)
        values = torch.ones(3)
        assert distributed.total(values) is values
        assert distributed.part(5) == slice(0, 5)
