"""A deployable network in memory: the chain, what its neurons mean, and perhaps the files that it comes from."""

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import InputError, ModelFileError
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.inputs import Samples, Signature
from neuro_deploy.ir.manifest import Description, Examples, InputSpec, LayerSpec, Manifest, ReadoutSpec
from neuro_deploy.ir.semantics import FRACTION_BITS


@dataclass(frozen=True)
class NetFile:
    """A NetX file as it was read.

    Attributes:
        path: where it was.
        content: its bytes.
        chain: what they hold.
    """

    path: Path
    content: bytes
    chain: Chain


@dataclass(frozen=True)
class Network:
    """A network that every backend runs. What counts is the chain; files are where it comes from.

    Attributes:
        chain: the layers with their segments.
        manifest: what they mean.
        file: the NetX file whose chain this is; None of a network that was made in memory.
        checkpoint: file of the trained model, which may be missing where only the chain is run; None if there never was one.
    """

    chain: Chain
    manifest: Manifest
    file: NetFile | None = None
    checkpoint: Path | None = None

    @classmethod
    def of(cls, chain: Chain, about: Description) -> "Network":
        """A network in memory.

        Args:
            chain: the lowered network.
            about: what else its manifest says.

        Raises:
            InputError: not one class for each neuron of the read-out.
        """
        readout = chain.readout
        if len(about.classes) != readout.size:
            raise InputError(
                f"network {about.config}: {len(about.classes)} classes, the read-out has {readout.size} neurons: name one for each"
            )
        manifest = Manifest(
            config=about.config,
            settings=about.settings,
            classes=about.classes,
            front_end=about.front_end,
            input=InputSpec(
                channels=chain.channels,
                frames=chain.frames,
                constant_channel=chain.input_size - 1,
                **about.encoder.model_dump(),
            ),
            steps=about.steps,
            latency=chain.latency,
            gap=chain.gap,
            layers=tuple(
                LayerSpec(index=index, size=layer.size, kind=layer.kind, populations=layer.segments)
                for index, layer in enumerate(chain.layers)
            ),
            readout=ReadoutSpec(
                layer=chain.latency - 1, start=readout.start, stop=readout.stop, scale=1 << FRACTION_BITS, logit=about.logit
            ),
        )
        return cls(chain, manifest)

    @property
    def name(self) -> str:
        """What messages call it: its file, or its configuration."""
        return self.manifest.config if self.file is None else str(self.file.path)

    @property
    def signature(self) -> Signature:
        """What it takes, and how many classes it tells apart."""
        manifest = self.manifest
        shape = self.chain.input_shape
        return Signature(manifest.input, manifest.steps, manifest.input.channels, len(manifest.classes), shape)

    def with_examples(self, samples: Samples, readout: NDArray[np.int64]) -> "Network":
        """The network with samples that its file carries.

        Args:
            samples: a few.
            readout: int64 [samples, classes], what the network answers.
        """
        kind = _integers(self.manifest.input.message_bits)
        examples = Examples(
            encoded=base64.b64encode(samples.encoded.astype(kind).tobytes()),
            readout=tuple(tuple(row) for row in readout.tolist()),
            labels=None if samples.labels is None else tuple(samples.labels.tolist()),
        )
        return replace(self, manifest=self.manifest.model_copy(update={"examples": examples}))

    def examples(self) -> tuple[Samples, NDArray[np.int64]] | None:
        """The samples that its file carries, and the read-outs that belong to them, int64 [samples, classes]; None without any.

        Raises:
            ModelFileError: they do not fit the network.
        """
        examples, manifest = self.manifest.examples, self.manifest
        if examples is None:
            return None
        number, classes = len(examples.readout), len(manifest.classes)
        kind = _integers(manifest.input.message_bits)
        size = number * manifest.steps * manifest.input.channels * kind.itemsize
        if len(examples.encoded) != size or any(len(row) != classes for row in examples.readout):
            raise ModelFileError(
                f"{self.name}: its examples are {len(examples.encoded)} bytes with {number} read-outs, {size} bytes and {classes} "
                "voltages each would fit: export it again"
            )
        labels = None if examples.labels is None else np.array(examples.labels, np.int64)
        if labels is not None and (len(labels) != number or labels.max() >= classes):
            raise ModelFileError(
                f"{self.name}: the labels of its examples are not {number} of {classes} classes: export it again"
            )
        shape = number, manifest.steps, manifest.input.channels
        try:
            encoded = self.signature.accept(np.frombuffer(examples.encoded, kind).reshape(shape))
        except InputError as error:
            raise ModelFileError(f"{self.name}: among its examples, {error}") from error
        return Samples(encoded, labels, encoded, f"{self.name} itself"), np.array(examples.readout, np.int64)


def _integers(bits: int) -> "np.dtype[Any]":
    """The narrowest unsigned little-endian integers for messages of so many bits."""
    return np.dtype(np.min_scalar_type(2**bits - 1)).newbyteorder("<")
