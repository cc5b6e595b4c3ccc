"""However a run of Lava ends, at any moment: five seconds later no process, no file and no shared memory of it is there."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from needs import needs

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")
MARK = "ND_TEST_OF_ENDS"

PATIENCE = 5.0
"""Seconds after an end."""

STARTED = 240.0
"""Seconds that Lava may take to start on a busy machine."""

PARTS = 2
"""Of Lava's processes, which then has started: a single one may be any other program that the worker is about to run."""

pytestmark = [
    needs("lava"),
    pytest.mark.timeout(900),
    pytest.mark.skipif(not SHM.is_dir(), reason="looks at /proc and /dev/shm"),
]


@dataclass
class Run:
    """A program that runs Lava, in a temporary folder of its own.

    Attributes:
        temporary: the folder; its name is also in the environment of each of the run's processes.
        program: what was started.
        shared: names of all shared memory that was seen in its notes.
    """

    temporary: Path
    program: "subprocess.Popen[bytes]"
    shared: set[str] = field(default_factory=set)

    @classmethod
    def start(cls, samples: int) -> "Run":
        """Start one."""
        temporary = Path(tempfile.mkdtemp(prefix="nd_", dir="/tmp"))
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), MARK: temporary.name}
        command = [sys.executable, "-m", "neuro_deploy.cli", "simulate", str(ROOT / "netx_models" / "digits.net")]
        program = subprocess.Popen(
            [*command, "--backend", "lava", "--samples", str(samples)],
            env=environment,
            cwd=temporary.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return cls(temporary, program)

    def look(self) -> None:
        """Note what shared memory there is by now."""
        for notes in self.temporary.glob("*/shared"):
            try:
                self.shared.update(notes.read_text().split())
            except OSError:  # it has just been removed
                continue

    def processes(self) -> Iterator[int]:
        """Ids of its processes that have not ended, the program's last."""
        mark = f"{MARK}={self.temporary.name}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
            except OSError:  # it has ended meanwhile, or is another user's
                continue

    def parts(self) -> list[int]:
        """Ids of Lava's own processes, which the worker has started."""
        found = []
        for number in self.processes():
            try:
                command = Path(f"/proc/{number}/cmdline").read_bytes()
                parent = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
                if b"lava_worker" in command and b"lava_worker" in Path(f"/proc/{parent}/cmdline").read_bytes():
                    found.append(number)
            except OSError:
                continue
        return found

    def left(self) -> list[str]:
        """All that is there of it."""
        self.look()
        shared = [name for name in self.shared if (SHM / name.lstrip("/")).exists()]
        return [*map(str, self.processes()), *shared, *(path.name for path in self.temporary.iterdir())]


def end(run: Run, how: str, moment: float) -> None:
    """End a run.

    Args:
        run: which has just been started.
        how: a signal for the program; ``hung``: its parts are stopped, then it is killed; ``part``: one of its parts is killed.
        moment: seconds after the start of Lava's processes, or of the program if negative.
    """
    deadline = time.monotonic() + STARTED
    while moment >= 0 and len(run.parts()) < PARTS and run.program.poll() is None and time.monotonic() < deadline:
        run.look()
        time.sleep(0.02)
    until = time.monotonic() + abs(moment)
    while time.monotonic() < until:
        run.look()
        time.sleep(0.02)
    if how in ("hung", "part"):
        parts = run.parts()
        assert parts
        for part in parts if how == "hung" else parts[-1:]:
            os.kill(part, signal.SIGSTOP if how == "hung" else signal.SIGKILL)
    if how == "part":
        run.program.wait(60)
    else:
        run.program.send_signal(signal.SIGKILL if how == "hung" else signal.Signals[how])


@pytest.mark.parametrize(
    "times",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(20, marks=[pytest.mark.endurance, pytest.mark.timeout(3600)])],
)
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "hung", "part"])
def test_nothing_stays(how: str, times: int) -> None:
    moments = random.Random(f"{how} {times}")
    shared = 0
    for number in range(times):
        moment = moments.uniform(0.0, 3.0)
        if how.startswith("SIG") and number % 2:
            moment = -moments.uniform(0.5, 8.0)  # while it starts
        run = Run.start(samples=50)
        try:
            end(run, how, moment)
            deadline = time.monotonic() + PATIENCE
            while run.left() and time.monotonic() < deadline:
                run.program.poll()
                time.sleep(0.05)
            assert not run.left(), f"end {number}, {moment:.2f} s"
            shared += len(run.shared)
        finally:
            run.program.kill()
            run.program.wait()
            for process in run.processes():
                os.kill(process, signal.SIGKILL)
            for name in run.shared:
                (SHM / name.lstrip("/")).unlink(missing_ok=True)
            shutil.rmtree(run.temporary)
    assert shared > 0  # or Lava has not run
