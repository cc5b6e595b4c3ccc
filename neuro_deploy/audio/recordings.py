"""Recordings in files, of any format, rate, depth and number of channels that libsndfile reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.audio.front_end import FrontEnd
from neuro_deploy.errors import InputError
from neuro_deploy.ir.manifest import FrontEndSpec

if TYPE_CHECKING:
    import soundfile

BLOCK = 1 << 15
"""Samples that are read at once."""


@contextmanager
def recording(path: Path) -> "Iterator[soundfile.SoundFile]":
    """Open a recording.

    Yields:
        Its ``samplerate``, ``channels`` and :func:`blocks`.

    Raises:
        InputError: no such file, empty, not a recording, or damaged.
        MissingPackageError: the extra ``audio`` is not installed.
    """
    extras.require("soundfile")
    import soundfile

    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: an empty file, not a recording")
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            yield file
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        raise InputError(
            f"{path}: not a recording, or damaged ({reason[:1].lower()}{reason[1:]}): give a wav or flac file"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def blocks(file: "soundfile.SoundFile", path: Path) -> Iterator[NDArray[np.float32]]:
    """The samples of a recording, float32 [samples, channels] at a time.

    Args:
        file: an open recording.
        path: where it lies, for messages.

    Raises:
        InputError: a NaN or an infinity among them.
    """
    begin = 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            where = begin + int(np.argwhere(~np.isfinite(block).all(axis=1))[0, 0])
            raise InputError(f"{path}: sample {where} is not a finite number: repair the recording")
        begin += len(block)
        yield block


def file_frames(path: Path, spec: FrontEndSpec, strict: bool = False) -> NDArray[np.float32]:
    """The first frames of a recording, followed by silence if it is shorter.

    Args:
        path: the file; no more of it is read than the frames need.
        spec: the frames.
        strict: refuse what cannot hold a word: silence, and less than one window of sound.

    Returns:
        [T, bins].

    Raises:
        InputError: not a recording, damaged, without samples, or with a NaN; if strict, also silent or too short.
    """
    with recording(path) as file:
        front_end = FrontEnd(spec, file.samplerate)
        frames = [np.zeros((0, spec.bins), np.float32)]
        for block in blocks(file, path):
            frames.append(front_end.accept(block))
            if sum(map(len, frames)) >= spec.steps:
                break
        if not front_end.samples:
            raise InputError(f"{path}: a recording of no samples")
        if strict:
            require_sound(front_end, path, file.samplerate)
        frames.append(front_end.finish())
    return np.concatenate(frames)[: spec.steps]


def covered_steps(path: Path, spec: FrontEndSpec) -> int:
    """How many frames of a sample its recording reaches, by the length in the file's header; the frames after them are silence.

    Args:
        path: the file.
        spec: the frames.

    Returns:
        1 to T: the frames whose windows begin before the recording ends.

    Raises:
        InputError: not a recording.
    """
    with recording(path) as file:
        samples: int = -(-file.frames * spec.rate // file.samplerate)
    return min(max(1, -(-samples // spec.hop)), spec.steps)


def require_sound(front_end: FrontEnd, path: Path, rate: int) -> None:
    """Refuse a recording that cannot hold a word.

    Raises:
        InputError: silence, or less than one window of sound.
    """
    if 1000 * front_end.samples < front_end.spec.window_ms * rate:
        length = 1000 * front_end.samples / rate
        raise InputError(f"{path}: {length:.2g} ms of sound, shorter than one window of {front_end.spec.window_ms:g} ms")
    if front_end.first_sound is None:
        raise InputError(f"{path}: silence in the first {front_end.spec.seconds:g} s, there is nothing to recognise")
