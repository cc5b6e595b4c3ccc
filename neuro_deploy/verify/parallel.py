"""Sets of samples in several processes, here or on a cluster: joblib runs the parts, and the result is one trace.

joblib is also what runs a sweep's trainings (:mod:`neuro_deploy.training.sweep`); :func:`workers` says where, for both.
"""

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.backends import Backend
from neuro_deploy.errors import ConfigError
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace

_CONNECT = 10.0
"""Seconds that a cluster's scheduler may take to answer."""

_on_cluster = ContextVar("_on_cluster", default=False)
"""Whether joblib has been told to run parts on a cluster."""

_Array = TypeVar("_Array", bound=np.generic)


@contextmanager
def workers(jobs: int | None, cluster: str | None) -> Iterator[int]:
    """Let joblib run what follows on a cluster, or in processes of this machine.

    Args:
        jobs: how many parts there shall be; one if None, on a cluster as many as it has cores.
        cluster: ``dask://HOST:PORT``, ``ray://HOST:PORT``, or None for this machine.

    Yields:
        How many parts there shall be.

    Raises:
        ConfigError: there is no such cluster, or what speaks to it is not installed.
    """
    if cluster is None:
        yield jobs or 1
        return
    scheme, _, place = cluster.partition("://")
    if scheme not in _CLUSTERS or not place:
        raise ConfigError(f"cluster {cluster!r}: use one of {', '.join(f'{name}://HOST:PORT' for name in _CLUSTERS)}")
    from joblib import effective_n_jobs, parallel_config

    with _CLUSTERS[scheme](place), parallel_config(backend=scheme):
        before = _on_cluster.set(True)
        try:
            yield jobs or effective_n_jobs(-1)
        finally:
            _on_cluster.reset(before)


@contextmanager
def _dask(place: str) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(f"cluster: {extras.advice('distributed')}, on the workers too") from error
    try:
        client = Client(f"tcp://{place}", timeout=_CONNECT)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cluster dask://{place}: no scheduler answers ({error}): is it running?") from error
    with client:
        if max(client.nthreads().values(), default=1) > 1:  # type: ignore[no-untyped-call]
            # Compiled loops with threads of their own, and torch's random numbers, are not made for being run twice in one process.
            raise ConfigError(f"cluster dask://{place}: its workers have several threads: start them with --nthreads 1")
        yield


@contextmanager
def _ray(place: str) -> Iterator[None]:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise ConfigError("cluster: Ray is not installed; install it, on the workers too") from error
    try:
        ray.init(f"ray://{place}", log_to_driver=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cluster ray://{place}: no head node answers ({error}): is it running?") from error
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()


_CLUSTERS = {"dask": _dask, "ray": _ray}


@dataclass(frozen=True)
class InParts:
    """A backend that runs its samples in several parts at once.

    Attributes:
        make: makes the backend that runs a part, in the process that runs it.
        jobs: how many parts.
    """

    make: Callable[[], Backend]
    jobs: int

    @property
    def name(self) -> str:
        """The backend's own."""
        return self.make().name

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`."""
        return run_in_parallel(self.make, network, encoded, self.jobs)


def run_in_parallel(make: Callable[[], Backend], network: Network, encoded: NDArray[np.int32], jobs: int) -> Trace:
    """Run samples in parts of nearly equal size; every backend starts each part from rest, so the parts are the whole.

    Args:
        make: makes the backend of a part, in the process that runs it.
        network: what runs; the workers read its checkpoint from the same path.
        encoded: int32 [samples, T, channels].
        jobs: number of parts; not more than samples.

    Returns:
        What one run of all samples returns, but for the times of several parts; see :func:`merge`.

    Raises:
        InputError: the samples do not fit the network.
        BackendError: a part failed.
    """
    begin = time.perf_counter()
    checkpoint = network.checkpoint  # its path is read elsewhere, perhaps from another folder
    network = replace(network, checkpoint=None if checkpoint is None else checkpoint.resolve())
    parts = np.array_split(np.arange(len(encoded)), max(1, min(jobs, len(encoded))))
    if len(parts) == 1 and not _on_cluster.get():
        return make().run(network, encoded)

    from joblib import Parallel, delayed  # half a second, which one part here does not need

    here = os.getpid()
    # Samples go through pipes (max_nbytes): in files, a full temporary folder would be an error of the serialisation.
    traces = Parallel(n_jobs=len(parts), max_nbytes=None)(delayed(_run)(make, network, encoded[part], here) for part in parts)
    return traces[0] if len(traces) == 1 else merge(traces, time.perf_counter() - begin)


def _run(make: Callable[[], Backend], network: Network, encoded: NDArray[np.int32], parent: int) -> Trace:
    if os.getppid() == parent:  # not on a cluster
        _end_with(parent)
    return make().run(network, encoded)


@functools.cache
def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone: joblib's workers finish their part first, however long it takes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def merge(traces: Sequence[Trace], seconds: float) -> Trace:
    """One trace of the samples of several, in their order.

    Args:
        traces: of the same network and backend.
        seconds: wall time of all; start-up is part of it, as one part starts while another runs.
    """
    first = traces[0]
    populations = {name: _joined([trace.populations[name] for trace in traces]) for name in first.populations}
    layers = None
    if first.layers is not None:
        layers = tuple(_joined(parts) for parts in zip(*(trace.layers or () for trace in traces), strict=True))
    return Trace(
        backend=first.backend,
        input=_joined([trace.input for trace in traces]),
        populations=populations,
        layers=layers,
        readout=_joined([trace.readout for trace in traces]),
        segments=first.segments,
        seconds=seconds,
    )


def _joined(arrays: Sequence[NDArray[_Array]]) -> NDArray[_Array]:
    return np.concatenate(arrays)
