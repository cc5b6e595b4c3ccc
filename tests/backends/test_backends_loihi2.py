"""The way to the chip, with a stand-in for Lava's extension for Loihi: what is sent arrives, and every layer's spikes come back.

The stand-in's adapters pass everything on, and Lava's simulation takes the chip's place. What the real ones do cannot be tested here.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nets
import numpy as np
import pytest

from neuro_deploy.backends import create
from neuro_deploy.backends.loihi2 import missing
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.network import Network

STEPS = 12

ADAPTERS = """
import os
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils import slurm


def select(self, process, models):
    simulation = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=self.exception_proc_model_map)
    return simulation.select(process, models)


Loihi2HwCfg.select = select
slurm.try_run_command = lambda command: command[0] == "ping" and command[1] == "board.example"


class PyToNxAdapter(AbstractProcess):
    def __init__(self, shape, num_message_bits=0):
        super().__init__(shape=shape)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)
        with Path(os.environ["ADAPTERS_LOG"]).open("a") as log:
            print(type(self).__name__, *shape, num_message_bits, file=log)


class NxToPyAdapter(PyToNxAdapter):
    pass


class Passes(PyLoihiProcessModel):
    inp = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self):
        self.out.send(self.inp.recv())


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PassesIn(Passes):
    pass


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PassesOut(Passes):
    pass
"""


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return nets.saved(nets.tiny(), tmp_path, STEPS)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed extension that writes down which adapters it made."""
    for name, content in {"utils/loihi2_profiler.py": "", "proc/embedded_io/spike.py": ADAPTERS}.items():
        path = tmp_path / "extension" / "lava" / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path / "extension"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "extension"))
    monkeypatch.setenv("ADAPTERS_LOG", str(tmp_path / "log"))
    for name in ("NXSDKHOST", "BOARD", "PARTITION"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="t") as folder:  # short enough for the path of a socket
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield tmp_path / "log"


def test_every_layer_goes_through_an_adapter(network: Network, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NXSDKHOST", "board.example")
    assert missing() is None
    encoded = nets.samples(nets.tiny(), 2, STEPS)
    found, expected = (create(name).run(network, encoded) for name in ("loihi2", "integer"))
    assert found.backend == "loihi2"
    assert found.layers is not None
    assert expected.layers is not None
    assert all(spikes.any() for spikes in expected.populations.values())
    assert all(np.array_equal(one, other) for one, other in zip(found.layers, expected.layers, strict=True))
    assert np.array_equal(found.readout, expected.readout)
    sizes = [layer.size for layer in network.chain.layers]
    inputs = f"PyToNxAdapter {network.chain.input_size} 3"
    assert log.read_text().splitlines() == [inputs, *(f"NxToPyAdapter {size} 0" for size in sizes)]


@pytest.mark.parametrize(("board", "reason"), [("elsewhere.example", "`ping elsewhere.example` failed"), (None, "SLURM")])
def test_a_board_that_does_not_answer(
    network: Network, log: Path, board: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if board is not None:
        monkeypatch.setenv("NXSDKHOST", board)
    with pytest.raises(BackendError, match=f"loihi2: ValueError: .*{reason}") as caught:
        create("loihi2").run(network, nets.samples(nets.tiny(), 1, STEPS))
    assert "\n" not in str(caught.value)


def test_without_the_extension(network: Network) -> None:
    with pytest.raises(BackendError, match=r"loihi2: Lava's extension for Loihi .* is not installed") as caught:
        create("loihi2").run(network, nets.samples(nets.tiny(), 1, STEPS))
    assert "\n" not in str(caught.value)
