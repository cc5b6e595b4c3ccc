"""What torchrun starts in tests/training/test_distributed.py: a training without spikes, then the command line."""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor

from neuro_deploy import cli
from neuro_deploy.training import distributed, evaluation, loop
from neuro_deploy.training.config import load
from neuro_deploy.training.kernels import Affine, Statistics
from neuro_deploy.training.models.slayer import LIF


def smooth_losses(config: str, folder: Path) -> list[tuple[float, float]]:
    """Train in float64 with sigmoids in the neurons' place; training and validation loss of each epoch.

    Spikes make a training chaotic: the last bit of a sum decides whether a neuron fires. Without them only the arithmetic is left.
    """
    spiking, normalised, encoded = LIF.forward, LIF.normalised, evaluation.encoded

    def sigmoid(self: LIF, values: Tensor, threshold: float = 1.0, scaling: tuple[Tensor, Tensor] | None = None) -> Tensor:
        gain, shift = scaling or (1, 0)
        return torch.sigmoid(4 * (gain * values + shift - threshold))

    def normalised_sigmoid(self: LIF, values: Tensor, norm: torch.nn.BatchNorm1d) -> tuple[Tensor, Statistics]:
        gain, shift, statistics = Affine.apply(values, norm.weight, norm.bias, norm.eps)
        return sigmoid(self, values, scaling=(gain, shift)), statistics

    LIF.forward, LIF.normalised = sigmoid, normalised_sigmoid
    loop.encoded = evaluation.encoded = lambda samples, encoder: encoded(samples, encoder).double()
    try:
        trainer = loop.Trainer(load(config), folder)
        trainer.network.double()
        trainer.run(loop.Progress())
    finally:
        LIF.forward, LIF.normalised = spiking, normalised
        loop.encoded = evaluation.encoded = encoded
    return [(epoch.loss, epoch.validation_loss) for epoch in trainer.history]


if __name__ == "__main__":
    with distributed.process_group():
        losses = smooth_losses("smooth.toml", Path("smooth"))
        Path(f"smooth{distributed.rank()}.json").write_text(json.dumps(losses))
        sys.argv = ["neuro-deploy", "train", "tiny.toml"]
        cli.main()
