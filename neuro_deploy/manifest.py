"""The manifest beside a NetX file: what the file's neurons mean, how to feed it and where to read it."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT_VERSION: Final = 1
"""Raised whenever a reader of an older manifest could misread a newer one."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(_Strict):
    """How the host feeds the chain.

    A sample is float [T, channels]; the encoder turns it into the integers ``round((x - offset) * scale)``, which must lie
    in ``0 .. 2**message_bits - 1``. At each step the host injects frame ``t``, ``t-1``, ... (``frames`` of them, zeros before
    the start) and 1 on ``constant_channel`` for exactly the T steps of the sample.
    """

    channels: int = Field(ge=1)
    frames: int = Field(ge=1)
    constant_channel: int = Field(ge=1)
    message_bits: int = Field(ge=1, le=24)
    scale: float = Field(gt=0)
    offset: float


class SegmentSpec(_Strict):
    """A run of neurons of one layer; the fields are those of :class:`neuro_deploy.chain.Segment`."""

    name: str
    start: int = Field(ge=0)
    stop: int = Field(ge=1)
    role: Literal["compute", "tap", "relay", "bias", "readout"]
    source: str
    lag: int = Field(ge=0)


class LayerSpec(_Strict):
    """One layer of the chain; its neurons hold the model's step ``t - index - 1`` at chip step ``t`` (both 0-based)."""

    index: int = Field(ge=0)
    size: int = Field(ge=1)
    kind: Literal["dense", "dense_rec"]
    populations: tuple[SegmentSpec, ...]


class ReadoutSpec(_Strict):
    """Where the answer is: the voltage of these neurons after chip step ``steps + latency`` is ``scale`` times the logit."""

    layer: int = Field(ge=0)
    start: int = Field(ge=0)
    stop: int = Field(ge=1)
    scale: int = Field(ge=1)


class Hashes(_Strict):
    """SHA-256 of the files that belong together, in hexadecimal."""

    checkpoint: str = Field(pattern="^[0-9a-f]{64}$")
    net: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(_Strict):
    """Everything that a host needs beside the NetX file.

    Attributes:
        format_version: see :data:`FORMAT_VERSION`.
        config: name of the configuration that the model was trained with.
        settings: that configuration, whole, as it was read.
        classes: names of the classes, in the order of the read-out's neurons.
        input: how to feed it.
        steps: T, steps of a sample.
        latency: D, the number of layers.
        gap: G, silent steps after which the next sample may start.
        layers: what each neuron is.
        readout: where the answer is.
        sha256: of the checkpoint and of the NetX file.
    """

    format_version: Literal[1] = FORMAT_VERSION
    config: str
    settings: dict[str, Any]
    classes: tuple[str, ...] = Field(min_length=1)
    input: InputSpec
    steps: int = Field(ge=1)
    latency: int = Field(ge=1)
    gap: int = Field(ge=0)
    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    readout: ReadoutSpec
    sha256: Hashes
