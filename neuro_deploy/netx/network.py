"""A network on the disk: NetX file, manifest and checkpoint, one stem, written and read together."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import Content, read_limited, remedy, sha256, write_all_atomically, write_atomically
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.manifest import READABLE, Hashes, Loading, Manifest
from neuro_deploy.ir.network import NetFile, Network
from neuro_deploy.loihi import rules
from neuro_deploy.netx.agreement import require_agreement
from neuro_deploy.netx.reading import parse, read_content
from neuro_deploy.netx.writing import image

LARGEST = 1 << 24
"""Bytes of a manifest."""


def content(network: Network) -> bytes:
    """The bytes of the NetX file of a network: of the very file that its chain was read from, else of a new one."""
    file = network.file
    return file.content if file is not None and file.chain is network.chain else image(network.chain)


def digest(network: Network) -> str:
    """SHA-256 of :func:`content`, in hexadecimal: what tells a network from other ones."""
    return hashlib.sha256(content(network)).hexdigest()


def require_checkpoint(network: Network) -> Path:
    """The checkpoint that a network was exported from.

    Raises:
        ModelFileError: it is missing or is another.
    """
    path, hashes = network.checkpoint, network.manifest.sha256
    if path is None or hashes is None or hashes.checkpoint is None:
        raise ModelFileError(f"{network.name}: it was made without a checkpoint, which the torch backend needs: choose another")
    if not path.is_file():
        raise ModelFileError(
            f"{path}: no such file, the torch backend needs the checkpoint beside the .net: copy it there, or export again"
        )
    found = sha256(path)
    if found != hashes.checkpoint:
        raise ModelFileError(f"{path}: SHA-256 {found[:12]}... is not the manifest's {hashes.checkpoint[:12]}...: export again")
    return path


def save_network(network: Network, net: Path, checkpoint: bytes | None = None) -> Network:
    """Check a network and write it as NetX file, manifest and checkpoint, all or nothing.

    Args:
        network: in memory, or read from other files.
        net: path of the NetX file; ``.json`` and ``.npz`` of the same stem stand beside it.
        checkpoint: bytes of the trained model, if there is one.

    Returns:
        The network as it is in the files.

    Raises:
        RuleError: the chain breaks rules; lists all of them.
        OutputError: a file cannot be written; none has changed.
    """
    chain, manifest = network.chain, network.manifest
    if manifest.loading is None:  # one that was adopted is what it is
        rules.check(chain, message_bits=manifest.input.message_bits, steps=manifest.steps)
    file = NetFile(net, content(network), chain)
    trained = None if checkpoint is None else hashlib.sha256(checkpoint).hexdigest()
    hashes = Hashes(checkpoint=trained, net=hashlib.sha256(file.content).hexdigest())
    manifest = manifest.model_copy(update={"sha256": hashes})
    text = manifest.model_dump_json(indent=2) + "\n"
    files: dict[Path, Content] = {net: file.content, _beside(net, ".json"): text.encode()}
    if checkpoint is not None:
        files = {_beside(net, ".npz"): checkpoint, **files}
    write_all_atomically(files)  # the manifest names the other two by their hashes, so it takes its place last
    return Network(chain, manifest, file, None if checkpoint is None else _beside(net, ".npz"))


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest beside a NetX file that is there.

    Raises:
        OutputError: it cannot be written; nothing has changed.
    """
    write_atomically(path, (manifest.model_dump_json(indent=2) + "\n").encode())


def load_network(net: Path) -> Network:
    """Read a NetX file and its manifest and make sure that they belong together.

    Args:
        net: the NetX file; the manifest is the ``.json`` of the same stem.

    Raises:
        ModelFileError: a file is missing or damaged, or they do not fit each other.
    """
    content = read_content(net)
    path = _beside(net, ".json")
    manifest = _read_manifest(path)
    if manifest.sha256 is None:
        raise ModelFileError(f"{path}: sha256 is missing: a manifest in a file names its NetX file by it; export it again")
    if hashlib.sha256(content).hexdigest() != manifest.sha256.net:  # before HDF5 sees it: of damaged files it makes anything
        raise ModelFileError(
            f"{net}: SHA-256 differs from sha256.net in {path}: damaged, or the two are not of the same export; copy or export it again"
        )

    def fail(message: str) -> NoReturn:
        raise ModelFileError(f"{path}: {message}; export it again")

    chain = parse(content, net, manifest.loading or Loading(), manifest.input.message_bits).chain
    require_agreement(chain, manifest, fail)
    layers = tuple(replace(layer, segments=spec.populations) for layer, spec in zip(chain.layers, manifest.layers, strict=True))
    constant = manifest.input.constant_channel is not None
    chain = Chain(manifest.input.frames, manifest.input.channels, layers, manifest.gap, constant, chain.input_shape)
    network = Network(chain, manifest, NetFile(net, content, chain), _beside(net, ".npz"))
    network.examples()  # refuses what does not fit
    return network


def _beside(net: Path, suffix: str) -> Path:
    return net.with_suffix(suffix)


def _read_manifest(path: Path) -> Manifest:
    try:
        text = read_limited(path, LARGEST)
    except OSError as error:
        advice = remedy(
            error,
            "the manifest must stand beside its NetX file; for a file of another project give --data, or 'adopt' it",
        )
        raise ModelFileError(f"{path}: {error.strerror}; {advice}") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = _short(".".join(str(part) for part in first["loc"]))
        if field == "format_version":
            readable = f"{', '.join(map(str, READABLE[:-1]))} and {READABLE[-1]}"
            raise ModelFileError(
                f"{path}: format_version {_short(repr(first['input']))}, this program reads {readable}: "
                "use the program that wrote it or export again"
            ) from error
        place = f"{field} is {_short(repr(first['input']))}: " if field else ""
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        raise ModelFileError(f"{path}: {place}{first['msg'][0].lower()}{first['msg'][1:]}{also}; export it again") from error


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
