"""Open a network of ours or of anybody's: with its manifest, or, where there is none, as stock Lava would load it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from neuro_deploy.datasets.arrays import steps_of
from neuro_deploy.errors import ConfigError
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.ir.network import Network
from neuro_deploy.netx import Use, adopt, load_network
from neuro_deploy.workbench.samples import Source

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Feed:
    """What the user says of a NetX file that has no manifest. More can be said when it is adopted.

    Attributes:
        message_bits: of the input; None: 0, spikes.
        input_shape: (width, height, channels) of the input, where the file does not say it.
    """

    message_bits: int | None = None
    input_shape: tuple[int, int, int] | None = None


def open_network(model: Path, source: Source, feed: Feed) -> Network:
    """A network and its manifest; without one each layer is a population, and a sample has as many steps as the data.

    Args:
        model: the NetX file.
        source: its samples.
        feed: how it is fed, if it has no manifest.

    Raises:
        ConfigError: a manifest and ``feed`` both say how it is fed.
        ModelFileError: a file is missing, damaged or does not belong to the other.
        InputError: the samples cannot be read.
    """
    manifest = model.with_suffix(".json")
    if manifest.exists() or source.file is None:
        if feed != Feed():
            what = f"{manifest} says it" if manifest.exists() else "they are for samples of --data"
            raise ConfigError(f"--message-bits and --input-shape say how {model} is fed, and {what}: omit them")
        return load_network(model)
    use = Use(steps_of(source.file), feed.message_bits or 0, Loading(input_shape=feed.input_shape or ()))
    network, notes = adopt(model, use)
    for remark in notes:
        _log.warning("%s: %s", model, remark)
    return network
