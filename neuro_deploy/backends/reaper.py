"""Leaves nothing of a run of Lava behind, however the program ends that started it.

A stopped or hung process does not hear of the end of its parent, and shared memory outlives all of them. So each run has a process
beside it, this file run as ``python -I -S reaper.py FOLDER``, which waits until its parent is gone. It then ends the run's
processes, removes their shared memory and their folder. It needs nothing but Python itself.
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

SHARED = "shared"
"""File in the folder with the names of all shared memory that was made, one a line."""

DISMISSED = b"-"
"""What the parent writes when there is nothing left to do."""

_PATIENCE = 3.0
"""Seconds for which processes are killed again and again; one that waits for a broken disk cannot be."""

_POLL = 0.02
_PARENT_POLL = 0.5


def end(group: int, folder: Path) -> None:
    """End every process of a group, and remove the shared memory that they have noted in their folder.

    Args:
        group: its id; there need not be any process of it any more.
        folder: where :data:`SHARED` is.
    """
    deadline = time.monotonic() + _PATIENCE
    while _alive(group) and time.monotonic() < deadline:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)  # what is stopped or hung ends as well
        time.sleep(_POLL)
    remove_shared_memory(folder)


def remove_shared_memory(folder: Path) -> None:
    """Remove the shared memory that is noted in a folder, as far as it is still there."""
    from _posixshmem import shm_unlink  # type: ignore[import-not-found, unused-ignore]  # multiprocessing's own starts a process

    with suppress(OSError):  # nothing was made
        for name in (folder / SHARED).read_text(encoding="ascii").split():
            with suppress(OSError):
                shm_unlink(name)


def _alive(group: int) -> bool:
    """Whether a process of a group still runs."""
    with suppress(ChildProcessError):  # a dead leader that nobody waits for would count
        os.waitpid(group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # the latter is what macOS says of a group of dead processes
        return False
    # Orphans that init has not collected yet count for killpg; where there is /proc it tells them apart.
    states = [_state(stat, group) for stat in Path("/proc").glob("[0-9]*/stat")]
    return not states or any(state not in ("", "Z", "X") for state in states)


def _state(stat: Path, group: int) -> str:
    """State letter of a process of a group, empty for another's (``man 5 proc``; the name in brackets may hold anything)."""
    try:
        fields = stat.read_bytes().rpartition(b")")[2].split()
    except OSError:  # it has ended meanwhile
        return ""
    return fields[0].decode() if fields[2] == str(group).encode() else ""


def _wait_for_parent() -> bytes:
    """What the parent wrote until it closed our stdin or was gone: the id of a group, then perhaps :data:`DISMISSED`."""
    parent, said = os.getppid(), b""
    while os.getppid() == parent:  # another process may hold the other end of stdin open
        if select.select([0], [], [], _PARENT_POLL)[0]:
            part = os.read(0, 64)
            if not part:
                break
            said += part
    return said


def main() -> None:
    """Wait, then clean up, unless the parent has done it."""
    for deaf in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(deaf, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    said = _wait_for_parent()
    if said.endswith(DISMISSED):
        return
    if said.strip().isdigit():
        end(int(said), folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
