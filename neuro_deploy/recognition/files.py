"""Recordings in files: found, read, and recognised many at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.backends import Backend
from neuro_deploy.errors import InputError
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.recognition.answers import Answer, Rule
from neuro_deploy.recognition.decisions import readouts

SUFFIXES = frozenset((".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"))
"""Of the files that are taken from a folder; a file that is named itself may have any."""

TOGETHER = 64
"""Recordings that a backend runs at once."""

Refuse = Callable[[InputError], None]
"""Told of a recording that cannot be used; the others go on."""


def recordings(paths: Sequence[Path], refuse: Refuse) -> Iterator[Path]:
    """The files among the paths, and all recordings in the folders among them, sorted.

    Args:
        paths: as the user gave them.
        refuse: told of folders without recordings.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(file for file in path.rglob("*") if _recording(file))
        if not found:
            refuse(InputError(f"{path}: a folder without recordings: name one with wav or flac files"))
        yield from found


def _recording(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def recognise(
    network: Network, backend: Backend, front_end: FrontEndSpec, rule: Rule, files: Iterable[Path], refuse: Refuse
) -> Iterator[Answer]:
    """Recognise recordings, each from its beginning.

    Args:
        network: what recognises.
        backend: what runs it.
        front_end: the network's.
        rule: how it decides.
        files: recordings.
        refuse: told of those that cannot be used.

    Raises:
        BackendError: the backend cannot run.
    """
    readable = _read(files, front_end, refuse)
    while together := list(itertools.islice(readable, TOGETHER)):
        names, frames = zip(*together, strict=True)
        encoded = encode(np.stack(frames), network.manifest.input)
        trace = backend.run(network, encoded)
        yield from rule.answers(names, readouts(network.chain, trace, network.manifest.steps))


def _read(files: Iterable[Path], front_end: FrontEndSpec, refuse: Refuse) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names and frames [T, bins] of the files that can be read."""
    for file in files:
        try:
            yield str(file), file_frames(file, front_end, strict=True)
        except InputError as error:
            refuse(error)
