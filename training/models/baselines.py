"""Baselines without spikes, from torch, for comparison.

Called like :class:`neuro_deploy.training.models.network.Network`.
"""

import itertools
import math

import torch
from torch import Tensor, nn

from neuro_deploy.training.config import Config
from neuro_deploy.training.models.network import Output

HEADS = 4
"""Of the Transformer's attention, or as many as divide its channels."""

LAYERS = 2
"""Layers of the GRU and the Transformer for each block of the LMUFormer; with as many channels they have nearly its parameters."""


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
        """Run whole samples; see :meth:`neuro_deploy.training.models.dense_lmuformer.DenseLMUFormer.forward`."""
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
        """Run whole samples; see :meth:`neuro_deploy.training.models.dense_lmuformer.DenseLMUFormer.forward`."""
        values = self.embed(_over_channels(self.norm, frames))
        values = values + _positions(values.shape[1], values.shape[2]).to(values)
        return Output(self.readout(self.encoder(values).mean(1)), {}, None)


class Separable(nn.Module):
    """A depthwise and a pointwise convolution over time and bands, each with batch norm and ReLU; the input is added if it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, (1, stride), (dilation, 1), (dilation, 1), inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])
        self.residual = inputs == outputs and stride == 1

    def forward(self, values: Tensor) -> Tensor:
        """[samples, inputs, steps, bands] -> [samples, outputs, steps, bands / stride]."""
        mixed = self.norms[1](self.pointwise(torch.relu(self.norms[0](self.depthwise(values)))))
        return torch.relu(values + mixed if self.residual else mixed)


class SeparableCnn(nn.Module):
    """Depthwise separable convolutions over time and bands (Zhang et al. 2017), residual and, later, dilated in time. Not causal.

    Args:
        config: a place in time and bands has a quarter of the LMUFormer's channels at first, half of them in the end.
        inputs: channels of a frame, taken as neighbouring bands.
        classes: size of the read-out.
    """

    def __init__(self, config: Config, inputs: int, classes: int) -> None:
        super().__init__()
        width = max(1, config.model.channels // 4)
        widths = (width, width + width // 2, 2 * width)
        self.scale = nn.BatchNorm2d(1)
        self.first = nn.Conv2d(1, width, 5, 2, 2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        layers: list[nn.Module] = [Separable(width, width, 1, 1), Separable(width, width, 1, 1)]
        for number, (narrow, wide) in enumerate(itertools.pairwise(widths)):
            dilation = 2 ** (number + 1)
            layers += [Separable(narrow, wide, 2, 1), Separable(wide, wide, 1, dilation), Separable(wide, wide, 1, dilation)]
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.readout = nn.Linear(widths[-1], classes)

    def forward(self, frames: Tensor, quantised: bool = False) -> Output:
        """Run whole samples; see :meth:`neuro_deploy.training.models.dense_lmuformer.DenseLMUFormer.forward`."""
        values = self.layers(torch.relu(self.norm(self.first(self.scale(frames[:, None])))))
        return Output(self.readout(self.dropout(values.mean((2, 3)))), {}, None)


def _over_channels(norm: nn.BatchNorm1d, frames: Tensor) -> Tensor:
    """Batch norm of the channels of [samples, steps, channels]."""
    normed: Tensor = norm(frames.transpose(1, 2))
    return normed.transpose(1, 2)


def _positions(steps: int, channels: int) -> Tensor:
    """Sines and cosines of geometrically spaced frequencies (Vaswani et al. 2017, section 3.5), [steps, channels]."""
    angles = torch.arange(steps)[:, None] * 10000 ** (-torch.arange(0, channels, 2) / channels)
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1)[:, :channels]
