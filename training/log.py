"""The log of a training, one line an epoch; apart from the training itself, so that it is read without loading torch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import reason, remedy, write_atomically

FILE = "training.jsonl"
"""Its name in the folder of a training."""


@dataclass(frozen=True)
class Epoch:
    """The log of one epoch.

    Attributes:
        epoch: from 1.
        phase: ``real`` or ``quantised``, the weights of the training passes.
        loss: mean training loss.
        accuracy: on the (augmented) training samples.
        validation_accuracy: of the deployed integers on the validation split.
        validation_loss: loss of the deployed integers on the validation split, with the rate term: what the best epoch has least of.
        rates: spikes per neuron and step of each population, deployed integers, validation split.
        seconds: wall time.
    """

    epoch: int
    phase: str
    loss: float
    accuracy: float
    validation_accuracy: float
    validation_loss: float
    rates: dict[str, float]
    seconds: float


_EPOCH = TypeAdapter(Epoch)


def write_log(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write the log of all epochs.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(folder / FILE, "".join(json.dumps(vars(epoch)) + "\n" for epoch in epochs).encode())


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The epochs of the log, each a dictionary of :class:`Epoch`'s fields; empty if there is none.

    Raises:
        ModelFileError: it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        return [vars(_EPOCH.validate_json(line)) for line in path.read_bytes().splitlines()]
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be read ({reason(error)}): {remedy(error, 'train again, or remove it')}"
        ) from error
    except ValueError as error:
        raise ModelFileError(f"{path}: not a training's log, or damaged: train again, or remove it") from error
