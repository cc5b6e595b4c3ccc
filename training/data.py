"""Data sets as arrays in their own units, with fixed splits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional

from training.config import DataSettings

TEST_SEED = 0
"""Of the split into training and test data, and of the pixels' permutation; part of the task's definition."""


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
        augment: maps a batch of training samples [samples, steps, channels] to a random variation of it.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    augment: Callable[[Tensor, torch.Generator], Tensor]

    @property
    def steps(self) -> int:
        """T, steps of a sample."""
        return int(self.test.samples.shape[1])

    @property
    def channels(self) -> int:
        """Channels of a step."""
        return int(self.test.samples.shape[2])


def load_data(settings: DataSettings) -> Data:
    """The data set that the settings name; deterministic."""
    return _SETS[settings.name](settings)


DIGITS_SIDE, DIGITS_MAX, DIGITS_TEST = 8, 16.0, 360


def _digits(settings: DataSettings) -> Data:
    """scikit-learn's 1,797 handwritten digits, row by row; stratified 1,437 / 360."""
    images, labels = load_digits(return_X_y=True)
    order = np.arange(images.shape[1])
    if settings.permute:
        order = np.random.default_rng(TEST_SEED).permutation(order)
    samples = images.astype(np.float32)[:, order, None]
    labels = labels.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=DIGITS_TEST, stratify=labels, random_state=TEST_SEED)
    train, validation = train_test_split(train, test_size=settings.validation, stratify=labels[train], random_state=TEST_SEED)

    def split(index: NDArray[np.int64]) -> Split:
        return Split(samples[index], labels[index])

    def augment(batch: Tensor, generator: torch.Generator) -> Tensor:
        pixels = torch.empty_like(batch)
        pixels[:, order] = batch
        moved = random_affine(pixels.reshape(-1, DIGITS_SIDE, DIGITS_SIDE), settings.augment, generator)
        return moved.round().clamp(0, DIGITS_MAX).reshape(batch.shape)[:, order]

    return Data(split(train), split(validation), split(test), tuple("0123456789"), augment)


def random_affine(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shear and shift each image by its own random amount, bilinear, zeros outside.

    Args:
        images: [images, side, side].
        strength: 1 means up to 10 degrees, 10 % of size and shear, 0.75 pixels of shift; 0 returns the images as they are.
        generator: of the random numbers.
    """
    if strength == 0:
        return images
    count, side, _ = images.shape
    angle, size, shear, right, down = strength * (2 * torch.rand(5, count, generator=generator) - 1)
    angle, size, shear = angle * np.pi / 18, 1 + 0.1 * size, 0.1 * shear
    right, down = right * 1.5 / side, down * 1.5 / side
    cos, sin = size * angle.cos(), size * angle.sin()
    theta = torch.stack([torch.stack([cos, shear - sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(theta, [count, 1, side, side], align_corners=False)
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


_SETS: dict[str, Callable[[DataSettings], Data]] = {"digits": _digits}
