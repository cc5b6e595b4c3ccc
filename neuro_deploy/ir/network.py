"""A deployable network in memory: the chain, what its neurons mean, and perhaps the files that it comes from."""

from dataclasses import dataclass
from pathlib import Path

from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.manifest import Description, InputSpec, LayerSpec, Manifest, ReadoutSpec
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
        """
        readout = chain.readout
        manifest = Manifest(
            config=about.config,
            settings=about.settings,
            classes=about.classes,
            front_end=about.front_end,
            input=InputSpec(
                channels=chain.channels,
                frames=chain.frames,
                constant_channel=chain.input_size - 1,
                message_bits=about.message_bits,
                scale=about.scale,
                offset=about.offset,
                clip=about.clip,
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
