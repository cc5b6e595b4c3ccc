"""Clips become arrays of frames, which are kept in the data root: they are computed once for each front end."""

import errno
import hashlib
import json
import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from pydantic import Field

from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.layouts import Clip
from neuro_deploy.errors import DatasetError, OutputError
from neuro_deploy.files import reason, remedy, write_atomically
from neuro_deploy.ir.manifest import LARGEST, NEURONS_MAX, STEPS_MAX, FrontEndSpec
from neuro_deploy.training.data.common import Augment, Data, Split, Watch
from neuro_deploy.training.data.settings import DataSet, Strict

_log = logging.getLogger(__name__)

CACHE = ".frames"
"""Folder in the data root."""

ORDER_SEED = 0
"""Of the order of the clips of a split, so that its first few are of several words."""

ALONE = 1000
"""As many clips are done sooner by one process than others are started."""


class AugmentSettings(Strict):
    """Random variations of training recordings, see :mod:`neuro_deploy.training.data.augmentation`; 0 switches one off.

    Attributes:
        shift: steps that a recording is moved by, either way.
        stretch: largest share by which the speed of a recording changes, either way.
        warp: the same of its mel bands, as with a longer or shorter vocal tract.
        loudness: largest change of a recording's loudness, either way, in the frames' unit, the natural logarithm of a power.
        equaliser: largest change of a mel band, either way, in the same unit, as by another microphone; neighbours change alike.
        background: probability that a steady noise is added, 0 to 30 decibels below the recording's mean power.
        noise: largest amplitude of uniform noise on the frames, in their unit.
        mask_frames: largest number of steps that are replaced by the recording's mean.
        mask_bins: the same of mel bands.
        mixup: probability that another recording is mixed in.
    """

    shift: int = Field(default=0, ge=0, le=STEPS_MAX)
    stretch: float = Field(default=0.0, ge=0, le=0.5)
    warp: float = Field(default=0.0, ge=0, le=0.5)
    loudness: float = Field(default=0.0, ge=0, le=10)
    equaliser: float = Field(default=0.0, ge=0, le=10)
    background: float = Field(default=0.0, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0, le=LARGEST)
    mask_frames: int = Field(default=0, ge=0, le=STEPS_MAX)
    mask_bins: int = Field(default=0, ge=0, le=NEURONS_MAX)
    mixup: float = Field(default=0.0, ge=0, le=1)


class RecordedData(DataSet):
    """Recordings, their front end and their augmentation."""

    front_end: FrontEndSpec = FrontEndSpec()
    augment: AugmentSettings = AugmentSettings()

    @abstractmethod
    def collection(self) -> "Collection":
        """The recordings that the settings choose.

        Raises:
            DatasetError: they are missing or damaged.
        """

    def load(self, watch: Watch) -> Data:
        """The frames of all clips.

        Raises:
            DatasetError: the data set is missing or damaged, or a split is empty; where a split is read, also:
            InputError: a clip is damaged.
        """
        collection = self.collection()
        for name in layouts.SPLITS:
            collection.split(name)
        classes, spec = collection.classes, self.front_end

        def read(name: layouts.Split) -> Split:
            chosen = collection.split(name)
            labels = np.array([classes.index(clip.word) for clip in chosen], np.int64)
            return Split(_frames(chosen, spec, watch), labels)

        def variations() -> Augment:
            from neuro_deploy.training.data.augmentation import augmentation

            return augmentation(self.augment, len(classes))

        return Data(classes, spec.steps, spec.bins, read, variations)

    def clips(self, split: layouts.Split) -> list[Clip]:
        """The recordings behind the samples of a split, in the samples' order."""
        return self.collection().split(split)


@dataclass(frozen=True)
class Collection:
    """The recordings of a data set.

    Attributes:
        folder: that they lie in.
        clips: with their words and splits.
    """

    folder: Path
    clips: tuple[Clip, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The words, in the order in which they first come."""
        return tuple(dict.fromkeys(clip.word for clip in self.clips))

    def split(self, name: layouts.Split) -> list[Clip]:
        """The clips of a split, in the order of its samples.

        Raises:
            DatasetError: there are none.
        """
        chosen = [clip for clip in self.clips if clip.split == name]
        if not chosen:
            raise DatasetError(f"{self.folder}: no clips for the {name} split: take more speakers or words")
        return [chosen[index] for index in np.random.default_rng(ORDER_SEED).permutation(len(chosen))]


def _frames(clips: Sequence[Clip], spec: FrontEndSpec, watch: Watch) -> NDArray[np.float32]:
    """[clips, T, bins]; from the cache in the data root, read as far as it is used."""
    from neuro_deploy.datasets.store import data_root

    path = data_root() / CACHE / f"{_key(clips, spec)}.npy"
    shape = len(clips), spec.steps, spec.bins
    kept = _kept(path, shape)
    if kept is not None:
        return kept
    frames = _computed(clips, spec, watch)
    try:
        write_atomically(path, lambda file: np.save(file, frames))
    except OutputError as error:
        _log.warning("frames are not kept, and computed again the next time: %s", error)
        return frames
    # Mapped as in later runs, so that a process needs no more memory the first time. What is kept may be gone already.
    kept = _kept(path, shape)
    return frames if kept is None else kept


def _kept(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32] | None:
    """Frames that were kept; None if there are none, or only damaged ones."""
    try:
        # Copy on write: torch takes no arrays that it must not write to.
        kept: NDArray[np.float32] = open_memmap(path, mode="c")  # type: ignore[no-untyped-call]
    except (OSError, ValueError, SyntaxError, TokenError):  # the last two are of a damaged header
        return None
    return kept if kept.shape == shape and kept.dtype == np.float32 else None


def _computed(clips: Sequence[Clip], spec: FrontEndSpec, watch: Watch) -> NDArray[np.float32]:
    from joblib import Parallel, delayed

    work = (delayed(file_frames)(clip.path, spec) for clip in clips)
    found = Parallel(n_jobs=1 if len(clips) < ALONE else -1, batch_size=64, return_as="generator")(work)
    return np.stack(list(watch(found, len(clips))))


def _key(clips: Sequence[Clip], spec: FrontEndSpec) -> str:
    """Names everything that the frames depend on.

    Raises:
        DatasetError: a clip is gone.
    """
    about = {
        "front_end": spec.model_dump(),
        "clips": [_state(clip.path) for clip in clips],
        "versions": [_version(name) for name in ("kaldi-native-fbank", "soxr", "soundfile")],
    }
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # frames that are kept are read, and others are refused with advice
        return None


def _state(path: Path) -> tuple[str, int, int, int]:
    """Another one whenever a file's content is another one: a program may set the time of a change, but not that of a file's state."""
    try:
        real = path.resolve()
        found = real.stat()
    except (OSError, RuntimeError) as error:
        # Before Python 3.13, links in a circle are a RuntimeError.
        known = error if isinstance(error, OSError) else OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        advice = remedy(known, "fetch the data set again")
        raise DatasetError(f"{path}: cannot be read ({reason(known)}): {advice}") from error
    return str(real), found.st_size, found.st_mtime_ns, found.st_ctime_ns
