"""Batch norm of [samples, steps, channels] as what it is to its reader: one gain and one shift for each channel."""

import torch
from torch import Tensor, nn

from neuro_deploy.training import distributed
from neuro_deploy.training.kernels import Affine, Statistics
from neuro_deploy.training.models.slayer import compiled


def affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Gain and shift [channels] of a batch norm with its running statistics: it gives ``gain * values + shift``."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return gain, norm.bias - gain * norm.running_mean


def affine_of(norm: nn.BatchNorm1d, values: Tensor) -> tuple[Tensor, Tensor]:
    """The same with the statistics of these values [samples, steps, channels] in training, which move the running ones."""
    if not norm.training:
        return affine(norm)
    gain, shift, statistics = Affine.apply(values, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    move(norm, statistics)
    return gain, shift


def move(norm: nn.BatchNorm1d, statistics: Statistics) -> None:
    """Move the running statistics towards those of a batch."""
    count = statistics.count
    variance = statistics.variance * (count / (count - 1))  # torch, too, keeps the unbiased one
    _move(norm, torch.from_numpy(statistics.mean), torch.from_numpy(variance))


def normalise(norm: nn.BatchNorm1d, values: Tensor) -> Tensor:
    """Batch norm of [samples, steps, channels], with the statistics of all processes' values in training."""
    if compiled(values):
        gain, shift = affine_of(norm, values)
        return values * gain + shift
    rows = values.flatten(0, 1)
    if distributed.size() == 1 or not norm.training:
        normalised: Tensor = norm(rows)
    else:
        normalised = _batch_norm(norm, rows)
    return normalised.reshape(values.shape)


def _batch_norm(norm: nn.BatchNorm1d, rows: Tensor) -> Tensor:
    """Batch norm of [rows, channels] over all processes, as torch has it for CUDA alone (``SyncBatchNorm``)."""
    count = int(distributed.total(torch.tensor(len(rows), device=rows.device)))
    mean = distributed.total(rows.sum(0)) / count
    centred = rows - mean
    variance = distributed.total(centred.square().sum(0)) / count
    _move(norm, mean, variance * count / (count - 1))
    return centred * torch.rsqrt(variance + norm.eps) * norm.weight + norm.bias


@torch.no_grad()
def _move(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = (
        1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    )  # None: the mean of all batches, as in torch
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)
