"""A manifest for a NetX file that has none: each layer a population, the last one the read-out."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.chain import Chain, Layer, Segment, one_line
from neuro_deploy.ir.manifest import (
    ADOPTED_VERSION,
    Answer,
    Hashes,
    InputSpec,
    LayerSpec,
    Loading,
    Manifest,
    ReadoutSpec,
)
from neuro_deploy.ir.network import NetFile, Network
from neuro_deploy.ir.neurons import Lif, Sigma
from neuro_deploy.ir.semantics import FRACTION_BITS
from neuro_deploy.loihi.limits import MESSAGE_BITS_MAX, THRESHOLD_MAX
from neuro_deploy.netx.layers import Found
from neuro_deploy.netx.reading import parse, read_content

_NAME = 200
"""Characters of a file's name that its network is called by."""


@dataclass(frozen=True)
class Use:
    """What a NetX file does not say.

    Attributes:
        steps: T, of a sample.
        message_bits: of the input, ``input_message_bits`` of the loader; 0: a message counts once where it is not 0.
        loading: the loader's other options.
        answer: what the answer is; None: the sum of what the last layer sends, or what it sends last if it sums itself, or the
            voltage where it never fires.
    """

    steps: int
    message_bits: int = 0
    loading: Loading = field(default_factory=Loading)
    answer: Answer | None = None


def adopt(net: Path, use: Use) -> tuple[Network, tuple[str, ...]]:
    """Read a NetX file that this project did not make, as stock Lava loads it.

    Args:
        net: the file; nothing is written.
        use: what it does not say.

    Returns:
        The network, and what acts otherwise than it is written in the file, one line each.

    Raises:
        ModelFileError: it is missing, damaged, or holds what stock Lava does not run.
    """
    content = read_content(net)
    found = parse(content, net, use.loading, use.message_bits)
    last = len(found.chain.layers) - 1
    layers = tuple(replace(layer, segments=(_segment(layer, index, last),)) for index, layer in enumerate(found.chain.layers))
    chain = replace(found.chain, layers=layers)
    manifest = _manifest(chain, found, use, _name(net))
    manifest = manifest.model_copy(update={"sha256": Hashes(net=hashlib.sha256(content).hexdigest())})
    return Network(chain, manifest, NetFile(net, content, chain)), found.notes


def _segment(layer: Layer, index: int, last: int) -> Segment:
    name = f"layer{index}"
    return Segment(name, 0, layer.size, "readout" if index == last else "compute", name, 0)


def _manifest(chain: Chain, found: Found, use: Use, name: str) -> Manifest:
    last = chain.layers[-1]
    return Manifest(
        format_version=ADOPTED_VERSION,
        config=name,
        classes=tuple(map(str, range(last.size))),
        input=_input(chain, found, use.message_bits),
        steps=use.steps,
        latency=chain.latency,
        gap=0,
        layers=tuple(
            LayerSpec(index=index, size=layer.size, kind=layer.kind, populations=layer.segments)
            for index, layer in enumerate(chain.layers)
        ),
        readout=ReadoutSpec(
            layer=len(chain.layers) - 1,
            start=0,
            stop=last.size,
            scale=1 << FRACTION_BITS,
            kind=use.answer or _answer(last),
        ),
        loading=use.loading,
    )


def _input(chain: Chain, found: Found, message_bits: int) -> InputSpec:
    """Numbers as they are; before a first layer of neurons, transformed as its layer of the file says."""
    weight, bias = found.transform or (1, 0)
    on_input = not chain.layers[0].connections
    return InputSpec(
        channels=chain.channels,
        frames=1,
        constant_channel=None,
        message_bits=MESSAGE_BITS_MAX if on_input else message_bits,
        scale=weight if weight > 0 else 1,
        offset=-bias / weight if weight > 0 else 0,
        signed=on_input or message_bits > 0,
        exact=not on_input,
    )


def _answer(last: Layer) -> Answer:
    if isinstance(last.neurons, Sigma):
        return "last"
    silent = (
        isinstance(last.neurons, Lif) and isinstance(last.neurons.threshold, int) and last.neurons.threshold > THRESHOLD_MAX
    )
    return "voltage" if silent else "sum"


def _name(net: Path) -> str:
    try:
        return one_line(net.stem.lstrip(".")[:_NAME]) or "network"
    except ValueError as error:
        raise ModelFileError(f"{net!s:.80}: {error}: rename the file") from error
