"""The command line in this process, and a small project that was trained and exported with it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numba
import numpy as np
import pytest
from needs import missing
from numpy.typing import NDArray

from neuro_deploy import cli
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.trace import Trace
from neuro_deploy.netx import load_network

CONFIG = """
[data]
name = "digits"
[encoder]
bits = 5
[model]
channels = 6
memory_channels = 2
memory_order = 3
memory_length = 5
mixer_ratio = 2
[neuron]
gain = 4.0  # so that every population fires: a silent one proves nothing
[train]
epochs = 1
quantised_epochs = 1
batch = 256
"""

MODEL = "netx_models/tiny.net"


def run(*arguments: object) -> int:
    """The exit code of ``neuro-deploy ARGUMENTS``."""
    command = ["neuro-deploy", *map(str, arguments)]
    with _one_thread(), patch.object(sys, "argv", command), pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def make(folder: Path) -> None:
    """Train and export in a folder."""
    (folder / "tiny.toml").write_text(CONFIG)
    with inside(folder):
        assert run("train", "tiny.toml") == 0
        assert run("export", "tiny.toml") == 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small gain nothing from more threads, and threads that wait for each other crawl on a busy machine."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with _one_thread_in_torch() if not missing("torch") else nullcontext():
            yield
    finally:
        numba.set_num_threads(before)


@contextmanager
def _one_thread_in_torch() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Lava(IntegerBackend):
    """In Lava's place where it is not what is tested; it needs seconds to start."""

    def __init__(self, time_limit: float, fused: bool = False) -> None:
        self.name = "lava-fused" if fused else "lava"


def reference(samples: int) -> Trace:
    """The trace of the first test samples, without the command line."""
    from neuro_deploy.training.config import load
    from neuro_deploy.training.data import load_data

    network = load_network(Path(MODEL))
    test = load_data(load("tiny.toml").data).test
    return IntegerBackend().run(network, encode(test.samples[:samples], network.manifest.input))


def labels(samples: int) -> NDArray[np.int64]:
    """Of the same samples."""
    from neuro_deploy.training.config import load
    from neuro_deploy.training.data import load_data

    return load_data(load("tiny.toml").data).test.labels[:samples]
