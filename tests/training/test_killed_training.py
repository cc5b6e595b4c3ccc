"""Trainings that are killed at any moment and gone on with end as undisturbed ones do."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neuro_deploy.training.log import read_log

CONFIG = """
[data]
name = "digits"
validation = 0.5
[encoder]
bits = 5
[model]
channels = 4
memory_channels = 2
memory_order = 2
memory_length = 4
mixer_ratio = 1
[train]
epochs = {real}
quantised_epochs = {quantised}
batch = 256
rate = 0.01
average = 0.5
"""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kills", "epochs"),
    [pytest.param(3, 6, id="3"), pytest.param(50, 40, id="50", marks=[pytest.mark.endurance, pytest.mark.timeout(3600)])],
)
def test_killed_trainings_end_as_one_that_was_left_alone(kills: int, epochs: int, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(CONFIG.format(real=epochs // 2, quantised=epochs // 2))
    command = [sys.executable, Path(__file__).with_name("killed_training.py"), config, str(kills), "0"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    shown = {name: (tmp_path / name / "output.txt").read_text() for name in ("whole", "random", "writes")}
    codes = json.loads(ended.stdout)
    print(codes)
    possible = {
        0,
        -signal.SIGKILL,
        128 + signal.SIGTERM,
        128 + signal.SIGINT,
        -signal.SIGTERM,
        -signal.SIGINT,
    }  # the last two: before they are watched
    assert set(codes["random"]) <= possible, shown["random"]
    assert codes["writes"] == [-signal.SIGKILL] * (len(codes["writes"]) - 1) + [0], shown["writes"]
    assert all(code[-1] == 0 for code in codes.values())
    best = (tmp_path / "whole" / "runs" / "tiny" / "best.npz").read_bytes()
    for name in codes:
        folder = tmp_path / name / "runs" / "tiny"
        assert (folder / "best.npz").read_bytes() == best, name
        assert [line["epoch"] for line in read_log(folder)] == list(range(1, epochs + 1))
        assert {path.name for path in folder.iterdir()} == {"best.npz", "last.npz", "training.jsonl"}
