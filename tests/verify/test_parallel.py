"""Samples in several processes, here and on a Dask cluster: the trace of one run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shipped
from commands import MODEL, run
from joblib import parallel_config
from needs import needs

from neuro_deploy.backends import Backend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.torch import TorchBackend
from neuro_deploy.errors import BackendError, ConfigError
from neuro_deploy.ir.trace import Trace
from neuro_deploy.verify.parallel import InParts, merge, run_in_parallel, workers


@pytest.fixture
def threads() -> Iterator[None]:
    """Where only the parts are tested: new processes need seconds to import torch."""
    with parallel_config(backend="threading"):
        yield


def samples(number: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 17, (number, 64, 1)).astype(np.int32)


def require_same(found: Trace, expected: Trace) -> None:
    assert found.backend == expected.backend
    assert list(found.populations) == list(expected.populations)
    assert (found.layers is None) == (expected.layers is None)
    pairs = [(getattr(found, name), getattr(expected, name)) for name in ("input", "readout")]
    pairs += [(found.populations[name], expected.populations[name]) for name in expected.populations]
    pairs += zip(found.layers or (), expected.layers or (), strict=True)
    for one, other in pairs:
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """The address of a Dask cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    with distributed.LocalCluster(
        "127.0.0.1", n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


def model() -> Backend:
    from neuro_deploy.training.deploy import load_evaluator

    return TorchBackend(load_evaluator)


@pytest.mark.parametrize("make", [IntegerBackend, pytest.param(model, marks=needs("torch"))])
def test_parts_are_the_whole(threads: None, make: Callable[[], Backend]) -> None:
    """Seven samples in three parts."""
    network = shipped.network("digits")
    encoded = samples(7)
    whole = make().run(network, encoded)
    assert any(spikes.any() for spikes in whole.populations.values())
    require_same(run_in_parallel(make, network, encoded, jobs=3), whole)


def test_there_are_not_more_parts_than_samples() -> None:
    network = shipped.network("digits")
    encoded = samples(1)
    require_same(run_in_parallel(IntegerBackend, network, encoded, jobs=5), IntegerBackend().run(network, encoded))


def test_merging_keeps_the_order_and_the_measured_time() -> None:
    network = shipped.network("digits")
    encoded = samples(4)
    parts = [IntegerBackend().run(network, encoded[part]) for part in (slice(3), slice(3, 4))]
    merged = merge(parts, 1.5)
    require_same(merged, IntegerBackend().run(network, encoded))
    assert merged.seconds == 1.5


class Broken:
    name = "broken"

    def run(self, *arguments: object) -> Trace:
        raise BackendError("broken: it is")


def test_the_error_of_a_part_is_the_error(threads: None) -> None:
    encoded = samples(4)
    with pytest.raises(BackendError, match="broken: it is"):
        InParts(Broken, 2).run(shipped.network("digits"), encoded)


def test_the_command_line_runs_parts_here_and_on_a_cluster(project: Path, dask: str) -> None:
    for name, options in {"one": (), "two": ("--jobs", 2), "dask": ("--cluster", dask)}.items():
        command = ("simulate", MODEL, "--backend", "integer", "--samples", 5, "--trace", f"{name}.npz")
        assert run(*command, *options) == 0
    one = dict(np.load("one.npz"))
    for name in ("two", "dask"):
        arrays = dict(np.load(f"{name}.npz"))
        assert list(arrays) == list(one)
        assert all(np.array_equal(arrays[key], one[key]) for key in one)


def test_a_cluster_has_as_many_parts_as_cores(dask: str) -> None:
    with workers(None, dask) as parts:
        assert parts == 2
    with workers(5, dask) as parts:
        assert parts == 5
    with workers(None, None) as parts:
        assert parts == 1


def test_workers_with_several_threads_are_refused(dask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.Client.nthreads", lambda client: {"here": 1, "there": 2})
    with pytest.raises(ConfigError, match="start them with --nthreads 1"), workers(None, dask):
        pass


@pytest.mark.parametrize("address", ["here", "dask://", "slurm://there:1"])
def test_an_unknown_kind_of_cluster_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="use one of dask://HOST:PORT, ray://HOST:PORT"), workers(None, address):
        pass


def test_a_cluster_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs distributed")
    monkeypatch.setattr("neuro_deploy.verify.parallel._CONNECT", 0.5)
    with pytest.raises(ConfigError, match="no scheduler answers"), workers(None, "dask://127.0.0.1:9"):
        pass
