"""Speech Commands, and any folder in its layout."""

from pathlib import Path

from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.catalogue import read_catalogue
from neuro_deploy.datasets.store import data_root, require
from training.data.common import Data
from training.data.recordings import recorded
from training.data_settings import SpeechCommandsData


def speech_commands(settings: SpeechCommandsData) -> Data:
    """The words of the settings, split by the folder's lists.

    Raises:
        DatasetError: the folder is missing, or has no clips of a word.
    """
    root = data_root()
    folder = require(settings.folder, root) if settings.folder in read_catalogue() else Path(settings.folder)
    clips = layouts.speech_commands(folder, settings.words)
    return recorded(clips, folder, root, settings)
