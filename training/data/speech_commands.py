"""Speech Commands, and any folder in its layout."""

from typing import Literal

from neuro_deploy.datasets import layouts
from neuro_deploy.files import expanded
from neuro_deploy.training.data.recordings import Collection, RecordedData
from neuro_deploy.training.data.settings import Place


class SpeechCommandsData(RecordedData):
    """Speech Commands, or a folder in its layout.

    Attributes:
        folder: a data set of ``neuro-deploy data list``, or the path of a folder.
        words: those to tell apart; all of the folder if none are given.
    """

    name: Literal["speech_commands"]
    folder: Place = "speech_commands"
    words: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether its samples may be passed on with a network: those of the catalogue, not those of a folder of the user's own."""
        from neuro_deploy.datasets.catalogue import read_catalogue

        return self.folder in read_catalogue()

    def collection(self) -> Collection:
        """The words of the settings, split by the folder's lists."""
        from neuro_deploy.datasets.catalogue import read_catalogue
        from neuro_deploy.datasets.store import data_root, require

        folder = require(self.folder, data_root()) if self.folder in read_catalogue() else expanded(self.folder)
        return Collection(folder, layouts.speech_commands(folder, self.words))
