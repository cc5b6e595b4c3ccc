"""What a configuration trains: the Spiking LMUFormer, or a baseline in its place."""

from torch import nn

from neuro_deploy.training.config import Config
from neuro_deploy.training.models.baselines import Gru, SeparableCnn, Transformer
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer
from neuro_deploy.training.models.lmuformer import build

BASELINES = {"lmuformer": DenseLMUFormer, "transformer": Transformer, "gru": Gru, "cnn": SeparableCnn}
"""By the name in ``model.baseline``."""


def build_model(config: Config, inputs: int, classes: int) -> nn.Module:
    """The model of a configuration, with random weights; called with frames and ``quantised``, it gives an ``Output``.

    Args:
        config: the settings.
        inputs: channels of a frame of the data.
        classes: size of the read-out.
    """
    if config.model.baseline is None:
        return build(config, inputs, classes)
    return BASELINES[config.model.baseline](config, inputs, classes)


def parameters(model: nn.Module) -> int:
    """How many numbers of a model are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
