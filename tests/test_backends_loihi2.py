"""The way to the chip, with a stand-in for Lava's extension for Loihi: what is sent arrives, and every layer's spikes come back."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nets
import numpy as np
import pytest

from neuro_deploy.backends import create, lava
from neuro_deploy.backends.loihi2 import missing
from neuro_deploy.errors import BackendError
from neuro_deploy.netx import Network

STEPS = 12

EXTENSION = """
import sys, types
from pathlib import Path

import numpy as np
from lava.magma.core import run_configs
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils import loihi, slurm

LOG = Path({log!r})

class Adapter(AbstractProcess):
    def __init__(self, shape, num_message_bits=0):
        super().__init__(shape=shape)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)
        with LOG.open("a") as log:
            print(type(self).__name__, *shape, num_message_bits, file=log)

class PyToNxAdapter(Adapter):
    pass

class NxToPyAdapter(Adapter):
    pass

@requires(CPU)
@tag("fixed_pt")
class Passes(PyLoihiProcessModel):
    inp = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self):
        self.out.send(self.inp.recv())

@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
class PassesIn(Passes):
    pass

@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
class PassesOut(Passes):
    pass

spike = types.ModuleType("lava.proc.embedded_io.spike")
spike.PyToNxAdapter, spike.NxToPyAdapter = PyToNxAdapter, NxToPyAdapter
sys.modules |= {{"lava.proc.embedded_io": types.ModuleType("lava.proc.embedded_io"), spike.__name__: spike}}
"""
