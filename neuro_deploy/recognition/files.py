"""Recordings in files: found, read, and recognised many at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from neuro_deploy.audio.recordings import Clip, read_clip
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

Remark = Callable[[str], None]
"""Told in a line what whoever reads a recording's answer should know of it."""


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
    network: Network,
    backend: Backend,
    front_end: FrontEndSpec,
    rule: Rule,
    files: Iterable[Path],
    refuse: Refuse,
    remark: Remark = lambda line: None,
) -> Iterator[Answer]:
    """Recognise recordings, each from its beginning.

    Args:
        network: what recognises.
        backend: what runs it.
        front_end: the network's.
        rule: how it decides.
        files: recordings.
        refuse: told of those that cannot be used.
        remark: told what of the others is not recognised.

    Raises:
        BackendError: the backend cannot run.
    """
    readable = _read(files, front_end, refuse, remark)
    while together := list(itertools.islice(readable, TOGETHER)):
        names, clips = zip(*together, strict=True)
        encoded = encode(np.stack([clip.frames for clip in clips]), network.manifest.input)
        first = np.array([clip.first_sound for clip in clips])
        trace = backend.run(network, encoded)
        yield from rule.answers(names, readouts(network, trace), first)


def _read(files: Iterable[Path], front_end: FrontEndSpec, refuse: Refuse, remark: Remark) -> Iterator[tuple[str, Clip]]:
    """The files that can be read, by name."""
    for file in files:
        try:
            clip = read_clip(file, front_end)
        except InputError as error:
            refuse(error)
            continue
        for line in clip.remarks:
            remark(f"{file}: {line}")
        yield str(file), clip
