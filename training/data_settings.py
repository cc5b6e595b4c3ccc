"""Settings of the data sets: which data, how they are split, what is done with them before the encoder."""

import sys
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from neuro_deploy.ir.manifest import FrontEndSpec


class Strict(BaseModel):
    """Settings: an unknown key is refused, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_absent(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A setting that is not given is not written either, so a new one leaves the files of older configurations as they are."""
        # Interned as an attribute's name is: a checkpoint's bytes depend on which strings are one object.
        return {sys.intern(key): value for key, value in serialise(self).items() if value is not None}


class DigitsData(Strict):
    """scikit-learn's digits, and how they are split.

    Attributes:
        permute: shuffle the steps of every sample by one fixed permutation.
        validation: share of the training split that is held out to choose the best epoch.
        augment: strength of the random affine maps of training images; 0 switches them off, 1 means up to 10 degrees,
            10 % of size and shear, and 0.75 pixels.
    """

    name: Literal["digits"]
    permute: bool = False
    validation: float = Field(default=0.1, gt=0, lt=0.9)
    augment: float = Field(default=1.0, ge=0, le=3)


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

    shift: int = Field(default=0, ge=0)
    stretch: float = Field(default=0.0, ge=0, le=0.5)
    warp: float = Field(default=0.0, ge=0, le=0.5)
    loudness: float = Field(default=0.0, ge=0, le=10)
    equaliser: float = Field(default=0.0, ge=0, le=10)
    background: float = Field(default=0.0, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0)
    mask_frames: int = Field(default=0, ge=0)
    mask_bins: int = Field(default=0, ge=0)
    mixup: float = Field(default=0.0, ge=0, le=1)


class RecordedData(Strict):
    """Recordings, their front end and their augmentation."""

    front_end: FrontEndSpec = FrontEndSpec()
    augment: AugmentSettings = AugmentSettings()


class SpeechCommandsData(RecordedData):
    """Speech Commands, or a folder in its layout.

    Attributes:
        folder: a data set of ``neuro-deploy data list``, or the path of a folder.
        words: those to tell apart; all of the folder if none are given.
    """

    name: Literal["speech_commands"]
    folder: str = "speech_commands"
    words: tuple[str, ...] = ()


class SpokenDigitsData(RecordedData):
    """The Free Spoken Digit Dataset.

    Attributes:
        test_speaker: who alone is tested, and not heard in training; the official split if not given.
    """

    name: Literal["spoken_digits"]
    test_speaker: str | None = None


DataSettings: TypeAlias = Annotated[DigitsData | SpeechCommandsData | SpokenDigitsData, Field(discriminator="name")]
"""Which data, and how it is split; ``name`` says which of the three."""
