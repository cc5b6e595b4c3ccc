"""The manifest beside a NetX file: what the file's neurons mean, how to feed it and where to read it."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from neuro_deploy.ir.chain import Name, Segment

FORMAT_VERSION: Final = 3
"""Raised whenever a reader of an older manifest could misread a newer one, or would refuse it for a field that it does not know."""

ADOPTED_VERSION: Final = 4
"""Of the manifests of networks that this project did not make; its own need nothing of it."""

READABLE = 1, 2, FORMAT_VERSION, ADOPTED_VERSION
"""Versions that are read: 1 has no front end and never clips, 1 and 2 have no examples, 4 has options of the loader."""

STEPS_MAX: Final = 1 << 20
"""Steps of a sample: a quarter of an hour of frames a millisecond apart."""

NEURONS_MAX: Final = 1 << 21
"""Neurons of a network, channels of a frame, and classes; a Loihi 2 has a million neurons, and the largest known NetX file as many."""

WINDOWED_MAX: Final = 1 << 26
"""Samples in all windows of a recording together; a front end filters some ten million a second."""

LARGEST: Final = 1e12
"""Magnitude of a number that is multiplied with others: so no product leaves a double's range."""


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("two classes have one name")
    return names


def _folder(name: str) -> str:
    if name.startswith(".") or set(name) & {"/", "\\"}:
        raise ValueError("a folder of runs is named by it: it must not begin with a dot or have a slash in it")
    return name


Classes = Annotated[tuple[Name, ...], Field(min_length=1, max_length=NEURONS_MAX), AfterValidator(_distinct)]
"""Names of classes, in the order of the read-out's neurons."""


Answer = Literal["voltage", "sum", "last"]

Size = Annotated[int, Field(ge=1, le=NEURONS_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    later: ClassVar[tuple[str, ...]] = ()
    """Fields that are written only where they say something: manifests that do not need them stay as they were."""

    @model_serializer(mode="wrap")
    def _without_later(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        silent = {name for name in self.later if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in values.items() if name not in silent}


class Encoder(_Strict):
    """From the data's own unit to graded integers: ``round((x - offset) * scale)``, halves to even.

    Attributes:
        message_bits: the integers lie in ``0 .. 2**message_bits - 1``; 0: they are spikes, 0 or 1.
        scale: integers in one unit of the data.
        offset: what becomes 0.
        clip: integers beyond the limits are brought there; otherwise they are refused.
        signed: the integers may be negative, down to ``1 - 2**message_bits``.
        exact: numbers that are no integers after scaling are refused instead of being rounded.
    """

    later = ("signed", "exact")

    message_bits: int = Field(ge=0, le=24)
    scale: float = Field(default=1.0, ge=1 / LARGEST, le=LARGEST)
    offset: float = Field(default=0.0, ge=-LARGEST, le=LARGEST)
    clip: bool = False
    signed: bool = False
    exact: bool = False

    @property
    def largest(self) -> int:
        """The largest integer of a message."""
        return max(1, (1 << self.message_bits) - 1)

    @property
    def lowest(self) -> int:
        """The lowest integer of a message."""
        return -self.largest if self.signed else 0


class InputSpec(Encoder):
    """How the host feeds the chain.

    A sample is float [T, channels], which the encoder turns into integers. At each step the host injects frame ``t``, ``t-1``, ...
    (``frames`` of them, zeros before the start) and 1 on ``constant_channel``, if there is one, for exactly the T steps of the sample.
    """

    channels: int = Field(ge=1, le=NEURONS_MAX)
    frames: int = Field(ge=1, le=STEPS_MAX)
    constant_channel: int | None = Field(ge=1)


class FrontEndSpec(_Strict):
    """How a recording becomes the frames that the encoder reads; see :class:`neuro_deploy.audio.front_end.FrontEnd`.

    Attributes:
        rate: samples a second that recordings are brought to.
        seconds: length of a sample; recordings are cut there, or silence follows.
        window_ms: milliseconds that a frame is computed from.
        hop_ms: milliseconds from one frame to the next.
        bins: mel bands, the channels of a frame; kaldi-native-fbank makes no fewer than 3.
        low_hz: lower edge of the first.
        high_hz: upper edge of the last.
        preemphasis: share of the sample before that is taken away from each.
    """

    rate: int = Field(default=16000, ge=1000, le=192000)
    seconds: float = Field(default=1.0, gt=0, le=60)
    window_ms: float = Field(default=25.0, ge=1, le=1000)
    hop_ms: float = Field(default=16.0, ge=1, le=1000)
    bins: int = Field(default=40, ge=3, le=256)
    low_hz: float = Field(default=20.0, ge=0)
    high_hz: float = Field(default=8000.0, gt=0)
    preemphasis: float = Field(default=0.97, ge=0, le=1)

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.rate * self.window_ms / 1000)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.rate * self.hop_ms / 1000)

    @property
    def steps(self) -> int:
        """T, frames of a sample: those whose windows lie inside it."""
        return 1 + (round(self.rate * self.seconds) - self.window) // self.hop

    @model_validator(mode="after")
    def _fits(self) -> "FrontEndSpec":
        if self.high_hz > self.rate / 2 or self.low_hz >= self.high_hz:
            raise ValueError(
                f"bands from {self.low_hz:g} to {self.high_hz:g} Hz: they must rise, and end at {self.rate / 2:g} Hz at most"
            )
        if self.steps < 1:
            raise ValueError(f"{self.seconds:g} s is shorter than a window of {self.window_ms:g} ms")
        if self.steps * self.window > WINDOWED_MAX:
            raise ValueError(
                f"{self.steps:,} windows of {self.window:,} samples, at most {WINDOWED_MAX:,} in all: raise hop_ms"
            )
        if self.window < 2 or not self._every_band_has_a_frequency():
            raise ValueError(
                f"a window of {self.window} samples does not tell {self.bins} bands from {self.low_hz:g} to {self.high_hz:g} Hz "
                "apart: raise window_ms, or take fewer bins"
            )
        return self

    def _every_band_has_a_frequency(self) -> bool:
        """Whether in each triangle there is a frequency of the window's transform, as Kaldi (``mel-computations.cc``) demands.

        The transform has a power of two of samples; a triangle ends at the middles of its neighbours, all equally far apart in mel.
        """
        samples = 1 << (self.window - 1).bit_length()
        frequencies = np.arange(samples // 2) * (self.rate / samples)
        places = 1127.0 * np.log1p(frequencies / 700.0)
        low, high = 1127.0 * np.log1p(np.array([self.low_hz, self.high_hz]) / 700.0)
        ends = np.linspace(low, high, self.bins + 2)
        first, beyond = np.searchsorted(places, ends[:-2], "right"), np.searchsorted(places, ends[2:], "left")
        return bool((first < beyond).all())


class LayerSpec(_Strict):
    """One layer of the chain; at chip step ``t`` its neurons hold the model's step ``t - depth``, see :class:`.chain.Chain`."""

    index: int = Field(ge=0)
    size: int = Field(ge=1)
    kind: Literal["dense", "dense_rec", "conv", "input"]
    populations: tuple[Segment, ...]


class ReadoutSpec(_Strict):
    """Where the answer is: the voltage of these neurons after chip step ``steps + latency``.

    Attributes:
        layer: index of the layer.
        start: its first neuron that belongs to the read-out.
        stop: one past the last.
        scale: voltage of 1 in the sums of integer weights.
        logit: voltage of 1 in the model's logits, whose softmax is the confidence; None in manifests of format 1.
        kind: what the answer is: the ``voltage``; the ``sum`` of what the neurons sent during the T steps; what they sent ``last``.
    """

    later = ("kind",)

    layer: int = Field(ge=0)
    start: int = Field(ge=0)
    stop: int = Field(ge=1)
    scale: int = Field(ge=1, le=1 << 24)
    logit: int | None = Field(default=None, ge=1, le=1 << 53)
    kind: Answer = "voltage"

    @property
    def place(self) -> slice:
        """Its neurons among those of the layer."""
        return slice(self.start, self.stop)


class Loading(_Strict):
    """Options with which ``lava.lib.dl.netx.hdf5.Network`` loads a file that this project did not make.

    Attributes:
        input_shape: (width, height, channels) of the input, where the file does not say it.
        reset_interval: LIF neurons are reset each so many steps; None: never.
        reset_offset: the step of the first layer's first reset; each further layer's comes a step later.
        skip_layers: first layers of the file that are left out.
        num_layers: layers of the file, counted before any is left out; None: all.
        spike_exp: binary places of graded messages.
    """

    input_shape: tuple[()] | tuple[Size, Size, Size] = ()
    reset_interval: int | None = Field(default=None, ge=1, le=STEPS_MAX)
    reset_offset: int = Field(default=0, ge=0, le=STEPS_MAX)
    skip_layers: int = Field(default=0, ge=0, le=1 << 14)
    num_layers: int | None = Field(default=None, ge=1, le=1 << 14)
    spike_exp: int = Field(default=6, ge=0, le=7)


class Examples(_Strict):
    """A few samples with the answers that the network must give, so that it can be checked where its data are not.

    Attributes:
        encoded: the samples, unsigned little-endian integers [samples, T, channels] of as many whole bytes as a message needs;
            base64 in the file.
        readout: voltages of the read-out, [samples, classes].
        labels: of the samples, if known.
    """

    encoded: Base64Bytes
    readout: tuple[tuple[Annotated[int, Field(ge=-(1 << 53), le=1 << 53)], ...], ...] = Field(min_length=1)
    labels: tuple[Annotated[int, Field(ge=0, lt=1 << 31)], ...] | None = None


class Hashes(_Strict):
    """SHA-256 of the files that belong together, in hexadecimal; no checkpoint where none was given."""

    checkpoint: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    net: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(_Strict):
    """Everything that a host needs beside the NetX file.

    Attributes:
        format_version: see :data:`FORMAT_VERSION`.
        config: name of the configuration that the model was trained with.
        settings: that configuration, whole, as it was read; None of a network that was not trained here.
        classes: names of the classes, in the order of the read-out's neurons.
        front_end: how a recording becomes the frames that are fed; None where the data are no recordings.
        input: how to feed it.
        steps: T, steps of a sample.
        latency: D, the number of layers.
        gap: G, silent steps after which the next sample may start.
        layers: what each neuron is.
        readout: where the answer is.
        examples: a few samples with their answers.
        sha256: of the checkpoint and of the NetX file; None of a network that is in no file.
        loading: how a file that this project did not make is loaded; None of its own.
    """

    later = ("loading",)

    format_version: Literal[1, 2, 3, 4] = FORMAT_VERSION
    config: Annotated[Name, AfterValidator(_folder)]
    settings: dict[str, Any] | None = None
    classes: Classes
    front_end: FrontEndSpec | None = None
    input: InputSpec
    steps: int = Field(ge=1, le=STEPS_MAX)
    latency: int = Field(ge=0)
    gap: int = Field(ge=0)
    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    readout: ReadoutSpec
    examples: Examples | None = None
    sha256: Hashes | None = None
    loading: Loading | None = None

    @model_validator(mode="after")
    def _adopted_or_not(self) -> "Manifest":
        adopted = self.loading is not None
        if adopted != (self.format_version == ADOPTED_VERSION):
            raise ValueError(f"format_version {ADOPTED_VERSION} belongs to networks that were adopted, and these to it")
        if not adopted and (self.input.constant_channel is None or not self.input.message_bits or not self.latency):
            raise ValueError(
                "without a constant channel, message bits or layers that take a step: only what was adopted can be so"
            )
        return self


@dataclass(frozen=True)
class Description:
    """What a manifest says that is not in the chain.

    Attributes:
        config: name of the network; of a trained one, of its configuration.
        classes: names, one for each read-out neuron.
        encoder: from the data's numbers to the graded integers of the input.
        steps: T, steps of a sample.
        settings: the configuration that it was trained with, whole, plain data as JSON has it; None if it was not trained here.
        logit: voltage of the read-out for a logit of 1, see :class:`ReadoutSpec`; None where it is not known: no confidences.
        front_end: what makes the samples from recordings, if they are such.
    """

    config: str
    classes: tuple[str, ...]
    encoder: Encoder
    steps: int
    settings: dict[str, Any] | None = None
    logit: int | None = None
    front_end: FrontEndSpec | None = None
