"""Stock Lava against the integer semantics, and a worker that fails in every way."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nets
import numpy as np
import pytest

from neuro_deploy.backends import lava
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.network import NetFile, Network
from neuro_deploy.ir.trace import Trace

STEPS = 12
ROOT = Path(__file__).parents[2]


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path, STEPS)


@pytest.fixture(autouse=True)
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go (but not pytest's own); short enough for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def run(network: Network, backend: LavaBackend | IntegerBackend, samples: int = 3) -> Trace:
    encoded = nets.samples(nets.tiny(), samples, STEPS)
    return backend.run(network, encoded)


def shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_lava_fires_every_spike_that_the_semantics_say(network: Network, jobs: Path) -> None:
    before = shared_memory()
    found, expected = run(network, LavaBackend()), run(network, IntegerBackend())
    assert found.layers is not None
    assert expected.layers is not None
    for ours, theirs in zip(expected.layers, found.layers, strict=True):
        assert ours.shape == theirs.shape
        assert np.count_nonzero(ours != theirs) == 0
    assert (found.readout == expected.readout).all()
    assert set(found.populations) == set(expected.populations)
    for name, spikes in expected.populations.items():
        assert spikes.any()
        assert (found.populations[name] == spikes).all()
    assert found.seconds > 0
    assert found.startup > 0
    assert list(jobs.iterdir()) == []
    assert shared_memory() <= before


def test_modules_of_the_present_folder_are_not_taken_for_others(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lava", "queue", "h5py"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the user')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    assert (run(network, LavaBackend(fused=True)).readout == run(network, IntegerBackend()).readout).all()


def test_a_long_temporary_folder_is_not_used_for_sockets(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("scratch_of_a_job_" * 7)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert (run(network, LavaBackend(fused=True)).readout == run(network, IntegerBackend()).readout).all()


PRELUDE = "import os, pathlib, subprocess, sys, time; job = pathlib.Path(sys.argv[1]); out = pathlib.Path({out!r})\n"

# A worker with a child of its own, as Lava has many; both note their ids.
CHILD = "import os, time; open({out!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
HANG = "subprocess.Popen([sys.executable, '-c', {child!r}]); out.open('a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"


def pretend(monkeypatch: pytest.MonkeyPatch, script: str, out: Path) -> None:
    """Run a script in the worker's place."""
    text = (PRELUDE + script).format(out=str(out), child=CHILD.format(out=str(out)))
    monkeypatch.setattr(lava, "_WORKER", ("-c", text))


def assert_ended(out: Path) -> None:
    pids = [int(line) for line in out.read_text().split()]
    assert len(pids) == 2
    for pid in pids:
        deadline = time.monotonic() + 5
        while _runs(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_for(out: Path) -> None:
    while not out.exists() or len(out.read_text().split()) < 2:
        time.sleep(0.02)


def test_a_worker_that_hangs_is_ended_with_its_children(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: Path
) -> None:
    out = tmp_path / "pids"
    pretend(monkeypatch, "print('thinking', file=sys.stderr, flush=True); " + HANG, out)
    with pytest.raises(BackendError, match=r"no sample finished within 1.5 s, 0 of 3 samples.*thinking"):
        run(network, LavaBackend(time_limit=1.5))
    assert_ended(out)
    assert list(jobs.iterdir()) == []


def test_an_interrupt_ends_the_worker_and_its_children(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: Path
) -> None:
    out = tmp_path / "pids"
    pretend(monkeypatch, HANG, out)

    def interrupt(self: LavaBackend, *_: object) -> None:
        wait_for(out)
        raise KeyboardInterrupt

    monkeypatch.setattr(LavaBackend, "_watch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(network, LavaBackend())
    assert_ended(out)
    assert list(jobs.iterdir()) == []


def test_a_worker_that_dies_is_reported(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: Path) -> None:
    pretend(
        monkeypatch,
        "print('one\\nno memory left', file=sys.stderr); (job / 'progress').write_text('..'); sys.exit(3)",
        tmp_path / "x",
    )
    with pytest.raises(BackendError, match="ended with status 3 after 1 of 3 samples: no memory left"):
        run(network, LavaBackend())
    assert list(jobs.iterdir()) == []


def test_a_worker_that_dies_silently_is_reported(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "os.kill(os.getpid(), 9)", tmp_path / "x")
    with pytest.raises(BackendError, match="ended with status -9 after 0 of 3 samples: it said nothing"):
        run(network, LavaBackend())


def test_progress_restarts_the_clock(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "\nfor i in range(5): time.sleep(0.5); (job / 'progress').write_text('.' * (i + 1))\nsys.exit(4)"
    pretend(monkeypatch, script, tmp_path / "x")
    with pytest.raises(BackendError, match="status 4"):
        run(network, LavaBackend(time_limit=1.5))


def test_lavas_own_error_is_one_line(network: Network, tmp_path: Path) -> None:
    damaged = replace(network, file=NetFile(tmp_path / "damaged.net", b"no HDF5", network.chain))
    with pytest.raises(BackendError, match=r"lava: OSError: .*") as caught:
        run(damaged, LavaBackend())
    assert "\n" not in str(caught.value)


PARENT = """
import pathlib, sys
sys.path.insert(0, {tests!r})
import nets, numpy as np
from neuro_deploy.backends.lava import LavaBackend
network = nets.saved(nets.tiny(), pathlib.Path({folder!r}), {steps})
LavaBackend().run(network, nets.samples(nets.tiny(), 400, {steps}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_lava_ends_with_its_parent(tmp_path: Path, how: signal.Signals, jobs: Path) -> None:
    before = shared_memory()
    script = PARENT.format(tests=str(ROOT / "tests"), folder=str(tmp_path), steps=STEPS)
    environment = os.environ | {"TMPDIR": str(jobs), "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL)
    while not list(jobs.glob("*/progress")):
        assert parent.poll() is None
        time.sleep(0.1)
    time.sleep(2)
    assert _workers(jobs)
    parent.send_signal(how)
    parent.wait()
    deadline = time.monotonic() + 20
    while (_workers(jobs) or list(jobs.iterdir()) or shared_memory() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _workers(jobs) == []
    assert list(jobs.iterdir()) == []
    assert shared_memory() <= before


def _workers(jobs: Path) -> list[str]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(jobs).encode() in line.read_bytes():
                found.append(line.parent.name)
        except OSError:  # it has ended meanwhile
            pass
    return found


def test_a_changed_chain_is_what_runs(network: Network) -> None:
    """One truth: not the file that the network was read from."""
    *layers, last = network.chain.layers
    chain = replace(
        network.chain, layers=(*layers, nets.altered(last, weight=last.weight // 4 * 2))
    )  # even, as NetX writes them
    changed = replace(network, chain=chain)
    found, expected = run(changed, LavaBackend(fused=True)), run(changed, IntegerBackend())
    assert (found.readout == expected.readout).all()
    assert (expected.readout != run(network, IntegerBackend()).readout).any()
