"""The Free Spoken Digit Dataset."""

from typing import Literal

from neuro_deploy.datasets import layouts
from neuro_deploy.training.data.recordings import Collection, RecordedData


class SpokenDigitsData(RecordedData):
    """The Free Spoken Digit Dataset.

    Attributes:
        test_speaker: the only one in the test split, and absent from training; the official split if not given.
    """

    name: Literal["spoken_digits"]
    test_speaker: str | None = None

    def collection(self) -> Collection:
        """Ten digits; the official test split, or one speaker who is absent from training."""
        from neuro_deploy.datasets.store import data_root, require

        folder = require("free_spoken_digits", data_root())
        return Collection(folder, layouts.spoken_digits(folder, self.test_speaker))
