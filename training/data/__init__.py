"""Data sets: one file each."""

from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.layouts import Clip
from neuro_deploy.training.data.common import Augment, Data, Split, Watch, unwatched
from neuro_deploy.training.data.digits import digits
from neuro_deploy.training.data.recordings import Collection, recorded
from neuro_deploy.training.data.speech_commands import speech_commands
from neuro_deploy.training.data.spoken_digits import spoken_digits
from neuro_deploy.training.data_settings import DataSettings, DigitsData, RecordedData, SpeechCommandsData, SpokenDigitsData

__all__ = ["Augment", "Data", "Split", "Watch", "load_clips", "load_data", "unwatched"]


def load_data(settings: DataSettings, watch: Watch = unwatched) -> Data:
    """The data set that the settings name; deterministic.

    Args:
        settings: which, and how it is split.
        watch: shows how far the frames of recordings are, which take minutes when they are first computed.

    Raises:
        DatasetError: it is missing or damaged.
        InputError: a recording of it is damaged.
        OutputError: the features cannot be kept.
    """
    if isinstance(settings, DigitsData):
        return digits(settings)
    return recorded(_collection(settings), settings, watch)


def load_clips(settings: DataSettings, split: layouts.Split) -> list[Clip]:
    """The recordings behind the samples of a split, in the samples' order; none where the data are no recordings.

    Raises:
        DatasetError: the data set is missing or damaged.
    """
    return _collection(settings).split(split) if isinstance(settings, RecordedData) else []


def _collection(settings: SpeechCommandsData | SpokenDigitsData) -> Collection:
    return speech_commands(settings) if isinstance(settings, SpeechCommandsData) else spoken_digits(settings)
