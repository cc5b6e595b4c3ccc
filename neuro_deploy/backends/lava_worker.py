"""The one file that imports Lava; run as ``python -m neuro_deploy.backends.lava_worker JOB_FOLDER``.

It loads the NetX file with lava-dl's own loader, feeds it from a file, writes the spikes of every layer into files, and reports
each finished sample; see :mod:`neuro_deploy.backends.job` for the files. It ends with its parent.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from neuro_deploy.backends.job import DONE, ERROR, PROGRESS, Job


class Source(AbstractProcess):
    """Sends row ``t`` of a file at step ``t`` (0-based)."""

    def __init__(self, file: Path, channels: int) -> None:
        super().__init__(file=file)
        self.s_out = OutPort(shape=(channels,))


@implements(proc=Source, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySource(PyLoihiProcessModel):
    """Behaviour of :class:`Source`."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = np.load(proc_params["file"], mmap_mode="r")

    def run_spk(self) -> None:
        """Send the row of this step; Lava counts steps from 1."""
        self.s_out.send(np.array(self.rows[self.time_step - 1]))


class Sink(AbstractProcess):
    """Writes the spikes of all layers into files, one port and one file a layer.

    One process for all layers costs less than Lava's own sinks, one process each; and results that are files need not be read
    back through ``Var.get``, which takes 43 us for each value.
    """

    def __init__(self, files: list[Path], sizes: tuple[int, ...]) -> None:
        super().__init__(files=files)
        for index, size in enumerate(sizes):
            setattr(self, _port(index), InPort(shape=(size,)))


class _PySink(PyLoihiProcessModel):
    """Behaviour of :class:`Sink` but for its ports, whose number is known only when it runs."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = [np.load(file, mmap_mode="r+") for file in proc_params["files"]]

    def run_spk(self) -> None:
        """Write this step's rows."""
        for index, rows in enumerate(self.rows):
            rows[self.time_step - 1] = getattr(self, _port(index)).recv()


def _sink_model(layers: int) -> type[PyLoihiProcessModel]:
    ports = {_port(index): LavaPyType(PyInPort.VEC_DENSE, np.int32) for index in range(layers)}
    model = type("PySink", (_PySink,), ports)
    decorated: type[PyLoihiProcessModel] = implements(proc=Sink, protocol=LoihiProtocol)(requires(CPU)(tag("fixed_pt")(model)))
    return decorated


def _port(index: int) -> str:
    return f"layer{index}"


def run(job: Job) -> None:
    """Run all samples of a job, one after the other."""
    network = hdf5.Network(net_config=str(job.net), input_message_bits=job.message_bits)
    source = Source(job.input, network.inp.shape[0])
    sink = Sink([job.layer(index) for index in range(len(job.sizes))], job.sizes)
    source.s_out.connect(network.inp)
    for index, layer in enumerate(network.layers):
        layer.out.connect(getattr(sink, _port(index)))
    # Named by instance, our two models are not searched for: Lava would execute every module beside this one to find them.
    models = {source: PySource, sink: _sink_model(len(job.sizes))}
    network.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models))
    readout = network.layers[-1].neuron.v
    voltages = np.zeros((job.samples, *readout.shape), np.int64)
    start, begin = time.time(), time.perf_counter()
    with (job.folder / PROGRESS).open("ab", buffering=0) as progress:
        progress.write(b".")
        for sample in range(job.samples):
            network.run(condition=RunSteps(job.steps))
            voltages[sample] = readout.get()
            network.run(condition=RunSteps(job.gap))
            readout.set(np.zeros(readout.shape, np.int64))
            progress.write(b".")
    seconds = time.perf_counter() - begin
    np.save(job.readout, voltages)
    network.stop()
    times = {"start": start, "seconds": seconds}
    ready = job.folder / f"{DONE}.part"
    ready.write_text(json.dumps(times))
    ready.rename(job.folder / DONE)


def _end_with_parent(folder: Path) -> None:
    """Wait until the parent closes our stdin, which it does by ending, then leave no process and no file."""
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGTERM)


def main() -> int:
    """Run the job whose folder is the first argument; errors become one line in a file."""
    folder = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    try:
        run(Job.load(folder))
    except Exception as error:  # whatever Lava raises, the parent wants to know
        message = " ".join(str(error).split())
        part = folder / f"{ERROR}.part"
        part.write_text(f"{type(error).__name__}: {message}\n")
        part.rename(folder / ERROR)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
