"""A network on the disk: NetX file, manifest and checkpoint, one stem, written and read together."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import sha256, write_all_atomically
from neuro_deploy.ir.chain import Chain, Layer, Segment
from neuro_deploy.ir.manifest import (
    READABLE,
    Description,
    Hashes,
    InputSpec,
    LayerSpec,
    Manifest,
    ReadoutSpec,
    SegmentSpec,
)
from neuro_deploy.ir.semantics import FRACTION_BITS
from neuro_deploy.loihi import rules
from neuro_deploy.netx.reading import read
from neuro_deploy.netx.writing import image


@dataclass(frozen=True)
class Network:
    """A deployed network, complete.

    Attributes:
        chain: the layers of the NetX file with the segments of the manifest.
        manifest: what they mean.
        net: the NetX file.
        checkpoint: the trained model, same stem, ``.pt``; it may be missing where only the chain is run.
    """

    chain: Chain
    manifest: Manifest
    net: Path
    checkpoint: Path

    def require_checkpoint(self) -> Path:
        """The checkpoint that the network was exported from.

        Raises:
            ModelFileError: it is missing or is another.
        """
        path = self.checkpoint
        if not path.is_file():
            raise ModelFileError(f"{path}: no such file, the torch backend needs the checkpoint beside the .net: export again")
        found = sha256(path)
        if found != self.manifest.sha256.checkpoint:
            raise ModelFileError(
                f"{path}: SHA-256 {found[:12]}... is not the manifest's {self.manifest.sha256.checkpoint[:12]}...: export again"
            )
        return path


def save_network(chain: Chain, net: Path, about: Description, checkpoint: bytes) -> Manifest:
    """Check a chain and write it with its manifest and checkpoint, all or nothing.

    Args:
        chain: the lowered network.
        net: path of the NetX file; ``.json`` and ``.pt`` of the same stem stand beside it.
        about: what else the manifest says.
        checkpoint: bytes of the trained model.

    Returns:
        The manifest as written.

    Raises:
        RuleError: the chain breaks rules; lists all of them.
        OutputError: a file cannot be written; none has changed.
    """
    rules.check(chain, message_bits=about.message_bits, steps=about.steps)
    content = image(chain)
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
        layers=tuple(_describe(index, layer) for index, layer in enumerate(chain.layers)),
        readout=ReadoutSpec(
            layer=chain.latency - 1, start=readout.start, stop=readout.stop, scale=1 << FRACTION_BITS, logit=about.logit
        ),
        sha256=Hashes(checkpoint=hashlib.sha256(checkpoint).hexdigest(), net=hashlib.sha256(content).hexdigest()),
    )
    text = manifest.model_dump_json(indent=2) + "\n"
    # The manifest names the other two by their hashes, so it takes its place last.
    write_all_atomically({_beside(net, ".pt"): checkpoint, net: content, _beside(net, ".json"): text.encode()})
    return manifest


def load_network(net: Path) -> Network:
    """Read a NetX file and its manifest and make sure that they belong together.

    Args:
        net: the NetX file; the manifest is the ``.json`` of the same stem.

    Raises:
        ModelFileError: a file is missing or damaged, or they do not fit each other.
    """
    chain = read(net)
    path = _beside(net, ".json")
    manifest = _read_manifest(path)
    if sha256(net) != manifest.sha256.net:
        raise ModelFileError(f"{net}: SHA-256 differs from sha256.net in {path}: the two are not of the same export")
    _compare(chain, manifest, path)
    layers = tuple(
        replace(layer, segments=tuple(Segment(**segment.model_dump()) for segment in spec.populations))
        for layer, spec in zip(chain.layers, manifest.layers, strict=True)
    )
    chain = Chain(manifest.input.frames, manifest.input.channels, layers, manifest.gap)
    return Network(chain, manifest, net, _beside(net, ".pt"))


def _describe(index: int, layer: Layer) -> LayerSpec:
    populations = tuple(SegmentSpec(**vars(segment)) for segment in layer.segments)
    return LayerSpec(index=index, size=layer.size, kind=layer.kind, populations=populations)


def _beside(net: Path, suffix: str) -> Path:
    return net.with_suffix(suffix)


def _read_manifest(path: Path) -> Manifest:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}; the manifest must stand beside its NetX file") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if field == "format_version":
            raise ModelFileError(
                f"{path}: format_version {first['input']!r}, this program reads {' and '.join(map(str, READABLE))}: "
                f"use the program that wrote it or export again"
            ) from error
        value = repr(first["input"])
        shown = value if len(value) <= 60 else value[:57] + "..."
        place = f"{field} is {shown}: " if field else ""
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        raise ModelFileError(f"{path}: {place}{first['msg'][0].lower()}{first['msg'][1:]}{also}; export it again") from error


def _compare(chain: Chain, manifest: Manifest, path: Path) -> None:
    """Refuse a manifest that speaks of other layers than the file has."""

    def fail(message: str) -> None:
        raise ModelFileError(f"{path}: {message}; export it again")

    if not len(chain.layers) == len(manifest.layers) == manifest.latency:
        fail(f"{len(manifest.layers)} layers and latency {manifest.latency}, the NetX file has {len(chain.layers)} layers")
    inputs = manifest.input.frames * manifest.input.channels + 1
    if chain.input_size != inputs or manifest.input.constant_channel != inputs - 1:
        fail(
            f"input of {manifest.input.frames} frames x {manifest.input.channels} channels and constant channel "
            f"{manifest.input.constant_channel}, the NetX file reads {chain.input_size} channels, the last one constant"
        )
    for index, (layer, spec) in enumerate(zip(chain.layers, manifest.layers, strict=True)):
        if (spec.index, spec.size, spec.kind) != (index, layer.size, layer.kind):
            fail(
                f"layer {spec.index} is {spec.kind} [{spec.size}], the NetX file's layer {index} is {layer.kind} [{layer.size}]"
            )
        end = 0
        for segment in spec.populations:
            if segment.start != end or segment.stop <= segment.start:
                fail(f"layer {index}: {segment.name} covers {segment.start}..{segment.stop}, the one before ends at {end}")
            end = segment.stop
        if end != layer.size:
            fail(f"layer {index}: the populations cover {end} of {layer.size} neurons")
    readout = manifest.readout
    classes = len(manifest.classes)
    if (
        readout.layer != len(chain.layers) - 1
        or readout.stop > chain.layers[-1].size
        or readout.stop - readout.start != classes
    ):
        fail(f"read-out layer {readout.layer}, neurons {readout.start}..{readout.stop}, for {classes} classes: does not fit")
