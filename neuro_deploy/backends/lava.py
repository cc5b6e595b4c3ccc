"""Lava, from outside: start a worker, watch it, take its results, leave nothing behind.

Lava starts one process for each of its parts, leaves some of them behind when it fails, and can hang for ever. So it runs in a
worker with a process group of its own, which this module ends whatever happens; where this process is ended itself, another one
does it (:mod:`neuro_deploy.backends.reaper`). This file does not import Lava.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from neuro_deploy.backends import lava_python, reaper, require_able
from neuro_deploy.backends.common import prepare, recorded
from neuro_deploy.backends.job import DONE, ERROR, Job, Way
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import sent_type
from neuro_deploy.ir.trace import Trace
from neuro_deploy.netx import content

_WORKER = ("-m", "neuro_deploy.backends.lava_worker")

_PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of this project's package."""

_POLL = 0.02
"""Seconds between two looks at the worker."""

_SOCKET_PATH = 104
"""Bytes of a socket's path (macOS; Linux has 108); Python's multiprocessing adds less than 40 to its temporary folder."""

_FOLDER = len("/nd_lava_12345678")
"""Bytes that a job's folder adds to the path of the one that it is in."""

_GRACE = 5.0
"""Seconds that the worker's processes get to end by themselves after the last sample."""


class LavaBackend:
    """Runs the NetX file in ``lava.lib.dl.netx.hdf5.Network`` with ``Loihi2SimCfg(select_tag="fixed_pt")``.

    All samples run one after the other without a reset of anything but the read-out's voltage, with the manifest's gap between
    them; those of a network that was adopted in a new network each.

    Args:
        time_limit: seconds that start-up, or one sample, may take before the run is given up.
        fused: choose :class:`neuro_deploy.fused.FusedRunCfg` instead, which runs the same network as one process.
    """

    def __init__(self, time_limit: float = 120.0, *, fused: bool = False) -> None:
        self.time_limit = time_limit
        self.name = "lava-fused" if fused else "lava"
        self.way: Way = "fused" if fused else "stock"

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`.

        Raises:
            MissingPackageError: Lava is not installed, and no Python is named that has it.
            BackendError: that Python has no Lava; the worker died, hung, or Lava failed.
        """
        require_able(self.name, network)
        python = lava_python.find()
        injected = prepare(network, encoded)
        samples, steps = injected.shape[:2]
        chain, manifest = network.chain, network.manifest
        graded = any(layer.graded for layer in chain.layers)
        with tempfile.TemporaryDirectory(prefix="nd_lava_", dir=_place()) as name:
            job = Job(
                folder=Path(name),
                net=Path(name) / "network.net",
                message_bits=manifest.input.message_bits,
                samples=samples,
                steps=manifest.steps + manifest.latency,
                gap=manifest.gap,
                sizes=tuple(layer.size for layer in chain.layers),
                loading=None if manifest.loading is None else options(manifest.loading),
                way=self.way,
            )
            job.net.write_bytes(content(network))
            np.save(job.input, injected.reshape(samples * steps, -1))
            shape = (samples * steps, sum(job.sizes))
            _make_room(job.spikes, shape, np.dtype(np.int32 if graded else np.uint8))
            (job.folder / _PACKAGE.name).symlink_to(_PACKAGE)
            job.save()
            begin = time.time()
            with _worker(job, python) as worker:
                self._watch(worker, job)
            spikes = np.load(job.spikes).reshape(samples, steps, -1)
            layers = tuple(
                spikes[:, :, place].astype(sent_type(layer), copy=False)
                for place, layer in zip(job.layers, chain.layers, strict=True)
            )
            voltages = np.load(job.readout)
            times = json.loads((job.folder / DONE).read_text())
        startup = times["start"] - begin
        return recorded(self.name, network, injected, layers, voltages, seconds=times["seconds"], startup=startup)

    def _watch(self, worker: "subprocess.Popen[bytes]", job: Job) -> None:
        """Return when all samples are done; raise when that will not happen."""
        finished, since = -1, time.monotonic()
        while not (job.folder / DONE).exists():
            ended = worker.poll() is not None
            if (job.folder / ERROR).exists():
                raise BackendError(f"{self.name}: {(job.folder / ERROR).read_text(encoding='utf-8').strip()}")
            if ended and not (job.folder / DONE).exists():
                raise BackendError(
                    f"{self.name}: the worker ended with status {worker.returncode} after {_samples(job)}: {_last_words(job)}"
                )
            now = job.finished()
            if now != finished:
                finished, since = now, time.monotonic()
            elif time.monotonic() - since > self.time_limit:
                raise BackendError(
                    f"{self.name}: no sample finished within {self.time_limit:g} s, {_samples(job)}; its processes were ended: "
                    f"run fewer steps or raise the time limit. {_last_words(job)}"
                )
            time.sleep(_POLL)


def _place() -> str | None:
    """Folder for a job's folder: the temporary one, unless the sockets of Lava's processes would have too long a path there."""
    temporary, short = tempfile.gettempdir(), "/tmp"
    fits = len(os.fsencode(temporary)) + _FOLDER < _SOCKET_PATH - 40
    return None if fits or not os.access(short, os.W_OK | os.X_OK) else short


@contextmanager
def _worker(job: Job, python: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the worker in a session of its own and end all of its processes on the way out, whatever the way."""
    with job.log.open("wb") as log, _reaper(job.folder) as tell:
        worker = subprocess.Popen(
            [python, *_WORKER, str(job.folder)],
            stdin=subprocess.PIPE,  # never written to: the worker ends when this process is gone and closes it
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=_environment(job.folder),
            cwd=job.folder,  # Python looks for modules there first: the user's own lava.py is not Lava
            start_new_session=True,
        )
        try:
            tell(str(worker.pid).encode())
            yield worker
            # Lava takes a moment to stop its processes in good order.
            with suppress(subprocess.TimeoutExpired):
                worker.wait(_GRACE)
        finally:
            reaper.end(worker.pid, job.folder)
            tell(reaper.DISMISSED)
            worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()


@contextmanager
def _reaper(folder: Path) -> Iterator[Callable[[bytes], None]]:
    """Have a worker and its folder removed if this process ends before it has done so; yields what speaks to the reaper."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", reaper.__file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        bufsize=0,
        start_new_session=True,
    )
    pipe = process.stdin
    assert pipe is not None

    def tell(words: bytes) -> None:
        with suppress(OSError):  # somebody has ended it
            pipe.write(words)

    try:
        yield tell
    finally:
        pipe.close()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:  # somebody has stopped it
            process.kill()
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """Variables of the worker. The package is in its folder: the place where it is installed has packages of this Python, too."""
    paths = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    # Each of Lava's processes works on small vectors: more threads only get in each other's way.
    variables = lava_python.environment() | {
        "PYTHONPATH": os.pathsep.join((str(folder), *paths)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    if len(os.fsencode(folder)) < _SOCKET_PATH - 40:
        # What Lava's processes leave in their temporary folder when they are ended then goes with the job's.
        variables["TMPDIR"] = str(folder)
    return variables


def options(loading: Loading) -> dict[str, Any]:
    """What ``hdf5.Network`` is told."""
    return loading.model_dump() | {"input_shape": loading.input_shape or None}


def _make_room(path: Path, shape: tuple[int, int], dtype: "np.dtype[Any]") -> None:
    """Make an array of zeros in a file, with all of its space on the disk: a full one would end the worker when it writes."""
    array = open_memmap(path, mode="w+", dtype=dtype, shape=shape)  # type: ignore[no-untyped-call]
    array.flush()
    del array
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _samples(job: Job) -> str:
    return f"{max(0, job.finished())} of {job.samples} samples"


def _last_words(job: Job) -> str:
    lines = [line.strip() for line in job.log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
