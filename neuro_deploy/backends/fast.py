"""The integer semantics compiled: event by event, many samples at once, on all cores."""

import functools
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.common import prepare, recorded, records
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.errors import NeuroDeployError
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace

_Run = Callable[[NDArray[np.int32], tuple[NDArray[Any], ...], NDArray[np.int64]], None]
"""Fills what is sent [samples, steps, neurons] of each layer and voltages [samples, neurons] from injected samples."""


class FastBackend:
    """Runs the chain in :mod:`neuro_deploy.engine`, every sample from rest; equals the integer backend bit for bit.

    Where the engine cannot be compiled, it warns once and runs the integer backend instead.

    Args:
        threads: how many work at the same time; as many as this process has cores (or ``NUMBA_NUM_THREADS``) if None.
    """

    name = "fast"

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`.

        Raises:
            BackendError: a layer's numbers can leave the range in which the engine is exact.
            RuleError: they leave the bits that Lava has for them.
            ConfigError: ``NUMBA_NUM_THREADS`` is not a number of threads.
        """
        begin = time.perf_counter()
        injected = prepare(network, encoded)
        chain, manifest = network.chain, network.manifest
        run = self._compile(chain, injected, manifest.steps + manifest.latency)
        if run is None:
            return replace(IntegerBackend().run(network, encoded), backend=self.name)
        layers, voltages = records(chain, injected)
        start = time.perf_counter()
        run(injected, layers, voltages)
        seconds = time.perf_counter() - start
        return recorded(self.name, network, injected, layers, voltages, seconds=seconds, startup=start - begin)

    def _compile(self, chain: Chain, injected: NDArray[np.int32], steps: int) -> _Run | None:
        """The engine for a chain, ready to run; None if there is none on this machine."""
        try:
            from neuro_deploy import engine

            largest = max(int(injected.max()), -int(injected.min()))
            plans = engine.make_plan(chain, largest, injected.shape[1])
            threads = self.threads or engine.THREADS
            run = functools.partial(engine.run_chain, plans, when=steps - 1, threads=threads)
            run(injected[:0], *records(chain, injected[:0]))  # compiles
        except NeuroDeployError:
            raise
        except Exception as error:  # a compiler can fail in any way
            _warn(" ".join(f"{type(error).__name__}: {error}".split()))
            return None
        return run


@functools.cache
def _warn(reason: str) -> None:
    """Say once why the engine is not there."""
    warnings.warn(f"fast: the engine cannot be compiled here ({reason}): the integer backend runs instead", stacklevel=4)
