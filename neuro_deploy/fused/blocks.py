"""One block of a NetX network: its process, how it is connected, and numbers of its neurons, with complaints that name it."""

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.lib.dl.netx.blocks.process import Conv, Dense, Input, RecurrentDense
from lava.magma.core.process.ports.ports import AbstractPort, ReshapePort, TransposePort
from lava.proc.conv.process import Conv as ConvSynapse
from lava.proc.dense.process import DelayDense
from lava.proc.dense.process import Dense as DenseSynapse
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from numpy.typing import NDArray

from neuro_deploy.engine.stepper import Integers
from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.semantics import DECAY_BITS, STATE_LIMIT

_BLOCKS = (Input, Dense, RecurrentDense, Conv)
_SYNAPSES = (DenseSynapse, Sparse, DelayDense, DelaySparse, ConvSynapse)
_NEURONS = (LIF, LIFReset, Delta, SigmaDelta, Sigma)

_REGISTER_BITS = 8

_FLATTEN = [2, 1, 0]
"""Axes that the loader permutes before a layer that follows a flatten layer."""


class Block:
    """A block of a network.

    Args:
        network: not compiled yet.
        index: which of its layers.

    Attributes:
        block: the process.
        neuron: the process of its neurons.
        size: number of neurons.
    """

    def __init__(self, network: hdf5.Network, index: int) -> None:
        self._network, self._index = network, index
        self.block: Any = network.layers[index]
        self.neuron: Any = self.block.neuron
        self.size = int(np.prod(self.block.shape))

    @property
    def synapses(self) -> list[Any]:
        """Its processes of synapses: from the layer before, and from itself."""
        return [getattr(self.block, name) for name in ("synapse", "synapse_rec") if hasattr(self.block, name)]

    @property
    def plain(self) -> bool:
        """Whether it is dense, without delays, and has LIF neurons with one value for each of their parameters."""
        return (
            type(self.block) in (Dense, RecurrentDense)
            and all(type(synapse) is DenseSynapse for synapse in self.synapses)
            and type(self.neuron) in (LIF, LIFReset)
            and all(np.size(value.init) == 1 for value in (self.neuron.du, self.neuron.dv, self.neuron.vth))
        )

    @property
    def flattens(self) -> bool:
        """Whether the loader passes it a convolution's neurons as a vector that counts the channel first, then y, then x."""
        return type(self.block.inp.in_connections[0]) is ReshapePort

    def check_kind(self) -> None:
        """Refuse what the loader does not make, or what is not modelled here."""
        for what, process, known in (
            ("block", self.block, _BLOCKS),
            *(("synapse", synapse, _SYNAPSES) for synapse in self.synapses),
            ("neuron", self.neuron, _NEURONS),
        ):
            if type(process) not in known:
                names = ", ".join(sorted({kind.__name__ for kind in known}))
                self.fail(f"a {type(process).__name__} {what} is not supported, fused are {names}")

    def check_connections(self) -> None:
        """Refuse connections that the loader did not make: nothing inside a fused network can be reached from outside."""
        layers, block = self._network.layers, self.block
        before = self._network.inp if self._index == 0 else layers[self._index - 1].out
        after = self._network.out if block is layers[-1] else layers[self._index + 1].inp
        inside = [synapse.a_out for synapse in self.synapses]
        recurrent = [synapse.s_in for synapse in self.synapses[1:]]
        expected: list[tuple[Iterable[AbstractPort], list[AbstractPort]]] = [
            (_real(block.inp.in_connections, forward=False), [before]),
            (block.neuron.a_in.in_connections, inside),
            (block.neuron.s_out.out_connections, [block.out, *recurrent]),
            (_real(block.out.out_connections, forward=True), [after]),
        ]
        if self.synapses:
            expected.append((self.synapses[0].s_in.in_connections, [block.inp]))
        expected += [(port.out_connections, [block.neuron.a_in]) for port in inside]
        if any(set(map(id, found)) != set(map(id, wanted)) for found, wanted in expected) or list(block.neuron.var_ports):
            self.fail("something is connected to its inside; connect the network's inp and out, and record the rest (Record)")

    def matrix(self, synapse: Any) -> tuple[Integers, int]:
        """Weights [neurons, sources] as the synapses' model clips and truncates them before its first step, and their exponent."""
        weights = synapse.weights.init
        weights = np.asarray(weights.toarray() if hasattr(weights, "toarray") else weights)
        mode = synapse.proc_params.get("sign_mode") or determine_sign_mode(weights)
        bits = synapse.proc_params.get("num_weight_bits", _REGISTER_BITS)
        stored = truncate_weights(clip_weights(weights, mode, num_bits=_REGISTER_BITS), mode, bits)
        return stored.astype(np.int64), int(synapse.proc_params.get("weight_exp", 0))

    def threshold(self, value: Any) -> Any:
        """``vThMant``, one or of each neuron."""
        return self.numbers("vThMant", value, -STATE_LIMIT, STATE_LIMIT)

    def decays(self) -> tuple[Any, Any]:
        """``iDecay`` and ``vDecay``, one or of each neuron."""
        # Lava adds 1 to du; lava-dl has subtracted it.
        current = self.numbers("iDecay", self.neuron.du.init + 1, 0, 1 << DECAY_BITS)
        return current, self.numbers("vDecay", self.neuron.dv.init, 0, 1 << DECAY_BITS)

    def bias(self) -> Integers:
        """Bias of LIF neurons in units of the voltage, int64 [neurons]."""
        mantissa = np.asarray(self.neuron.bias_mant.init)
        if mantissa.size not in (1, self.size):
            self.fail(f"bias has {mantissa.size} values for {self.size} neurons")
        # The model keeps it in 16 bits.
        mantissa = np.broadcast_to(mantissa.reshape(-1).astype(np.int16), self.size)
        exponent: int = self.numbers("bias exponent", np.unique(self.neuron.bias_exp.init), 0, 7, of_each=False)
        return mantissa.astype(np.int64) << exponent

    def reset(self) -> tuple[int, int]:
        """Interval and phase of the periodic resets; (0, 0): none."""
        if type(self.neuron) is not LIFReset:
            return 0, 0
        interval = int(self.neuron.proc_params["reset_interval"])
        return interval, int(self.neuron.proc_params["reset_offset"]) % interval

    def numbers(self, name: str, value: Any, low: int, high: int, *, of_each: bool = True) -> Any:
        """An integer of a range, or, if ``of_each`` allows it, int64 [neurons]."""
        values: NDArray[Any] = np.asarray(value).reshape(-1)
        several = self.size if of_each else 1
        if values.size not in (1, several):
            self.fail(f"{name} has {values.size} values, expected one{f', or {several}' if several > 1 else ''}")
        if values.dtype.kind not in "biu":
            self.fail(f"{name} is a {values.dtype}, integers are supported")
        outside = values[(values < low) | (values > high)]
        if outside.size:
            self.fail(f"{name} is {outside[0]}, {low} to {high} are supported")
        return int(values[0]) if values.size == 1 else values.astype(np.int64)

    def fail(self, message: str) -> NoReturn:
        """Raise a ModelFileError that names file and layer."""
        raise ModelFileError(f"{self._network.filename}: layer {self._index}: {message}")


def _real(ports: list[AbstractPort], *, forward: bool) -> Iterable[AbstractPort]:
    """The ports behind those that the loader puts between for a flatten layer; others stay as they are."""
    for port in ports:
        ours = type(port) is ReshapePort or (type(port) is TransposePort and list(port.axes) == _FLATTEN)
        yield from _real(port.out_connections if forward else port.in_connections, forward=forward) if ours else (port,)
