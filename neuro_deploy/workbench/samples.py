"""Where the samples of a run are from: a file, the network's own data set, or the network's file itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.datasets.arrays import read_arrays
from neuro_deploy.errors import ConfigError, DatasetError, InputError
from neuro_deploy.ir.inputs import Samples, Signature
from neuro_deploy.ir.network import Network
from neuro_deploy.workbench.own_data import own_data

if TYPE_CHECKING:
    from neuro_deploy.training.config import Config


@dataclass(frozen=True)
class Source:
    """What the user says of the samples.

    Attributes:
        file: ``.npz`` or ``.npy``; None: the network's own data.
        encoded: the file holds the integers that the network reads, not numbers in the data's unit.
        few: so many are enough, so those that the network's file carries will do; None: all of the data.
        used: so many are used, so no more are encoded; None: all of the data.
    """

    file: Path | None = None
    encoded: bool = False
    few: int | None = None
    used: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would be left unused.

        Raises:
            ConfigError: ``encoded`` without a file.
        """
        if self.encoded and self.file is None:
            raise ConfigError("--encoded says what the file of --data holds: give --data FILE.npz too")


def samples(network: Network, source: Source) -> Samples:
    """The samples that a command runs.

    Without a file they are the test split of the data set that the network was trained on; where few are enough, or where it
    was trained on none that is known here, those that the network's file carries.

    Raises:
        ConfigError: the network names no data set and carries no samples.
        DatasetError: the data set is missing or damaged.
        InputError: the network cannot read the samples.
    """
    if source.file is not None:
        return from_file(network.signature, source.file, source.encoded, source.used)
    carried = network.examples()
    if carried is not None:
        found, _ = carried
        if network.manifest.settings is None or (source.few is not None and source.few <= len(found)):
            return found
    return test_split(network, source.used)


def from_file(signature: Signature, path: Path, encoded: bool, used: int | None = None) -> Samples:
    """Samples of a file, the first ``used`` or all, through the encoder of what reads them.

    Raises:
        InputError: no such file, or not what is read.
    """
    values, labels = read_arrays(path, signature.classes)
    values, labels = values[:used] if values.ndim else values, None if labels is None else labels[:used]
    try:
        integers = signature.accept(values) if encoded else signature.encode(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return Samples(integers, labels, values, str(path))


def own_steps(network: Network, number: int) -> NDArray[np.int64] | None:
    """Steps of the first samples of the test split that their recordings reach, int64 [samples]; None where the data are no recordings.

    Raises:
        InputError: a recording cannot be read.
    """
    from neuro_deploy.audio.recordings import covered_steps
    from neuro_deploy.training.data import load_clips

    settings = configuration(network)
    if settings is None or settings.front_end is None:
        return None
    clips = load_clips(settings.data, "test")[:number]
    return np.array([covered_steps(clip.path, settings.front_end) for clip in clips], np.int64)


def configuration(network: Network) -> "Config | None":
    """The settings that a network was trained with; None of a network that was not trained here.

    Raises:
        ConfigError: they are not those of a task.
    """
    from neuro_deploy.training.config import parse

    settings = network.manifest.settings
    where = network.name if network.file is None else str(network.file.path.with_suffix(".json"))
    return None if settings is None else parse(settings, f"in {where}")


def test_split(network: Network, used: int | None) -> Samples:
    """The test split of the data set that a network was trained on, its first ``used`` samples or all.

    Raises:
        ConfigError: the network names none.
        DatasetError: it is missing or damaged.
    """
    settings = configuration(network)
    if settings is None:
        raise ConfigError(f"{network.name}: it names no data set and carries no samples: give --data FILE.npz")
    split = own_data(network, settings).test
    if not len(split):
        raise DatasetError(f"{network.name}: the test split of {settings.data.name} has no samples: give --data FILE.npz")
    values = split.samples[:used]
    return Samples(network.signature.encode(values), split.labels[:used], values, f"{settings.data.name}, test split")
