"""Speech Commands, and any folder in its layout."""

from pathlib import Path

from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.catalogue import read_catalogue
from neuro_deploy.datasets.store import data_root, require
from neuro_deploy.training.data.recordings import Collection
from neuro_deploy.training.data_settings import SpeechCommandsData


def speech_commands(settings: SpeechCommandsData) -> Collection:
    """The words of the settings, split by the folder's lists.

    Raises:
        DatasetError: the folder is missing, or has no clips of a word.
    """
    folder = require(settings.folder, data_root()) if settings.folder in read_catalogue() else Path(settings.folder)
    return Collection(folder, layouts.speech_commands(folder, settings.words))
