"""What else is done with sequences, from torch, for comparison; called like :class:`training.network.Network`, without spikes."""

import math

import torch
from torch import Tensor, nn

from training.config import Config
from training.network import Output

HEADS = 4
"""Of the Transformer's attention, or as many as divide its channels."""

LAYERS = 2
"""Of both for each block of the LMUFormer; with as many channels this comes near its number of parameters."""


class Gru(nn.Module):
    """Gated recurrent units; the answer is the mean of the logits of all steps, as with the LMUFormer. Causal.

    Args:
        config: channels and blocks of the LMUFormer in its place.
        inputs: channels of a frame.
        classes: size of the read-out.
    """

    def __init__(self, config: Config, inputs: int, classes: int) -> None:
        super().__init__()
        model = config.model
        self.norm = nn.BatchNorm1d(inputs)
        self.cells = nn.GRU(inputs, model.channels, LAYERS * model.blocks, batch_first=True)
        self.readout = nn.Linear(model.channels, classes)

    def forward(self, frames: Tensor, quantised: bool = False) -> Output:
        """Run whole samples; see :meth:`training.dense_lmuformer.DenseLMUFormer.forward`."""
        states, _ = self.cells(_over_channels(self.norm, frames))
        return Output(self.readout(states.mean(1)), {}, None)


class Transformer(nn.Module):
    """torch's encoder, norm first, with sines and cosines as positions; the mean over all steps is read out. Not causal.

    Args:
        config: channels, blocks and width of the mixer of the LMUFormer in its place.
        inputs: channels of a frame.
        classes: size of the read-out.
    """

    def __init__(self, config: Config, inputs: int, classes: int) -> None:
        super().__init__()
        model = config.model
        channels = model.channels
        self.norm = nn.BatchNorm1d(inputs)
        self.embed = nn.Linear(inputs, channels)
        layer = nn.TransformerEncoderLayer(
            channels,
            math.gcd(HEADS, channels),
            model.mixer_ratio * channels,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS * model.blocks, nn.LayerNorm(channels), enable_nested_tensor=False)
        self.readout = nn.Linear(channels, classes)

    def forward(self, frames: Tensor, quantised: bool = False) -> Output:
        """Run whole samples; see :meth:`training.dense_lmuformer.DenseLMUFormer.forward`."""
        values = self.embed(_over_channels(self.norm, frames))
        values = values + _positions(values.shape[1], values.shape[2]).to(values)
        return Output(self.readout(self.encoder(values).mean(1)), {}, None)


def _over_channels(norm: nn.BatchNorm1d, frames: Tensor) -> Tensor:
    """Batch norm of the channels of [samples, steps, channels]."""
    normed: Tensor = norm(frames.transpose(1, 2))
    return normed.transpose(1, 2)


def _positions(steps: int, channels: int) -> Tensor:
    """Sines and cosines of geometrically spaced frequencies (Vaswani et al. 2017, section 3.5), [steps, channels]."""
    angles = torch.arange(steps)[:, None] * 10000 ** (-torch.arange(0, channels, 2) / channels)
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1)[:, :channels]
