"""The Free Spoken Digit Dataset."""

from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.store import data_root, require
from neuro_deploy.training.data.recordings import Collection
from neuro_deploy.training.data_settings import SpokenDigitsData


def spoken_digits(settings: SpokenDigitsData) -> Collection:
    """Ten digits; the official test split, or one speaker who is not heard in training.

    Raises:
        DatasetError: the data set is missing, or has no such speaker.
    """
    folder = require("free_spoken_digits", data_root())
    return Collection(folder, layouts.spoken_digits(folder, settings.test_speaker))
