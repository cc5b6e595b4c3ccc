"""The table of the data sets that a configuration may name."""

from typing import Annotated, TypeAlias

from pydantic import Field

from neuro_deploy.training.data.digits import DigitsData
from neuro_deploy.training.data.recordings import AugmentSettings, RecordedData
from neuro_deploy.training.data.settings import Strict
from neuro_deploy.training.data.speech_commands import SpeechCommandsData
from neuro_deploy.training.data.spoken_digits import SpokenDigitsData

__all__ = ["AugmentSettings", "DataSettings", "DigitsData", "RecordedData", "SpeechCommandsData", "SpokenDigitsData", "Strict"]

DataSettings: TypeAlias = Annotated[DigitsData | SpeechCommandsData | SpokenDigitsData, Field(discriminator="name")]
"""Which data, and how it is split; ``name`` says which of them."""
