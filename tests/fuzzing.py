"""A process that reads hostile files: ``python fuzzing.py NUMBER KIND ...`` in the folder of a project.

It has a process of its own because what it measures is the process's: a peak of memory never falls again, and a command that hangs
can only be ended with everything around it. What it prints last says which input it was; its exit code is 0 if all went well.
"""

import contextlib
import faulthandler
import hashlib
import io
import json
import random
import resource
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import mutations
from commands import MODEL, run
from mutations import Mutation

from neuro_deploy.datasets import catalogue
from neuro_deploy.training.loop import Trainer

SECONDS = 10
"""That a command may take."""

MEMORY = 2 << 30
"""Bytes that the process may take, libraries and all."""

NET = Path(MODEL)
MANIFEST = NET.with_suffix(".json")
HEARING = Path("hearing.net")
CATALOGUE = Path("catalogue.toml")

CASES: dict[str, tuple[tuple[Path, str, tuple[Mutation, ...]], ...]] = {
    "net": ((NET, f"simulate {MODEL} --backend integer --samples 2", (mutations.damaged, mutations.hdf5)),),
    "manifest": (
        (MANIFEST, f"simulate {MODEL} --backend fast --samples 2", (mutations.damaged, mutations.manifest, mutations.manifest)),
        (HEARING.with_suffix(".json"), f"classify {HEARING} a.wav", (mutations.manifest,)),
    ),
    "checkpoint": (
        (
            Path("runs/tiny/best.npz"),
            "export tiny.toml --output out",
            (mutations.damaged, mutations.checkpoint, mutations.checkpoint),
        ),
        (Path("runs/tiny/last.npz"), "train tiny.toml --resume", (mutations.damaged, mutations.checkpoint)),
    ),
    "configuration": ((Path("tiny.toml"), "train tiny.toml", (mutations.damaged, mutations.settings, mutations.settings)),),
    "sound": tuple(
        (Path(f"a.{form}"), f"classify {HEARING} a.{form}", (mutations.damaged,)) for form in ("wav", "flac", "float.wav")
    ),
    "arrays": tuple(
        (
            Path(name),
            f"simulate {MODEL} --backend {backend} --samples 2 --data {name}{how}",
            (mutations.damaged, mutations.arrays),
        )
        for name, how in (("own.npz", ""), ("own.npy", ""), ("encoded.npz", " --encoded"), ("encoded.npy", " --encoded"))
        for backend in ("fast", "torch")
    ),
    "archive": (
        (Path("set.tar.gz"), "data fetch words --from set.tar.gz --root data", (mutations.damaged,)),
        (Path("set.tar"), "data fetch words --from set.tar --root data", (mutations.damaged,)),
    ),
}
"""By kind: which file is changed, what then reads it, and how it is changed."""

WRITTEN = {"out", "data", "runs/tiny/training.jsonl", "runs/tiny/simulation.json"}
"""What a command that succeeds may write."""

STOPPED = 130
"""Exit code of a training that would have begun."""


def main(number: int, kind: str) -> None:
    """Run the commands of a kind on good files, and then on as many bad ones; each has its number as its seed."""
    good = contents()
    for _, command, _ in CASES[kind]:
        code, errors = called(command, limit=None)  # compiles what is not compiled yet
        assert code in (0, STOPPED), (command, errors)
        restore(good)
    for seed in range(number):
        rng = random.Random(f"{kind} {seed}")
        path, command, ways = rng.choice(CASES[kind])
        print(f"{kind} {seed}: {command}", flush=True)
        path.write_bytes(rng.choice(ways)(rng, path.read_bytes()))
        if path == NET and rng.random() < 0.8:
            believed(NET)
        before = contents()
        code, errors = called(command, limit=SECONDS)
        assert code in (0, 2, STOPPED), (code, errors)
        changed = new(before)
        if code == 2:
            assert not changed, changed
            lines = errors.splitlines()
            assert lines, "nothing is said"
            assert all(line.startswith("error: ") for line in lines), errors
            assert len(errors) < 2000 * len(lines), errors
        else:
            assert all(any(name.startswith(allowed) for allowed in WRITTEN) for name in changed), changed
            assert "Warning" not in errors, errors
        assert peak() < MEMORY, f"{peak():,} bytes"
        restore(good)
    print(f"{kind}: {number} inputs, at most {peak() >> 20} MiB")


def called(command: str, limit: int | None) -> tuple[int, str]:
    """Exit code and standard error of a command; after so many seconds the process ends, whatever the command waits for."""
    errors = io.StringIO()
    if limit is not None:
        faulthandler.dump_traceback_later(limit, exit=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(errors))
        stack.enter_context(patch.object(catalogue, "FILE", CATALOGUE))
        stack.enter_context(patch.object(Trainer, "run", stop))
        stack.enter_context(warned())
        code = run(*command.split())
    faulthandler.cancel_dump_traceback_later()
    return code, errors.getvalue()


def stop(*_: object) -> NoReturn:
    """In place of a training."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def warned() -> Iterator[None]:
    """Warnings are errors, as in every test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "torch.nn.utils.weight_norm is deprecated", UserWarning)
        yield


def contents() -> dict[str, bytes]:
    """Of all files."""
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def new(before: dict[str, bytes]) -> set[str]:
    """Names of files that came, went or changed."""
    after = contents()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def restore(good: dict[str, bytes]) -> None:
    """Make all files what they were."""
    for folder in ("out", "data"):
        shutil.rmtree(folder, ignore_errors=True)
    for name in new(good):
        if name in good:
            Path(name).write_bytes(good[name])
        else:
            Path(name).unlink()


def believed(net: Path) -> None:
    """The manifest of a hostile file fits it."""
    manifest = json.loads(net.with_suffix(".json").read_text())
    manifest["sha256"]["net"] = hashlib.sha256(net.read_bytes()).hexdigest()
    net.with_suffix(".json").write_text(json.dumps(manifest))


def peak() -> int:
    """Most bytes that this process ever had in memory."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # On Linux ru_maxrss survives exec: it would be that of the tests that started this process.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    for given in sys.argv[2:]:
        main(int(sys.argv[1]), given)
