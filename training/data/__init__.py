"""Data sets: one file each."""

from training.data.common import Augment, Data, Split
from training.data.digits import digits
from training.data.speech_commands import speech_commands
from training.data.spoken_digits import spoken_digits
from training.data_settings import DataSettings, DigitsData, SpeechCommandsData

__all__ = ["Augment", "Data", "Split", "load_data"]


def load_data(settings: DataSettings) -> Data:
    """The data set that the settings name; deterministic.

    Raises:
        DatasetError: it is missing or damaged.
        InputError: a recording of it is damaged.
        OutputError: the features cannot be kept.
    """
    if isinstance(settings, DigitsData):
        return digits(settings)
    if isinstance(settings, SpeechCommandsData):
        return speech_commands(settings)
    return spoken_digits(settings)
