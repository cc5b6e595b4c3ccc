"""Who can run a network: one file a backend, one small interface, the same Trace from each.

Importing this package imports neither Lava nor torch nor Numba.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.errors import BackendError
from neuro_deploy.netx import Network
from neuro_deploy.trace import Trace

__all__ = ["BACKENDS", "Backend", "Factories", "create"]


class Backend(Protocol):
    """Runs a network over samples."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def run(self, network: Network, encoded: NDArray[np.int32], labels: NDArray[np.int64]) -> Trace:
        """Run samples from rest and record everything.

        Args:
            network: NetX file, manifest and checkpoint.
            encoded: int32 [samples, T, channels], see :func:`neuro_deploy.inputs.encode`.
            labels: int64 [samples].

        Raises:
            InputError: the samples do not fit the network.
            BackendError: it cannot run.
        """


Factories = Mapping[str, Callable[[], Backend]]
"""What makes a backend, by its name."""

BACKENDS: Factories = {"integer": IntegerBackend, "fast": FastBackend, "lava": LavaBackend}
"""The backends that run a NetX file alone; the model's own evaluation needs the model's code and is added by the caller."""


def create(name: str, factories: Factories = BACKENDS) -> Backend:
    """Make a backend.

    Args:
        name: one of ``factories``.
        factories: what there is.

    Raises:
        BackendError: there is none of that name.
    """
    if name not in factories:
        raise BackendError(f"backend {name!r} is unknown: use one of {', '.join(sorted(factories))}")
    return factories[name]()
