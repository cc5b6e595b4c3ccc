"""Recordings in files and pipes, of any format, rate, depth and number of channels that libsndfile reads."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.audio import HIGHEST_RATE, LOWEST_RATE
from neuro_deploy.audio.containers import unmeasured
from neuro_deploy.audio.front_end import FrontEnd
from neuro_deploy.errors import InputError
from neuro_deploy.files import reason, remedy
from neuro_deploy.ir.manifest import FrontEndSpec

if TYPE_CHECKING:
    import soundfile

BLOCK = 1 << 15
"""Numbers that are read at once."""

PEAK = 8.0
"""Full scales that a sample may reach, 18 dB too much; floating-point samples beyond are taken to have another scale."""

HELD = 64 * 2**20
"""Bytes that are read of what has to be held in memory: a pipe, or a file whose header does not say how much sound follows."""


@dataclass(frozen=True)
class Clip:
    """The beginning of a recording.

    Attributes:
        frames: float32 [T, bins].
        first_sound: step of the first frame with sound, 1 to T.
        remarks: what whoever asks for an answer should know, a phrase each.
    """

    frames: NDArray[np.float32]
    first_sound: int
    remarks: tuple[str, ...]


@contextmanager
def recording(path: Path) -> "Iterator[soundfile.SoundFile]":
    """Open a recording: a file, or a pipe, of which no more than :data:`HELD` bytes are read.

    Yields:
        Its ``samplerate``, ``channels`` and :func:`blocks`.

    Raises:
        InputError: no such file, empty, not a recording, damaged, or of an impossible sample rate.
        MissingPackageError: the extra ``audio`` is not installed.
    """
    extras.require("soundfile")
    import soundfile

    class Forward(soundfile.SoundFile):
        """Read from its beginning on, never sought in: that fails where a header says nothing, or a wrong number of samples."""

        def seekable(self) -> bool:
            return False

    try:
        with _opened(path) as source, Forward(source) as file:
            if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
                raise InputError(
                    f"{path}: its header says {file.samplerate} samples a second, {LOWEST_RATE} to {HIGHEST_RATE} are possible: "
                    "write the recording's own rate into it"
                )
            yield file
    except soundfile.LibsndfileError as error:
        said = error.error_string.strip().rstrip(".")
        raise InputError(
            f"{path}: not a recording, or damaged ({said[:1].lower()}{said[1:]}): give a wav or flac file"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}): {remedy(error, 'give a wav or flac file')}") from error


class _Source:
    """Bytes for libsndfile, whose wrapper prints what goes wrong in here as a traceback, and reads on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, or stay where a damaged header names none."""
        with suppress(OSError, ValueError, OverflowError):
            self._stream.seek(offset, whence)
        return self._stream.tell()

    def tell(self) -> int:
        """The place."""
        return self._stream.tell()

    def read(self, size: int) -> bytes:
        """The next bytes; none where they cannot be read."""
        try:
            return self._stream.read(size)
        except OSError as error:
            self._failure = error
            return b""

    def require_readable(self) -> None:
        """Raise what reading failed with.

        Raises:
            OSError: that.
        """
        if self._failure is not None:
            raise self._failure


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    """The bytes of a recording.

    Raises:
        InputError: there are none.
        OSError: they cannot be read.
    """
    with path.open("rb") as stream:
        source = _Source(_seekable(stream, path))
        try:
            yield source
        finally:
            source.require_readable()


def _seekable(stream: BinaryIO, path: Path) -> BinaryIO:
    """A recording that says how long it is, from its beginning.

    Raises:
        InputError: it is empty.
    """
    plain = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    held = stream if plain else io.BytesIO(stream.read(HELD))
    size = held.seek(0, os.SEEK_END)
    if size == 0:
        raise InputError(f"{path}: an empty {'file' if plain else 'pipe'}, not a recording")
    corrections = unmeasured(held)
    if corrections:
        held.seek(0)
        content = bytearray(held.read(HELD))
        for offset, correct in corrections:
            content[offset : offset + len(correct)] = correct
        held = io.BytesIO(content)
    held.seek(0)
    return held


def blocks(file: "soundfile.SoundFile", path: Path) -> Iterator[NDArray[np.float32]]:
    """The samples of a recording, float32 [samples, channels] at a time.

    Args:
        file: an open recording.
        path: where it lies, for messages.

    Raises:
        InputError: a NaN or an infinity among them, or a sample beyond :data:`PEAK`.
    """
    begin = 0
    while len(block := file.read(max(1, BLOCK // file.channels), dtype="float32", always_2d=True)):
        wrong = ~(np.abs(block) <= PEAK)
        if wrong.any():
            where = np.argwhere(wrong)[0]
            sample, value = begin + int(where[0]), float(block[tuple(where)])
            if not np.isfinite(value):
                raise InputError(f"{path}: sample {sample} is not a finite number: repair the recording")
            raise InputError(f"{path}: sample {sample} is {value:g}, {PEAK:g} at most are possible: scale it to -1 to 1")
        begin += len(block)
        yield block


def file_frames(path: Path, spec: FrontEndSpec) -> NDArray[np.float32]:
    """The first frames of a recording, followed by silence if it is shorter.

    Args:
        path: the file; no more of it is read than the frames need.
        spec: the frames.

    Returns:
        [T, bins].

    Raises:
        InputError: not a recording, damaged, without samples, with a NaN, or far beyond full scale.
    """
    with recording(path) as file:
        front_end = FrontEnd(spec, file.samplerate)
        return _first_frames(front_end, blocks(file, path), path)


def read_clip(path: Path, spec: FrontEndSpec) -> Clip:
    """The first frames of a recording that is to be recognised: one that can hold a word.

    Args:
        path: the file; of what follows the frames, it is read until there is sound.
        spec: the frames.

    Raises:
        InputError: what :func:`file_frames` refuses, silence, and less than one window of sound.
    """
    with recording(path) as file:
        rate, channels = file.samplerate, file.channels
        front_end, pieces = FrontEnd(spec, rate), blocks(file, path)
        frames = _first_frames(front_end, pieces, path)
        first, remarks = require_sound(front_end, path, rate), []
        if front_end.cancels:
            remarks.append(f"its {channels} channels nearly cancel each other where they are averaged: give one of them")
        # Damage there is not the first frames' own; libsndfile's errors are RuntimeErrors.
        with suppress(InputError, RuntimeError):
            while not front_end.sound_after and (piece := next(pieces, None)) is not None:
                front_end.accept(piece)
        if front_end.sound_after:
            first_part = f"only its first {spec.seconds:g} s are recognised"
            remarks.append(f"{first_part}, and there is sound after them: cut it into such pieces")
    return Clip(frames, first, tuple(remarks))


def _first_frames(front_end: FrontEnd, pieces: Iterator[NDArray[np.float32]], path: Path) -> NDArray[np.float32]:
    """Frames [T, bins] of the first pieces; more of them are left where the recording is longer."""
    spec = front_end.spec
    frames = [np.zeros((0, spec.bins), np.float32)]
    while sum(map(len, frames)) < spec.steps and (piece := next(pieces, None)) is not None:
        frames.append(front_end.accept(piece))
    if not front_end.samples:
        raise InputError(f"{path}: a recording of no samples, or one that is cut off before the first: give a whole one")
    if sum(map(len, frames)) < spec.steps:
        frames.append(front_end.finish())
    return np.concatenate(frames)[: spec.steps]


def covered_steps(path: Path, spec: FrontEndSpec) -> int:
    """How many frames of a sample its recording reaches; the frames after them are silence.

    Args:
        path: the file; no more of it is read than the frames need.
        spec: the frames.

    Returns:
        1 to T: the frames whose windows begin before the recording ends.

    Raises:
        InputError: not a recording, damaged, with a NaN, or far beyond full scale.
    """
    samples, steps = 0, 0
    with recording(path) as file:
        for block in blocks(file, path):
            samples += len(block)
            steps = -(-samples * spec.rate // (file.samplerate * spec.hop))
            if steps >= spec.steps:
                break
    return min(max(1, steps), spec.steps)


def require_sound(front_end: FrontEnd, path: Path, rate: int) -> int:
    """Refuse a recording that cannot hold a word.

    Returns:
        Step of its first frame with sound.

    Raises:
        InputError: silence, or less than one window of sound.
    """
    if 1000 * front_end.samples < front_end.spec.window_ms * rate:
        length = 1000 * front_end.samples / rate
        raise InputError(f"{path}: {length:.2g} ms of sound, shorter than one window of {front_end.spec.window_ms:g} ms")
    if front_end.first_sound is None and front_end.cancels:
        raise InputError(f"{path}: its channels cancel each other where they are averaged: give one of them")
    if front_end.first_sound is None:
        raise InputError(f"{path}: silence in the first {front_end.spec.seconds:g} s, there is nothing to recognise")
    return front_end.first_sound
