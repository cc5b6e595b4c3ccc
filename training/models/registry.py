"""What a configuration trains: the Spiking LMUFormer, or a baseline in its place."""

from collections.abc import Callable

import torch
from torch import nn

from neuro_deploy.errors import ConfigError
from neuro_deploy.training.config import Config
from neuro_deploy.training.models.baselines import Gru, SeparableCnn, Transformer
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer
from neuro_deploy.training.models.lmuformer import build

Builder = Callable[[Config, int, int], nn.Module]
"""Makes a model for so many channels of a frame and so many classes."""

SPIKING: dict[str | None, Builder] = {None: build}
"""Models that are deployed, by the name in ``model.baseline``."""

BASELINES: dict[str | None, Builder] = {
    "lmuformer": DenseLMUFormer,
    "transformer": Transformer,
    "gru": Gru,
    "cnn": SeparableCnn,
}
"""Models without spikes, by the name in ``model.baseline``."""

LARGEST = 1 << 26
"""Numbers of a model, forty times those of the largest configuration here; its training keeps four or five times as many."""


def build_model(config: Config, inputs: int, classes: int) -> nn.Module:
    """The model of a configuration, with random weights; called with frames and ``quantised``, it gives an ``Output``.

    Args:
        config: the settings.
        inputs: channels of a frame of the data.
        classes: size of the read-out.

    Raises:
        ConfigError: the model is too large.
    """
    shapes(config, inputs, classes)
    return _build(config, inputs, classes)


def shapes(config: Config, inputs: int, classes: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the state dict of a model, which takes no memory for them; arguments as of :func:`build_model`.

    Raises:
        ConfigError: the model is too large.
    """
    with torch.device("meta"):
        model = _build(config, inputs, classes)
    numbers = sum(part.numel() for part in (*model.parameters(), *model.buffers()))
    if numbers > LARGEST:
        raise ConfigError(
            f"config {config.name}: its model has {numbers:,} numbers for {inputs:,} channels and {classes:,} classes, "
            f"at most {LARGEST:,} are trained: lower model.channels, filters, kernel, blocks or mixer_ratio"
        )
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def _build(config: Config, inputs: int, classes: int) -> nn.Module:
    return {**SPIKING, **BASELINES}[config.model.baseline](config, inputs, classes)


def parameters(model: nn.Module) -> int:
    """How many numbers of a model are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
