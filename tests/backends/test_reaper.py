"""Whatever ends a run of Lava, and in whatever state its processes are: nothing stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neuro_deploy.backends import reaper

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")

# A worker with a child and with shared memory, as Lava has many. Both stop, as SIGSTOP or a debugger leaves them.
WORKER = """
import os, signal, subprocess, sys
from _posixshmem import shm_open
folder = sys.argv[1]
with open(f"{folder}/shared", "a") as notes:
    for number in range(3):
        notes.write(f"/nd{os.getpid()}_{number}\\n")
        os.ftruncate(shm_open(f"/nd{os.getpid()}_{number}", os.O_CREAT | os.O_RDWR), 4096)
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
os.kill(child.pid, signal.SIGSTOP)
with open(f"{folder}/part", "w") as notes:
    notes.write(f"{os.getpid()} {child.pid}")
os.rename(f"{folder}/part", f"{folder}/pids")
os.kill(os.getpid(), signal.SIGSTOP)
"""

PARENT = """
import sys, time
from pathlib import Path
from neuro_deploy.backends import lava
from neuro_deploy.backends.job import Job
lava._WORKER = ("-I", "-S", "-c", sys.argv[2])
folder = Path(sys.argv[1])
job = Job(folder, folder / "net", 1, 1, 1, 1, (1,))
lava._GRACE = 1.0
with lava._worker(job, sys.executable):
    while not (folder / "end").exists():
        time.sleep(0.01)
    if (folder / "end").read_text() == "raise":
        raise SystemExit(3)
"""


def ended(parent: "subprocess.Popen[bytes]", how: str, folder: Path) -> None:
    if how in ("return", "raise"):
        (folder / "part").write_text(how)
        (folder / "part").rename(folder / "end")
    else:
        parent.send_signal(signal.Signals[how])


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def soon(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


@pytest.mark.skipif(not SHM.is_dir(), reason="looks at /proc and /dev/shm")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGSEGV", "return", "raise"])
def test_nothing_stays_of_stopped_processes(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, folder, WORKER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    deadline = time.monotonic() + 60
    while not (folder / "pids").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    pids = [int(word) for word in (folder / "pids").read_text().split()]
    mine = f"nd{pids[0]}_*"
    assert len(list(SHM.glob(mine))) == 3
    ended(parent, how, folder)
    assert soon(lambda: not any(map(runs, pids)))
    assert soon(lambda: not list(SHM.glob(mine)))
    parent.wait(10)
    if how.startswith("SIG") and how != "SIGINT":  # where the parent lives on it may still want the results
        assert soon(lambda: not folder.exists())


def test_a_dismissed_reaper_leaves_the_folder(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-I", "-S", reaper.__file__, tmp_path], input=b"99999999" + reaper.DISMISSED, check=True, timeout=20
    )
    assert tmp_path.is_dir()


def test_a_reaper_that_heard_of_no_worker_removes_the_folder(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / reaper.SHARED).write_text("/nd_no_such_memory\n")
    subprocess.run([sys.executable, "-I", "-S", reaper.__file__, tmp_path / "job"], input=b"", check=True, timeout=20)
    assert list(tmp_path.iterdir()) == []
