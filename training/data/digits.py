"""scikit-learn's handwritten digits, a row of pixels as a sequence."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional

from neuro_deploy.training.data.common import Data, Split
from neuro_deploy.training.data_settings import DigitsData

TEST_SEED = 0
"""Of the split into training and test data, and of the pixels' permutation; part of the task's definition."""

DIGITS_SIDE, DIGITS_MAX, DIGITS_TEST = 8, 16.0, 360


def digits(settings: DigitsData) -> Data:
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

    def augment(batch: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pixels = torch.empty_like(batch)
        pixels[:, order] = batch
        moved = random_affine(pixels.reshape(-1, DIGITS_SIDE, DIGITS_SIDE), settings.augment, generator)
        return moved.round().clamp(0, DIGITS_MAX).reshape(batch.shape)[:, order], labels

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
