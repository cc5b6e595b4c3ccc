"""Compiled loops for what a training step on a CPU spends its time with, beside matrix products.

Each file holds one operation of the model as a :class:`torch.autograd.Function`. All of them work on [samples, steps, neurons] as it
lies in memory, one sample a task, so that a sample stays in a core's cache, and their innermost loops run over neurons, which is what
a compiler turns into vector instructions.

Numba, and not a C++ extension: its compiler comes in the package, so that a user needs none.
"""

import ctypes
import functools
import warnings
from pathlib import Path

import torch

from neuro_deploy.training.kernels.affine import Affine, Statistics
from neuro_deploy.training.kernels.filter import Filter
from neuro_deploy.training.kernels.fire import Fire, Neuron, NormaliseAndFire
from neuro_deploy.training.kernels.lags import StackLags
from neuro_deploy.training.kernels.synapses import Synapses

__all__ = ["Affine", "Filter", "Fire", "Neuron", "NormaliseAndFire", "StackLags", "Statistics", "Synapses", "work"]


def _share_threads() -> None:
    """Let Numba's loops run on torch's threads.

    Where torch brings an OpenMP library of its own there would be two sets of threads, one waiting on the cores of the other. Numba
    looks for the library's functions among those that are known to all, so torch's are made known.
    """
    for library in (Path(torch.__file__).parent / "lib").glob("libgomp*"):
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


_share_threads()


@functools.cache
def work() -> bool:
    """Whether the kernels compile on this machine; warns once if they do not."""
    values, channels = torch.zeros(1, 1, 1), torch.ones(1)
    try:
        Affine.apply(values, channels, channels, 1.0)  # type: ignore[no-untyped-call]
        Fire.apply(values, channels, channels, Neuron(2048, 1.0, 1.0, 1.0))  # type: ignore[no-untyped-call]
        Filter.apply(values, torch.ones(1, 1))  # type: ignore[no-untyped-call]
        Synapses.apply(values, torch.ones(1, 1))  # type: ignore[no-untyped-call]
    except Exception as error:  # a compiler can fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        warnings.warn(f"the training kernels cannot be compiled here ({reason}): SLAYER's own loops run instead", stacklevel=2)
        return False
    return True
