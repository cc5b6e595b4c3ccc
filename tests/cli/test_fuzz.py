"""Whatever stands in a file of somebody else: one line and exit code 2, or a result; soon, in little memory, and nothing else changes.

``NEURO_DEPLOY_FUZZ`` says how many inputs are tried; each has its number as its seed, which a failure names.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import archives
import mutations
import numpy as np
import pytest
from commands import MODEL, run
from mutations import Mutation

from neuro_deploy.datasets import catalogue
from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.manifest import Description, FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi.limits import THRESHOLD_MAX
from neuro_deploy.lowering import lower
from neuro_deploy.netx import save_network
from neuro_deploy.training.loop import Trainer

NUMBER = int(os.environ.get("NEURO_DEPLOY_FUZZ", "200"))
SECONDS = 10
MEMORY = 2 << 30

NET = Path(MODEL)
MANIFEST = NET.with_suffix(".json")
HEARING = Path("hearing.net")

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
    "archive": (
        (Path("set.tar.gz"), "data fetch words --from set.tar.gz --root data", (mutations.damaged,)),
        (Path("set.tar"), "data fetch words --from set.tar --root data", (mutations.damaged,)),
    ),
}
"""By kind: which file is changed, what then reads it, and how it is changed."""

WRITTEN = {"out", "data", "runs/tiny/training.jsonl", "runs/tiny/simulation.json"}
"""What a command that succeeds may write."""


@pytest.fixture
def hearing(project: Path) -> None:
    """A small network that hears, a recording, a data set of two words, and a catalogue that knows it."""
    spec = FrontEndSpec(seconds=0.1, bins=3)
    fires = Population("s", 2, 100, 2048, np.array([20, -20]))
    answer = Population("readout", 2, THRESHOLD_MAX, 0, np.array([0, 2]), fires=False)
    projections = (
        Projection(INPUT, "s", np.array([[[60, -20, 4], [30, 2, -8]]])),
        Projection("s", "readout", np.array([[[10, -10], [-6, 8]]])),
    )
    chain = lower(Graph(spec.bins, {"s": fires, "readout": answer}, projections))
    about = Description("hearing", {}, ("yes", "no"), 3, 0.4, -14.0, spec.steps, 64 * spec.steps, True, spec)
    save_network(Network.of(chain, about), HEARING)
    for form, subtype in (("wav", "PCM_16"), ("flac", "PCM_16"), ("float.wav", "FLOAT")):
        Path(f"a.{form}").write_bytes(archives.wav(archives.tone(700), subtype=subtype, form=form[-4:].strip(".").upper()))
    files = archives.commands({"high": 1500.0, "low": 300.0}, speakers=3)
    Path("set.tar.gz").write_bytes(archives.tar(files))
    Path("set.tar").write_bytes(archives.tar(files, how="w:"))


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set without a checksum, so that its archive is read."""
    lines = (
        '[words]\ntitle = "t"\nlicence = "l"\nlayout = "speech_commands"\nclips = 6\n[[words.files]]\nname = "a"\nurls = []\n'
    )
    (tmp_path / "catalogue.toml").write_text(lines)
    monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.toml")


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that would begin is stopped."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "run", stop)


@pytest.fixture
def limited() -> Iterator[None]:
    """A command that hangs is ended where Python gets a word in; otherwise pytest ends it."""

    def end(*_: object) -> NoReturn:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, end)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def new(before: dict[str, bytes]) -> set[str]:
    after = contents()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def believed(net: Path) -> None:
    """The manifest of a hostile file fits it."""
    manifest = json.loads(net.with_suffix(".json").read_text())
    manifest["sha256"]["net"] = hashlib.sha256(net.read_bytes()).hexdigest()
    net.with_suffix(".json").write_text(json.dumps(manifest))


@pytest.mark.usefixtures("hearing", "known", "untrained", "limited")
@pytest.mark.parametrize("kind", CASES)
def test_hostile_files(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    good = contents()
    for seed in range(NUMBER // len(CASES) + 1):
        rng = random.Random(f"{kind} {seed}")
        path, command, ways = rng.choice(CASES[kind])
        path.write_bytes(rng.choice(ways)(rng, path.read_bytes()))
        if path == NET and rng.random() < 0.8:
            believed(NET)
        where, before, begin = f"{kind} {seed}: {command}", contents(), time.perf_counter()
        signal.alarm(SECONDS)
        try:
            code = run(*command.split())
        except BaseException as error:
            raise AssertionError(where) from error
        finally:
            signal.alarm(0)
        errors = capsys.readouterr().err
        assert time.perf_counter() - begin < SECONDS, where
        assert code in (0, 2, 130), (where, errors)
        changed = new(before)
        if code == 2:
            assert not changed, (where, changed)
            lines = errors.splitlines()
            assert lines, where
            assert all(line.startswith("error: ") for line in lines), (where, errors)
            assert len(errors) < 2000 * len(lines), (where, errors)
        else:
            assert all(any(name.startswith(allowed) for allowed in WRITTEN) for name in changed), (where, changed)
            assert "Warning" not in errors, (where, errors)
        for folder in ("out", "data"):
            shutil.rmtree(folder, ignore_errors=True)
        for name in new(good):
            if name in good:
                Path(name).write_bytes(good[name])
            else:
                Path(name).unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < MEMORY
