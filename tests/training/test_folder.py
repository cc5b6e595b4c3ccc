"""One training at a time in a folder, and data that are too few to train on."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run

from neuro_deploy.errors import DatasetError, OutputError
from neuro_deploy.training import loop
from neuro_deploy.training.config import load
from neuro_deploy.training.data import Split, load_data
from neuro_deploy.training.folder import LOCK, FolderInUseError, occupied

HOLD = """
import sys, time
from pathlib import Path
from neuro_deploy.training.folder import occupied
with occupied(Path(sys.argv[1])):
    print("here", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that trains in the folder."""
    command = [sys.executable, "-c", HOLD, tmp_path / "runs" / "tiny"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        yield process
        process.kill()


def test_a_second_training_is_refused_until_the_first_has_died(other: "subprocess.Popen[str]", tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tiny"
    with pytest.raises(FolderInUseError, match=f"process {other.pid} on .* trains there: wait until it ends"), occupied(folder):
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with occupied(folder):
        assert (folder / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert not folder.exists() or list(folder.iterdir()) == []


def test_train_says_who_trains_there(
    other: "subprocess.Popen[str]",
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "tiny.toml").write_text((project / "tiny.toml").read_text())
    monkeypatch.chdir(tmp_path)
    assert run("train", "tiny.toml") == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: runs/tiny: process {other.pid} on ")
    assert errors.count("\n") == 1


def hold_and_wait(folder: Path, order: "multiprocessing.Queue[str]", name: str) -> None:
    with occupied(folder, wait=True):
        order.put(f"{name} in")
        order.put(f"{name} out")


def test_who_waits_comes_in_afterwards_and_alone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    order: multiprocessing.Queue[str] = context.Queue()
    waiting = [context.Process(target=hold_and_wait, args=(tmp_path, order, name)) for name in "ab"]
    with occupied(tmp_path):
        for process in waiting:
            process.start()
        assert order.empty()
    found = [order.get(timeout=60) for _ in range(4)]
    for process in waiting:
        process.join(60)
    assert found in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


def test_what_a_killed_training_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".last.npz.a1b2").write_bytes(b"half")
    (tmp_path / "last.npz").write_bytes(b"whole")
    with occupied(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"last.npz", LOCK}


def test_a_training_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    with occupied(tmp_path / "new"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with (
        pytest.raises(OutputError, match="a file is where a folder must be: move it away, or train in another folder"),
        occupied(tmp_path / "runs" / "tiny"),
    ):
        pass


@pytest.mark.parametrize(("split", "number", "least"), [("train", 0, 2), ("train", 1, 2), ("validation", 0, 1)])
def test_too_few_samples(
    split: str, number: int, least: int, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load("tiny.toml")
    data = load_data(config.data)

    def read(name: str) -> Split:
        whole = data.read(name)  # type: ignore[arg-type]
        return Split(whole.samples[:number], whole.labels[:number]) if name == split else whole

    monkeypatch.setattr(loop, "load_data", lambda settings, watch: replace(data, read=read))
    with pytest.raises(DatasetError, match=f"the {split} split of digits has {number} samples: it must have at least {least}"):
        loop.Trainer(config, tmp_path)


def test_two_samples_are_enough(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load("tiny.toml")
    data = load_data(config.data)
    few = replace(data, read=lambda name: Split(data.read(name).samples[:2], data.read(name).labels[:2]))
    monkeypatch.setattr(loop, "load_data", lambda settings, watch: few)
    trainer = loop.Trainer(config, tmp_path)
    trainer.run(loop.Progress())
    assert np.isfinite(trainer.best)
