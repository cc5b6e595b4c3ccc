"""The models as :mod:`neuro_deploy.backends.host` times them on a device of this machine."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuro_deploy.backends.host import HostModel
from neuro_deploy.errors import BackendError
from neuro_deploy.training.checkpoint import read
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer, DenseStream
from neuro_deploy.training.models.streaming import SpikingStream, Stream

Floats = NDArray[np.float32]


def load_models(path: Path, device: str) -> tuple[HostModel, ...]:
    """The trained spiking model of a checkpoint, and an LMUFormer without spikes of the same sizes.

    Args:
        path: the checkpoint.
        device: ``cpu`` or ``cuda``.

    Raises:
        ModelFileError: the checkpoint is missing, damaged or of another architecture.
        BackendError: there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError("torch-gpu: torch finds no GPU on this machine: use torch-cpu")
    checkpoint = read(path)
    config = checkpoint.config
    spiking = checkpoint.network().to(device)
    dense = DenseLMUFormer(config, checkpoint.channels, len(checkpoint.classes)).eval().to(device)
    stream = SpikingStream(spiking, checkpoint.steps, config.neuron.voltage_decay)
    where = _where(device)
    return (
        HostModel(
            "Spiking LMUFormer",
            _streamed(stream, device),
            _batched(device, lambda frames: spiking(frames, quantised=True).logits),
            f"with the deployed integers; {where}",
        ),
        HostModel(
            "LMUFormer",
            _streamed(DenseStream(dense), device),
            _batched(device, lambda frames: dense(frames).logits),
            f"without spikes; untrained weights, for time and energy alone; {where}",
        ),
    )


def _streamed(stream: Stream, device: str) -> Callable[[Floats], Floats]:
    def run(frames: Floats) -> Floats:
        stream.start(1)
        for frame in frames:
            stream.step(torch.from_numpy(frame[None]).to(device))
        return _numbers(stream.logits()[0])

    return run


def _batched(device: str, logits: Callable[[Tensor], Tensor]) -> Callable[[Floats], Floats]:
    @torch.no_grad()
    def run(frames: Floats) -> Floats:
        return _numbers(logits(torch.from_numpy(frames).to(device)))

    return run


def _numbers(values: Tensor) -> Floats:
    """In the host's memory, which waits for a GPU."""
    numbers: Floats = values.cpu().numpy()
    return numbers


def _where(device: str) -> str:
    if device == "cuda":
        return f"torch {torch.__version__}, {torch.cuda.get_device_name()}"
    return f"torch {torch.__version__}, threads: {torch.get_num_threads()}"
