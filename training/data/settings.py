"""What the settings of all data sets have in common."""

from abc import abstractmethod
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from neuro_deploy.datasets import layouts
from neuro_deploy.training.data.common import Data, Watch

Place = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
"""A file or a folder: what a system takes as a path."""


class Strict(BaseModel):
    """Settings: an unknown key is refused, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_absent(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A setting that is not given is not written either, so a new one leaves the files of older configurations as they are."""
        return {key: value for key, value in serialise(self).items() if value is not None}


class DataSet(Strict):
    """A data set and how it is split; a subclass has a ``name`` of its own, by which configurations call it."""

    @property
    def public(self) -> bool:
        """Whether its samples may be passed on with a network."""
        return True

    @abstractmethod
    def load(self, watch: Watch) -> Data:
        """The samples; deterministic.

        Args:
            watch: shows how far the frames of recordings are, which take minutes when they are first computed.

        Raises:
            DatasetError: it is missing or damaged.
        """

    def clips(self, split: layouts.Split) -> list[layouts.Clip]:
        """The recordings behind the samples of a split, in the samples' order; none where the data are no recordings.

        Raises:
            DatasetError: the data set is missing or damaged.
        """
        return []
