"""Whether the data set that a manifest's settings name is that of its network."""

from typing import TYPE_CHECKING

from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.network import Network

if TYPE_CHECKING:
    from neuro_deploy.training.config import Config
    from neuro_deploy.training.data import Data


def own_data(network: Network, settings: "Config") -> "Data":
    """The data set that a network was trained on.

    Args:
        network: a manifest of somebody else may name any settings.
        settings: those that its manifest names.

    Raises:
        ModelFileError: they make other frames than the network reads, or name data with other classes.
        DatasetError: the data set is missing or damaged.
    """
    from neuro_deploy.training.data import load_data
    from neuro_deploy.workbench.progress import watch_frames

    manifest = network.manifest
    spec = manifest.front_end
    if (
        spec is not None and settings.front_end != spec
    ):  # before the frames of thousands of recordings are made; format 1 has none
        raise ModelFileError(f"{network.name}: its manifest has another front end than its settings: export it again")
    data = load_data(settings.data, watch_frames)
    if data.classes != manifest.classes:
        raise ModelFileError(
            f"{network.name}: it has {len(manifest.classes)} classes ({_first(manifest.classes)}), the data set of its settings, "
            f"{settings.data.name}, has {len(data.classes)} ({_first(data.classes)}): export it again, or name its own data"
        )
    return data


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
