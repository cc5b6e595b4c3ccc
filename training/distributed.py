"""Several processes that train one network on parts of each batch, started by torchrun; with one process everything here is a no-op.

Each process computes the gradient of its own samples. Summed over the processes this is the gradient of the whole batch, as long as
what mixes samples, batch norm, mixes those of all processes: :mod:`neuro_deploy.training.models.norm`. So the number of
processes changes only the order
in which floats are added.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from neuro_deploy.errors import ConfigError


@contextmanager
def process_group(kind: str = "cpu") -> Iterator[None]:
    """Join the processes that torchrun started; does nothing in a process that it did not start, or that has joined already.

    Args:
        kind: ``cpu`` or ``cuda``, what they compute on.

    Raises:
        ConfigError: there is no GPU.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()) or distributed.is_initialized():
        yield
        return
    if kind == "cuda":
        torch.cuda.set_device(device(kind))
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; the first, 0, is the one that writes and prints."""
    return distributed.get_rank() if size() > 1 else 0


def device(kind: str) -> torch.device:
    """Where this process computes: on the CPU, or on the GPU that torchrun gave it (the first one without torchrun).

    Raises:
        ConfigError: ``cuda`` is asked for and there is no GPU.
    """
    if kind != "cuda":
        return torch.device(kind)
    if not torch.cuda.is_available():
        raise ConfigError("device cuda: torch finds no GPU on this machine: train with --device cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def part(samples: int) -> slice:
    """This process's samples of a batch; the sizes of two parts differ by one at most, and a part may be empty."""
    return slice(samples * rank() // size(), samples * (rank() + 1) // size())


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over all processes; its gradient is the sum of their gradients."""
    if size() == 1:
        return value
    from torch.distributed.nn.functional import all_reduce

    summed: Tensor = all_reduce(value)
    return summed


@torch.no_grad()
def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its sum over all processes, in one message."""
    if size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    message = total(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, summed in zip(gradients, message.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))
