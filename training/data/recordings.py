"""Clips become arrays of frames, which are kept in the data root: they are computed once for each front end."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.layouts import Clip
from neuro_deploy.datasets.store import data_root
from neuro_deploy.errors import DatasetError
from neuro_deploy.files import write_atomically
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.training.data.augmentation import augmentation
from neuro_deploy.training.data.common import Data, Split, Watch, unwatched
from neuro_deploy.training.data_settings import RecordedData

CACHE = ".frames"
"""Folder in the data root."""

ORDER_SEED = 0
"""Of the order of the clips of a split, so that its first few are of several words."""

ALONE = 1000
"""As many clips are done sooner by one process than others are started."""


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


def recorded(collection: Collection, settings: RecordedData, watch: Watch = unwatched) -> Data:
    """The frames of all clips.

    Args:
        collection: the clips.
        settings: of the front end and the augmentation.
        watch: shows how far the frames of a split are.

    Raises:
        DatasetError: a split is empty.
        InputError: a clip is damaged.
        OutputError: the frames cannot be kept.
    """
    classes = collection.classes

    def split(name: layouts.Split) -> Split:
        chosen = collection.split(name)
        labels = np.array([classes.index(clip.word) for clip in chosen], np.int64)
        return Split(_frames(chosen, collection.folder, settings.front_end, watch), labels)

    return Data(split("train"), split("validation"), split("test"), classes, augmentation(settings.augment, len(classes)))


def _frames(clips: Sequence[Clip], folder: Path, spec: FrontEndSpec, watch: Watch) -> NDArray[np.float32]:
    """[clips, T, bins]; from the cache in the data root, read as far as it is used."""
    path = data_root() / CACHE / f"{folder.name}-{_key(clips, folder, spec)}.npy"
    if not path.is_file():
        work = (delayed(file_frames)(clip.path, spec) for clip in clips)
        found = Parallel(n_jobs=1 if len(clips) < ALONE else -1, batch_size=64, return_as="generator")(work)
        frames = np.stack(list(watch(found, len(clips))))
        write_atomically(path, lambda file: np.save(file, frames))
    # Copy on write: torch takes no arrays that it must not write to.
    kept: NDArray[np.float32] = np.load(path, mmap_mode="c")
    return kept


def _key(clips: Sequence[Clip], folder: Path, spec: FrontEndSpec) -> str:
    """Names everything that the frames depend on."""
    about = {
        "front_end": spec.model_dump(),
        "clips": [(clip.path.relative_to(folder).as_posix(), clip.path.stat().st_size) for clip in clips],
        "versions": [version(name) for name in ("kaldi-native-fbank", "soxr", "soundfile")],
    }
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
