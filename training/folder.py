"""A training's folder: one training at a time, and nothing in it that a killed one did not finish."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neuro_deploy.errors import OutputError
from neuro_deploy.files import reason, remedy_for_writing
from neuro_deploy.training import log

LAST, BEST = "last.npz", "best.npz"
"""Names of a training's whole state, and of its best network."""

LOCK = "training.lock"
"""There while a training runs; says which process it is. The lock on it, not the file, keeps others out."""

_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class FolderInUseError(OutputError):
    """Another training writes into a folder."""


@contextmanager
def occupied(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keep other trainings out of a folder; the system lifts the lock when the process ends, however it ends.

    What a process that was killed left half written is removed. On a file system without locks nobody is kept out.

    Args:
        folder: of the training; made if it is missing.
        wait: for the end of a training that runs there.

    Raises:
        FolderInUseError: another training runs there.
        OutputError: the folder cannot be written.
    """
    path = folder / LOCK
    new = not folder.exists()
    try:
        lock = _locked(path, wait)
    except BlockingIOError as error:
        raise FolderInUseError(
            f"{folder}: {_holder(path)} trains there: wait until it ends, or train under another name (a copy of the .toml file)"
        ) from error
    except OSError as error:
        advice = remedy_for_writing(error, "train in another folder")
        raise OutputError(f"cannot write {path}: {reason(error)}; {advice}") from error
    try:
        for name in (LAST, BEST, log.FILE):
            for unfinished in folder.glob(f".{name}.*"):
                unfinished.unlink(missing_ok=True)
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # before the lock is lifted: who waits for it sees that this file is no longer the lock
        os.close(lock)
        if new:
            with suppress(OSError):  # a training that was refused leaves no folder
                folder.rmdir()


def is_new(folder: Path) -> bool:
    """Whether no training has saved anything in a folder."""
    return not any((folder / name).exists() for name in (LAST, BEST, log.FILE))


def _locked(path: Path, wait: bool) -> int:
    """An open and locked file that is still the one at its path."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(lock, wait)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    os.ftruncate(lock, 0)
                    os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                    return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _lock(lock: int, wait: bool) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise


def _holder(path: Path) -> str:
    """Who has the lock, as far as the file says."""
    try:
        return path.read_text(encoding="utf-8").strip() or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
