"""Checkpoints: a trained network's weights with the configuration that made them."""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from neuro_deploy.errors import ConfigError, ModelFileError
from neuro_deploy.files import read_limited, remedy
from neuro_deploy.ir.inputs import Signature
from neuro_deploy.ir.manifest import NEURONS_MAX, STEPS_MAX, Classes
from neuro_deploy.training.archive import pack, unpack
from neuro_deploy.training.config import Config, checked
from neuro_deploy.training.data_settings import Strict
from neuro_deploy.training.models.network import Network
from neuro_deploy.training.models.registry import build_model, shapes

_log = logging.getLogger(__name__)

CHECKPOINT_FORMAT = 2
"""1 is that of older ``.pt`` files, which hold the same in a pickle."""

LARGEST = 1 << 28
"""Bytes of a checkpoint."""

PICKLE = ".pt"
"""What torch saves is a pickle, a program that makes the values."""


class _About(Strict):
    """What a checkpoint says beside its weights; held to the limits of a configuration and of a manifest."""

    config: Config
    classes: Classes
    channels: int = Field(ge=1, le=NEURONS_MAX)
    steps: int = Field(ge=1, le=STEPS_MAX)
    epoch: int = Field(ge=0, le=1 << 30)
    accuracy: float = Field(ge=0, le=1)


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

    @property
    def signature(self) -> Signature:
        """What the network takes, and how many classes it tells apart."""
        return Signature(self.config.encoding, self.steps, self.channels, len(self.classes))

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
                "only the Spiking LMUFormer, without that setting, runs on the chip"
            )
        return model

    def to_bytes(self) -> bytes:
        """The content of a checkpoint file; equal checkpoints give equal bytes."""
        return pack(
            {
                "format": CHECKPOINT_FORMAT,
                "config": self.config.model_dump(mode="json"),
                "classes": self.classes,
                "channels": self.channels,
                "steps": self.steps,
                "epoch": self.epoch,
                "accuracy": self.accuracy,
                "weights": self.weights,
            }
        )


def read(path: Path) -> Checkpoint:
    """Read a checkpoint and prove that its weights fit the architecture that its configuration describes.

    Raises:
        ModelFileError: missing, damaged, another format, or weights of another architecture.
        ConfigError: its settings are none, or describe a network that is too large.
    """
    values, expected = (_unpickled(path), 1) if path.suffix == PICKLE else (load_dict(path), CHECKPOINT_FORMAT)
    if values.get("format") != expected:
        raise ModelFileError(f"{path}: checkpoint format {values.get('format')!r}, this version reads {expected}: train again")
    weights = values.get("weights")
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ModelFileError(f"{path}: the checkpoint has no weights: train again")
    about = checked(_About, {key: values[key] for key in values if key not in ("format", "weights")}, f"in {path}")
    checkpoint = Checkpoint(
        about.config,
        about.classes,
        about.channels,
        about.steps,
        {str(key): value for key, value in weights.items()},
        about.epoch,
        about.accuracy,
    )
    _require_fitting(checkpoint, path)
    return checkpoint


def load_dict(path: Path, limit: int = LARGEST) -> dict[str, Any]:
    """The values in an archive, see :mod:`neuro_deploy.training.archive`.

    Args:
        path: of the archive.
        limit: bytes that it may have.

    Raises:
        ModelFileError: missing or damaged.
    """
    content = _content(path, limit)
    try:
        return unpack(content)
    except ValueError as error:
        raise ModelFileError(f"{path}: not a checkpoint, or damaged ({error}): train again") from error


def _unpickled(path: Path) -> dict[str, Any]:
    """The values in a file that torch saved; who names such a file is told what it is."""
    content = _content(path, LARGEST)
    _log.warning(
        "%s: a %s file can run the code of whoever made it, also with this version of torch (CVE-2025-32434): it is read "
        "because you name it; export or train again for a checkpoint that cannot (.npz)",
        path,
        PICKLE,
    )
    try:
        values = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything
        raise ModelFileError(f"{path}: not a checkpoint, or damaged: train again") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: not a checkpoint: train again")
    return values


def _content(path: Path, limit: int) -> bytes:
    try:
        return read_limited(path, limit)
    except FileNotFoundError as error:
        older = path.with_suffix(PICKLE)
        hint = f"; {older} is of an older version, name it to have it read" if older != path and older.is_file() else ""
        raise ModelFileError(f"{path}: no such file: train first{hint}") from error
    except OSError as error:
        advice = remedy(error, "name a checkpoint (.npz)")
        raise ModelFileError(f"{path}: cannot read ({error.strerror}): {advice}") from error


def _require_fitting(checkpoint: Checkpoint, path: Path) -> None:
    """Refuse weights of another architecture, and such as no training leaves."""
    try:
        expected = shapes(checkpoint.config, checkpoint.channels, len(checkpoint.classes))
    except ConfigError as error:
        raise ModelFileError(f"{path}: {error}") from error
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
