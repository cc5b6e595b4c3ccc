"""What a data set is: arrays in their own units, with fixed splits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Augment = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
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
    """A task's data.

    Attributes:
        train: to learn from.
        validation: to choose the best epoch by.
        test: to report once.
        classes: their names.
        augment: see :data:`Augment`.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    augment: Augment

    @property
    def steps(self) -> int:
        """T, steps of a sample."""
        return int(self.test.samples.shape[1])

    @property
    def channels(self) -> int:
        """Channels of a step."""
        return int(self.test.samples.shape[2])
