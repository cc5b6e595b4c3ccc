"""Runs Lava for :mod:`neuro_deploy.backends.lava`; run as ``python -m neuro_deploy.backends.lava_worker JOB_FOLDER``.

It loads the NetX file with lava-dl's own loader, feeds it from a file, writes the spikes of all layers into a file, and reports
finished samples; see :mod:`neuro_deploy.backends.job` for the files. It ends with its parent.
"""

import json
import math
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from multiprocessing import shared_memory
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.lib.dl.netx.blocks.process import Input
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg, RunConfig
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils import loihi

from neuro_deploy.backends.job import DONE, ERROR, PROGRESS, Job, Way
from neuro_deploy.backends.reaper import SHARED, remove_shared_memory

_OPEN_FILES = 8192
"""Each of Lava's channels takes some; macOS gives a process 256 if it does not ask for more."""

_POLL = 0.25
"""Seconds between two looks at Lava's processes."""

_REAPER = 4.0
"""Seconds after the parent's end in which the reaper ends this process, too; if it was ended itself, we do its work."""


class Source(AbstractProcess):
    """Sends row ``first + t`` of a file at step ``t`` (0-based), in the shape of what reads it."""

    def __init__(self, file: Path, shape: tuple[int, ...], first: int = 0) -> None:
        super().__init__(file=file, shape=shape, first=first)
        self.s_out = OutPort(shape=shape)


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySource(PyLoihiProcessModel):
    """Behaviour of :class:`Source`."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["file"], mmap_mode="r")[proc_params["first"] :]
        self.shape = proc_params["shape"]

    def run_spk(self) -> None:
        """Send the row of this step; Lava counts steps from 1."""
        self.s_out.send(np.array(self.rows[self.time_step - 1]).reshape(self.shape))


class Sink(AbstractProcess):
    """Writes what all layers send into a file, one port a layer.

    One process for all layers costs less than Lava's own sinks, one process each; and results that are in a file need not be read
    back through ``Var.get``, which takes 43 us for each value.
    """

    def __init__(self, file: Path, shapes: list[tuple[int, ...]], first: int) -> None:
        super().__init__(file=file, ends=list(accumulate(map(math.prod, shapes))), first=first)
        for index, shape in enumerate(shapes):
            setattr(self, _port(index), InPort(shape=shape))


class _PySink(PyLoihiProcessModel):
    """Behaviour of :class:`Sink` but for its ports, whose number is known only when it runs."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["file"], mmap_mode="r+")[proc_params["first"] :]
        self.layers = [slice(start, stop) for start, stop in pairwise((0, *proc_params["ends"]))]

    def run_spk(self) -> None:
        """Write this step's row."""
        row = self.rows[self.time_step - 1]
        for index, place in enumerate(self.layers):
            row[place] = getattr(self, _port(index)).recv().reshape(-1)


def sink_for(ports: Sequence[OutPort], file: Path, first: int = 0) -> tuple[Sink, type[PyLoihiProcessModel]]:
    """Connect ports to a new sink.

    Args:
        ports: one for each layer.
        file: uint8 or int32 [steps, neurons of all layers], exists.
        first: its row that the first step writes.

    Returns:
        The sink and its model.
    """
    sink = Sink(file, [port.shape for port in ports], first)
    for index, port in enumerate(ports):
        port.connect(getattr(sink, _port(index)))
    types = {_port(index): LavaPyType(PyInPort.VEC_DENSE, np.int32) for index in range(len(ports))}
    model = type("PySink", (_PySink,), types)
    decorated: type[PyLoihiProcessModel] = implements(proc=Sink, protocol=LoihiProtocol)(requires(CPU)(tag("fixed_pt")(model)))
    return sink, decorated


def _port(index: int) -> str:
    return f"layer{index}"


class _Stock:
    """The network as stock Lava runs it: one process for each set of synapses and of neurons."""

    batch = 1

    def __init__(self, job: Job, network: hdf5.Network, first: int) -> None:
        self._job, self._network = job, network
        row = first * job.period
        source = Source(job.input, network.inp.shape, row)
        source.s_out.connect(self._inlet())
        sink, sink_model = sink_for(self._outlets(), job.spikes, row)
        # Named by instance, our two models are not searched for: Lava would execute every module beside this one to find them.
        network.create_runtime(run_cfg=self._configuration({source: PySource, sink: sink_model}))

    def _inlet(self) -> InPort:
        """Where the input goes; the port of an input layer leads nowhere, its users write into the neurons."""
        first = self._network.in_layer
        return first.neuron.a_in if isinstance(first, Input) else self._network.inp

    def _outlets(self) -> list[OutPort]:
        """Where the spikes of each layer come from."""
        return [layer.out for layer in self._network.layers]

    def _configuration(self, models: dict[AbstractProcess, type[PyLoihiProcessModel]]) -> RunConfig:
        return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)

    def run(self, first: int, count: int) -> Any:
        """Run samples; returns the read-out's voltages."""
        readout = getattr(self._network.layers[-1].neuron, "v", None)  # sigma-delta neurons have none
        voltages = np.zeros((count, self._job.sizes[-1]), np.int64)
        for sample in range(count):
            self._network.run(condition=RunSteps(self._job.steps))
            if readout is not None:
                voltages[sample] = readout.get().reshape(-1)
            if self._job.gap and readout is not None:
                self._network.run(condition=RunSteps(self._job.gap))
                readout.set(np.zeros(readout.shape, np.int64))
        return voltages


class _Hardware(_Stock):
    """The network on a Loihi 2, its input and its spikes carried by the adapters of Lava's extension for Loihi."""

    def _inlet(self) -> InPort:
        from lava.proc.embedded_io.spike import PyToNxAdapter

        adapter = PyToNxAdapter(shape=self._network.inp.shape, num_message_bits=self._job.message_bits)
        adapter.out.connect(self._network.inp)
        return adapter.inp

    def _outlets(self) -> list[OutPort]:
        from lava.proc.embedded_io.spike import NxToPyAdapter

        adapters = [NxToPyAdapter(shape=layer.out.shape) for layer in self._network.layers]
        for layer, adapter in zip(self._network.layers, adapters, strict=True):
            layer.out.connect(adapter.inp)
        return [adapter.out for adapter in adapters]

    def _configuration(self, models: dict[AbstractProcess, type[PyLoihiProcessModel]]) -> RunConfig:
        if board := os.environ.get("NXSDKHOST"):
            loihi.use_ethernet_host(board)
        else:
            loihi.use_slurm_host(partition=os.environ.get("PARTITION"), board=os.environ.get("BOARD"))
        return Loihi2HwCfg(exception_proc_model_map=models)


class _Fused:
    """The network as one process, which reads its input, resets the read-out and records everything by itself."""

    batch = 8
    """Samples between two reports; a run of Lava costs about as much as ten steps."""

    def __init__(self, job: Job, network: hdf5.Network, first: int) -> None:
        from neuro_deploy.fused import FusedRunCfg, Record

        self._job, self._network, self._first = job, network, first
        row = first * job.period
        rows = np.load(job.spikes, mmap_mode="r+")[row:]
        self._record = Record.of(network, len(rows), rows)
        config = FusedRunCfg(
            network,
            record=self._record,
            inputs=np.load(job.input, mmap_mode="r")[row:],
            # Ours is brought to rest by its gap; others begin each sample anew.
            readout_period=job.period if job.loading is None else 0,
            rest_period=0 if job.loading is None else job.period,
            free_running=True,
            failed=lambda error: _report(job.folder, f"{type(error).__name__}: {error}"),
        )
        network.create_runtime(run_cfg=config)

    def run(self, first: int, count: int) -> Any:
        """Run samples; returns the read-out's voltages."""
        self._network.run(condition=RunSteps(count * self._job.period))
        ends = np.arange(first - self._first, first - self._first + count) * self._job.period + self._job.steps - 1
        return self._record.voltages[ends]


_RUNNERS: dict[Way, type[_Stock] | type[_Fused]] = {"stock": _Stock, "fused": _Fused, "hardware": _Hardware}


def run(job: Job) -> None:
    """Run all samples of a job, one after the other; stock Lava has no other rest for a network without a gap than a new one."""
    _watch_processes(job.folder)
    voltages = np.zeros((job.samples, job.sizes[-1]), np.int64)
    start, seconds = 0.0, 0.0
    together = job.samples if job.loading is None or job.way == "fused" else 1
    with (job.folder / PROGRESS).open("ab", buffering=0) as progress:
        for begin in range(0, job.samples, together):
            network = hdf5.Network(net_config=str(job.net), input_message_bits=job.message_bits, **job.loading or {})
            runner = _RUNNERS[job.way](job, network, begin)
            if not start:
                start = time.time()
                progress.write(b".")
            since = time.perf_counter()
            for first in range(begin, begin + together, runner.batch):
                count = min(runner.batch, begin + together - first)
                voltages[first : first + count] = runner.run(first, count)
                progress.write(b"." * count)
            seconds += time.perf_counter() - since
            if begin + together == job.samples:
                np.save(job.readout, voltages)  # before the end, in which Lava may hang
            network.stop()
    times = {"start": start, "seconds": seconds}
    ready = job.folder / f"{DONE}.part"
    ready.write_text(json.dumps(times))
    ready.rename(job.folder / DONE)


def _end_with_parent(folder: Path) -> None:
    """Wait until the parent closes our stdin, which it does by ending, then leave no process and no file."""
    while os.read(0, 1):
        pass
    time.sleep(_REAPER)
    remove_shared_memory(folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _note_shared_memory(folder: Path) -> None:
    """Write the name of each piece of shared memory into a file before it is made, so that others can remove it."""
    name_it = shared_memory._make_filename  # type: ignore[attr-defined]
    notes = (folder / SHARED).open("a", encoding="ascii", buffering=1)

    def noted() -> str:
        name: str = name_it()
        notes.write(f"{name}\n")
        return name

    shared_memory._make_filename = noted  # type: ignore[attr-defined]


def _allow_open_files() -> None:
    """Ask for as many open files as Lava needs, as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _watch_processes(folder: Path) -> None:
    """Report the first of Lava's processes that a signal ends, from now on: the others wait for it for ever."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return
    started: list[BaseProcess] = []
    start = BaseProcess.start

    def noted(process: BaseProcess) -> None:
        start(process)
        started.append(process)

    def watch() -> None:
        while True:
            for process in tuple(started):
                code = _exit_code(process)
                if code is not None and code < 0:
                    _report(folder, f"a process of Lava was ended by {_explained(-code)}")
                    return
            time.sleep(_POLL)

    BaseProcess.start = noted  # type: ignore[assignment]
    threading.Thread(target=watch, daemon=True).start()


def _exit_code(process: BaseProcess) -> int | None:
    """Of a process that has ended, minus the signal that ended it; leaves it to Lava to wait for it."""
    assert process.pid is not None  # it was started
    try:
        end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # Lava, or the start of the next process, has waited for it
        return process.exitcode
    if end is None:
        return None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


def _explained(number: int) -> str:
    """A signal's name, and what usually sends it."""
    name = signal.Signals(number).name
    if number == signal.SIGBUS:
        free = shutil.disk_usage("/dev/shm").free
        return f"{name}, as where shared memory is full ({free:,} bytes are free in /dev/shm): make room there"
    if number == signal.SIGKILL:
        return f"{name}, as where a machine has no memory left: run fewer at once"
    return name


def _report(folder: Path, message: str) -> None:
    """Tell the parent, in one line, why this run fails; the first reason counts."""
    if (folder / ERROR).exists():
        return
    part = folder / f"{ERROR}.part"
    part.write_text(" ".join(message.split()) + "\n", encoding="utf-8")
    part.rename(folder / ERROR)


def main() -> int:
    """Run the job whose folder is the first argument; errors become one line in a file."""
    folder = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    _allow_open_files()
    _note_shared_memory(folder)
    try:
        run(Job.load(folder))
    except Exception as error:  # whatever Lava raises, the parent wants to know
        _report(folder, f"{type(error).__name__}: {error}")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
