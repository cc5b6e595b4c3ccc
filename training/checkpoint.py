"""Checkpoints: a trained network's weights with the configuration that made them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neuro_deploy.errors import ConfigError, ModelFileError
from neuro_deploy.training.config import Config, parse
from neuro_deploy.training.models.network import Network
from neuro_deploy.training.models.registry import build_model

CHECKPOINT_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    Attributes:
        config: the settings it was trained with.
        classes: names of its classes.
        channels: of a frame of its data.
        steps: T, of a sample of its data.
        weights: its state dict.
        epoch: after which it was taken, from 1.
        accuracy: of the deployed integers on the validation split.
    """

    config: Config
    classes: tuple[str, ...]
    channels: int
    steps: int
    weights: dict[str, Tensor]
    epoch: int
    accuracy: float

    def model(self) -> nn.Module:
        """The model, in evaluation mode; called with frames and ``quantised``, it gives an ``Output``."""
        model = build_model(self.config, self.channels, len(self.classes))
        model.load_state_dict(self.weights)
        return model.eval()

    def network(self) -> Network:
        """The spiking network, in evaluation mode.

        Raises:
            ConfigError: it is a baseline.
        """
        model = self.model()
        if not isinstance(model, Network):
            raise ConfigError(
                f"config {self.config.name}: model.baseline is {self.config.model.baseline!r}, which has no spikes: "
                "a chip takes the Spiking LMUFormer alone, without that setting"
            )
        return model

    def to_bytes(self) -> bytes:
        """The content of a checkpoint file; equal checkpoints give equal bytes."""
        buffer = io.BytesIO()
        torch.save(
            {
                "format": CHECKPOINT_FORMAT,
                "config": self.config.model_dump(),
                "classes": list(self.classes),
                "channels": self.channels,
                "steps": self.steps,
                "weights": self.weights,
                "epoch": self.epoch,
                "accuracy": self.accuracy,
            },
            buffer,
        )
        return buffer.getvalue()


def read(path: Path) -> Checkpoint:
    """Read a checkpoint and prove that its weights fit the architecture that its configuration describes.

    Raises:
        ModelFileError: missing, damaged, another format, or weights of another architecture.
    """
    values = load_dict(path)
    if values.get("format") != CHECKPOINT_FORMAT:
        raise ModelFileError(
            f"{path}: checkpoint format {values.get('format')!r}, this version reads {CHECKPOINT_FORMAT}: train again"
        )
    try:
        checkpoint = Checkpoint(
            config=parse(values["config"], f"in {path}"),
            classes=tuple(str(name) for name in values["classes"]),
            channels=int(values["channels"]),
            steps=int(values["steps"]),
            weights={str(key): torch.as_tensor(value) for key, value in values["weights"].items()},
            epoch=int(values["epoch"]),
            accuracy=float(values["accuracy"]),
        )
    except ConfigError:
        raise
    except KeyError as error:
        raise ModelFileError(f"{path}: the checkpoint has no {error}: train again") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"{path}: the checkpoint holds something else than it should ({error}): train again") from error
    expected = {key: tuple(value.shape) for key, value in _shapes(checkpoint).items()}
    found = {key: tuple(value.shape) for key, value in checkpoint.weights.items()}
    wrong = [key for key in sorted(expected.keys() | found.keys()) if expected.get(key) != found.get(key)]
    if wrong:
        key = wrong[0]
        raise ModelFileError(
            f"{path}: checkpoint of another architecture: {key} is {found.get(key, 'absent')}, "
            f"config {checkpoint.config.name} needs {expected.get(key, 'none')} ({len(wrong)} such tensors): train again"
        )
    broken = [key for key, value in checkpoint.weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise ModelFileError(
            f"{path}: {broken[0]} has a NaN or an infinity ({len(broken)} such tensors): train again with a lower rate"
        )
    negative = [key for key, value in checkpoint.weights.items() if key.endswith("running_var") and (value < 0).any()]
    if negative:
        raise ModelFileError(f"{path}: {negative[0]} has a negative variance: train again")
    return checkpoint


def load_dict(path: Path) -> dict[str, Any]:
    """The dictionary in a file that torch saved, without running any code from it.

    Raises:
        ModelFileError: missing or damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file: train first") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read ({error.strerror}): name a checkpoint (.pt)") from error
    try:
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything
        raise ModelFileError(f"{path}: not a checkpoint, or truncated: train again") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: not a checkpoint: train again")
    return values


def _shapes(checkpoint: Checkpoint) -> dict[str, Tensor]:
    with torch.device("cpu"):
        return build_model(checkpoint.config, checkpoint.channels, len(checkpoint.classes)).state_dict()
