"""Random variations of small images."""

import math

import torch
from torch import Tensor
from torch.nn import functional


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
    angle, size, shear = angle * math.pi / 18, 1 + 0.1 * size, 0.1 * shear
    right, down = right * 1.5 / side, down * 1.5 / side
    cos, sin = size * angle.cos(), size * angle.sin()
    theta = torch.stack([torch.stack([cos, shear - sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = functional.affine_grid(theta, [count, 1, side, side], align_corners=False)
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]
