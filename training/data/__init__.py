"""Data sets: one file each, with its settings, its splits and its variations."""

from neuro_deploy.datasets import layouts
from neuro_deploy.training.data.common import Augment, Data, Split, Watch, unwatched
from neuro_deploy.training.data.settings import DataSet

__all__ = ["Augment", "Data", "Split", "Watch", "load_clips", "load_data", "unwatched"]


def load_data(settings: DataSet, watch: Watch = unwatched) -> Data:
    """The data set that the settings name; see :meth:`DataSet.load`."""
    return settings.load(watch)


def load_clips(settings: DataSet, split: layouts.Split) -> list[layouts.Clip]:
    """The recordings behind the samples of a split; see :meth:`DataSet.clips`."""
    return settings.clips(split)
