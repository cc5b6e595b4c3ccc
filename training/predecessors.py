"""Checkpoints that a training builds on: one whose weights it starts from, others whose answers it learns."""

from collections.abc import Sequence

from torch import nn

from neuro_deploy.errors import ConfigError
from neuro_deploy.files import expanded
from neuro_deploy.training.checkpoint import read
from neuro_deploy.training.config import Config
from neuro_deploy.training.models.registry import build_model


def start(config: Config, channels: int, classes: Sequence[str]) -> nn.Module:
    """The model of a configuration with random weights, or with those of ``train.start``.

    Args:
        config: the settings.
        channels: of a frame of the data.
        classes: of the data.

    Raises:
        ConfigError: the checkpoint is of another architecture.
        ModelFileError: it is missing or damaged.
    """
    model, path = build_model(config, channels, len(classes)), config.train.start
    if path is not None:
        try:
            model.load_state_dict(read(expanded(path)).weights)
        except RuntimeError as error:
            raise ConfigError(
                f"config {config.name}: train.start = {path!r} is of another architecture: "
                "start from a checkpoint with the same model and as many classes"
            ) from error
    return model


def teachers(config: Config, channels: int, classes: Sequence[str]) -> list[nn.Module]:
    """The models of ``train.teachers``, which stay as they are.

    Args:
        config: the settings.
        channels: of a frame of the data.
        classes: of the data.

    Raises:
        ConfigError: one was trained on something else.
        ModelFileError: one is missing or damaged.
    """
    return [_teacher(path, config, channels, classes) for path in config.train.teachers or ()]


def _teacher(path: str, config: Config, channels: int, classes: Sequence[str]) -> nn.Module:
    checkpoint = read(expanded(path))
    taught = (checkpoint.classes, checkpoint.channels, checkpoint.config.encoder, checkpoint.config.front_end)
    if taught != (tuple(classes), channels, config.encoder, config.front_end):
        raise ConfigError(
            f"config {config.name}: train.teachers has {path!r}, which has other classes, another encoder or another front end: "
            "teach with models that were trained on the same"
        )
    return checkpoint.model().requires_grad_(False)
