"""Trainings that are killed and gone on with, each in a process of its own.

torch is imported once; each training is forked from here before anything was computed, so that it starts at once.

    python killed_training.py CONFIG.toml KILLS SEED

Trains in the present folder: in ``whole`` undisturbed, in ``random`` killed so often at random moments by SIGKILL, SIGTERM and SIGINT
in turn, in ``writes`` killed before its first step to the disk, its second, and so on. Prints one JSON object: the exit codes.
"""

import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from neuro_deploy import cli
from neuro_deploy.training import loop, progress  # noqa: F401  (what a training imports)

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LIMIT = 900.0
"""Seconds after which a training hangs."""

FILES = ("last.npz", "best.npz", "training.jsonl")
STEPS = 10
"""A start writes four times, the copies of what it found, an epoch four to six times."""


def start(config: str, *options: str, before: Callable[[], None] = lambda: None) -> int:
    """A new process that trains; its id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        log = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        torch.set_num_threads(1)
        before()
        sys.argv = ["neuro-deploy", "train", config, *options]
        cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def end(child: int) -> int:
    """Exit code of a process, minus the signal that killed it; waits for it."""
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise TimeoutError(f"a training hung for {LIMIT:.0f} s")


def whole(config: str) -> Iterator[int]:
    yield end(start(config))


def at_random(config: str, kills: int, seed: int) -> Iterator[int]:
    """Exit codes of trainings that are ended before their second epoch ends, on this machine, and of the one that is not."""
    chance = random.Random(seed)
    os.chdir("../whole")
    begin = time.monotonic()
    end(start(config, "--resume"))  # has nothing left to do
    startup = time.monotonic() - begin
    epochs = [json.loads(line)["seconds"] for line in Path("runs/tiny/training.jsonl").read_text().splitlines()]
    os.chdir("../random")
    longest = startup + 2 * statistics.median(epochs)
    for number in range(kills):
        child = start(config, "--resume")
        time.sleep(chance.uniform(0, longest))
        os.kill(child, SIGNALS[number % len(SIGNALS)])
        yield end(child)
    yield end(start(config, "--resume"))


def at_writes(config: str) -> Iterator[int]:
    """Exit codes of trainings that are killed before one of their steps to the disk, and of the one that is not."""
    for step in range(STEPS):
        yield end(start(config, "--resume", before=lambda: _kill_before(step)))  # noqa: B023 (called in this iteration)
    yield end(start(config, "--resume"))


def _kill_before(step: int) -> None:
    """Kill this process before it does a step to the disk: opening a file for writing, or a rename."""
    steps = iter(range(step + 1))

    def watched(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "os.rename" or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if writes and any(name in str(arguments[0]) for name in FILES) and next(steps, None) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watched)


def main(config: str, kills: str, seed: str) -> None:
    trainings = {"whole": whole(config), "random": at_random(config, int(kills), int(seed)), "writes": at_writes(config)}
    found = {}
    for name, codes in trainings.items():
        Path(name).mkdir()
        os.chdir(name)
        found[name] = list(codes)
        os.chdir("..")
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
