"""Files that are written whole or not at all, and read only where they are files of a fitting size; how TOML is read."""

import errno
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from neuro_deploy.errors import ConfigError, OutputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT_MAX = 1 << 26
"""Bytes of a text: a configuration, a cost table, a report."""

Content: TypeAlias = bytes | Callable[[BinaryIO], object]
"""All bytes of a file, or what writes them into an open file."""


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its place only when it is complete and on the disk.

    Args:
        path: where; missing folders are made.

    Yields:
        A binary file in the same folder. If the block raises, it is removed and ``path`` is as before.

    Raises:
        OutputError: it cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise OSError("there is something else than a file")  # a device as /dev/null must not be replaced
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            # mkstemp makes private files; a result is as readable as any other file of its user.
            temporary.chmod(0o666 & ~_umask())
            yield file
            _to_disk(file)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {reason(error)}; {remedy_for_writing(error, 'choose another folder')}"
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def write_atomically(path: Path, content: Content) -> None:
    """Write a file so that a reader sees the old one or the whole new one.

    Args:
        path: where; missing folders are made.
        content: its bytes, or a function that writes them to an open file.

    Raises:
        OutputError: it cannot be written; nothing has changed.
    """
    with _replacing(path) as file:
        _fill(file, content)


def write_all_atomically(contents: Mapping[Path, Content]) -> None:
    """Write files that belong together: all are complete on the disk before the first takes its place.

    Args:
        contents: by path, in the order in which they take their places; missing folders are made.

    Raises:
        OutputError: one of them cannot be written; no temporary file is left.
    """
    with ExitStack() as stack:
        # The stack closes them in the opposite order.
        for path in reversed(tuple(contents)):
            file = stack.enter_context(_replacing(path))
            _fill(file, contents[path])
            _to_disk(file)


def expanded(text: str | Path) -> Path:
    """A path as a user wrote it, where no shell has read it: ``~`` is his home, and ``~name`` that of another.

    Args:
        text: a path; one whose first folder is there under that very name stays as it is.

    Raises:
        ConfigError: it begins with a home that nobody knows.
    """
    path = Path(text)
    first = path.parts[0] if path.parts else ""
    if not first.startswith("~") or Path(first).exists():
        return path
    home = os.path.expanduser(first)  # noqa: PTH111  Path's own raises where there is no such user
    if not Path(home).is_absolute() or (first == "~" and not os.environ.get("HOME", home)):
        whose = "your home folder is not known" if first == "~" else f"there is no user {first[1:]!r}"
        raise ConfigError(f"{text}: {whose}: give the path without {first}" + (", or set HOME" if first == "~" else ""))
    return Path(home, *path.parts[1:])


def parse_toml(text: str) -> dict[str, Any]:
    """The values in a TOML document.

    Raises:
        ValueError: it is not TOML; says where.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("values inside each other without end") from error


def parse_json(text: str) -> Any:
    """The value in a JSON document.

    Raises:
        ValueError: it is not JSON; says where.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("values inside each other without end") from error


def read_text(path: Path) -> str:
    """A text in UTF-8 that somebody else may have made; see :func:`read_limited`.

    Raises:
        OSError: it cannot be read, is no file, or is very large.
        UnicodeDecodeError: it is no text.
    """
    return read_limited(path, TEXT_MAX).decode("utf-8")


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file that somebody else may have made.

    Args:
        path: a file; a pipe or a device, which may never end, is none.

    Yields:
        The file, and how many bytes it has.

    Raises:
        OSError: it cannot be read, or is no file; ``strerror`` says which.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # without O_NONBLOCK a pipe is waited for
    with os.fdopen(handle, "rb", closefd=True) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a file but a pipe or a device", str(path))
        yield file, status.st_size


def read_limited(path: Path, limit: int) -> bytes:
    """All bytes of a file that somebody else may have made; see :func:`opened`.

    Args:
        path: a file.
        limit: bytes that it may have.

    Raises:
        OSError: it cannot be read, is no file, or is larger; ``strerror`` says which.
    """
    with opened(path) as (file, size):
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has {max(size, limit + 1):,} bytes, at most {limit:,} are read", str(path))
    return content


_ANSWERLESS = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO)
_LOCKED = (errno.EAGAIN, errno.ENOLCK, errno.EDEADLK, errno.EBUSY, errno.ETXTBSY)

_ANYWAY = {
    errno.ELOOP: "its links lead in a circle: make them again",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "end other programs, or allow more open files with ulimit -n",
    errno.ENFILE: "end other programs, or allow more open files with ulimit -n",
    errno.ENOMEM: "end other programs, or allow more memory with ulimit -v",
}
"""What to do about an ``errno``, whether a file is read or written."""


def reason(error: OSError) -> str:
    """What went wrong, without the path."""
    return error.strerror or str(error)


def remedy(error: OSError, otherwise: str) -> str:
    """What to do about a file that cannot be read, by its ``errno``: such an error says nothing of what the file holds.

    Args:
        error: from opening or reading it.
        otherwise: where the user has probably named another file than he meant.
    """
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ask its owner for permission to read it, or copy it"
    if error.errno in _ANSWERLESS:
        return "the disk or the network does not answer: try again, or copy the file to another disk"
    if error.errno in _LOCKED:
        return "another program holds it, or its file system has no locks: try again, or copy it to another disk"
    if error.errno == errno.ENOTDIR:
        return "a part of its path is no folder: correct the path"
    return _ANYWAY.get(error.errno or 0, otherwise)


def remedy_for_writing(error: OSError, elsewhere: str) -> str:
    """What to do about a file that cannot be written, by its ``errno``.

    Args:
        error: from opening or writing it.
        elsewhere: how to have it written to another place.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"make room, or {elsewhere}"
    if error.errno == errno.EFBIG:
        return f"allow larger files with ulimit -f, or {elsewhere}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"ask the owner of the folder for permission to write there, or {elsewhere}"
    if error.errno == errno.EROFS:
        return f"its disk is for reading only: {elsewhere}"
    if error.errno in _ANSWERLESS:
        return f"the disk or the network does not answer: try again, or {elsewhere}"
    if error.errno == errno.EAGAIN:  # what a new process that there cannot be any more raises
        return "end other programs, or allow more processes with ulimit -u"
    if error.errno in _LOCKED:
        return f"another program holds it, or its file system has no locks: try again, or {elsewhere}"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"a file is where a folder must be: move it away, or {elsewhere}"
    if error.errno == errno.EISDIR:
        return f"a folder is where the file must be: move it away, or {elsewhere}"
    return _ANYWAY.get(error.errno or 0, elsewhere)


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fill(file: BinaryIO, content: Content) -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        content(file)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _umask() -> int:
    # There is no way to read it without setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
