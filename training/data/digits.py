"""scikit-learn's handwritten digits, a row of pixels as a sequence.

They come with this package, so that a network of theirs is run without scikit-learn: ``images`` uint8 [samples, 64], ``labels``, and
the rows of its stratified split into ``train`` (1,437) and ``test`` (360) samples, in this order.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from neuro_deploy.datasets import layouts
from neuro_deploy.training.data.common import Augment, Data, Split, Watch
from neuro_deploy.training.data.settings import DataSet

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FILE = Path(__file__).parent / "digits.npz"

SEED = 0
"""Of the splits and of the pixels' permutation; part of the task's definition."""

SIDE, MAX, TEST = 8, 16.0, 360


class DigitsData(DataSet):
    """scikit-learn's digits, and how they are split.

    Attributes:
        permute: shuffle the steps of every sample by one fixed permutation.
        validation: share of the training split that is held out to choose the best epoch.
        augment: strength of the random affine maps of training images; 0 switches them off, 1 means up to 10 degrees,
            10 % of size and shear, and 0.75 pixels.
    """

    name: Literal["digits"]
    permute: bool = False
    validation: float = Field(default=0.1, gt=0, lt=0.9)
    augment: float = Field(default=1.0, ge=0, le=3)

    def load(self, watch: Watch) -> Data:
        """1,797 handwritten digits, row by row."""
        order = np.arange(SIDE * SIDE)
        if self.permute:
            order = np.random.default_rng(SEED).permutation(order)

        def read(name: layouts.Split) -> Split:
            with np.load(FILE) as file:
                images, labels, rows = file["images"], file["labels"].astype(np.int64), file["test"]
                if name != "test":
                    from sklearn.model_selection import train_test_split

                    parts = train_test_split(
                        file["train"], test_size=self.validation, stratify=labels[file["train"]], random_state=SEED
                    )
                    rows = parts[name == "validation"]
            return Split(images.astype(np.float32)[rows][:, order, None], labels[rows])

        def variations() -> Augment:
            import torch

            from neuro_deploy.training.data.affine import random_affine

            def augment(batch: "Tensor", labels: "Tensor", generator: "torch.Generator") -> "tuple[Tensor, Tensor]":
                pixels = torch.empty_like(batch)
                pixels[:, order] = batch
                moved = random_affine(pixels.reshape(-1, SIDE, SIDE), self.augment, generator)
                return moved.round().clamp(0, MAX).reshape(batch.shape)[:, order], labels

            return augment

        return Data(tuple("0123456789"), SIDE * SIDE, 1, read, variations)
