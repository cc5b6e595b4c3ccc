"""What a data set is: arrays in their own units, with fixed splits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.datasets import layouts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Augment: TypeAlias = "Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]"
"""Maps a batch of training samples [samples, steps, channels] and labels int64 [samples] to a random variation of it.

Labels of samples that were mixed are shares float32 [samples, classes].
"""

Watch = Callable[[Iterable[Any], int], Iterable[Any]]
"""Hands on the frames of recordings as they come, of so many, and shows how far they are."""


def unwatched(frames: Iterable[Any], total: int) -> Iterable[Any]:
    """Show nothing."""
    return frames


@dataclass(frozen=True)
class Split:
    """Samples float32 [samples, steps, channels] and labels int64 [samples]."""

    samples: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A task's data. A split is read when it is first asked for, and so is the augmentation, which needs torch.

    Attributes:
        classes: their names.
        steps: T, of a sample.
        channels: of a step.
        read: reads a split.
        variations: makes the augmentation.
    """

    classes: tuple[str, ...]
    steps: int
    channels: int
    read: Callable[[layouts.Split], Split]
    variations: Callable[[], Augment]

    @cached_property
    def train(self) -> Split:
        """To learn from."""
        return self.read("train")

    @cached_property
    def validation(self) -> Split:
        """To choose the best epoch by."""
        return self.read("validation")

    @cached_property
    def test(self) -> Split:
        """To report once."""
        return self.read("test")

    @cached_property
    def augment(self) -> Augment:
        """See :data:`Augment`."""
        return self.variations()
