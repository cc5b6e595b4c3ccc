"""What a NetX network of Lava processes would compute: everything is read from the processes, nothing from the file.

Whatever lava-dl's loader did to weights, exponents, biases and resets is therefore in it. What cannot be fused is refused here,
before anything runs.
"""

from typing import Any, NoReturn

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.lib.dl.netx.blocks.process import Dense, RecurrentDense
from lava.proc.dense.process import Dense as DenseSynapse
from lava.proc.lif.process import LIF, LIFReset
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

from neuro_deploy.engine.stepper import Integers, Neurons, Synapses
from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, STATE_LIMIT

_SUPPORTED = "fused are dense and dense_rec layers of CUBA neurons, without delays, one after the other"

_REGISTER_BITS = 8


def read_layers(network: hdf5.Network) -> list[Neurons]:
    """The layers of a network as Lava's fixed-point models would run them.

    Args:
        network: not compiled yet.

    Raises:
        ModelFileError: it has a part that is not supported; the message names the layer.
    """
    if not network.layers:
        raise ModelFileError(f"{network.filename}: there is no layer")
    readers = [_Layer(network, index) for index in range(len(network.layers))]
    for reader in readers:
        reader.check_kind()
    for reader in readers:
        reader.check_connections()
    return [reader.neurons() for reader in readers]


class _Layer:
    """One block of the network; every complaint names it."""

    def __init__(self, network: hdf5.Network, index: int) -> None:
        self._network, self._index = network, index
        self._block: Any = network.layers[index]

    def neurons(self) -> Neurons:
        """Weights and neuron parameters."""
        neuron = self._block.neuron
        interval, phase = self._reset(neuron)
        rec = self._synapses(self._block.synapse_rec) if isinstance(self._block, RecurrentDense) else None
        return Neurons(
            inputs=self._synapses(self._block.synapse),
            recurrent=rec,
            # Lava adds 1 to du; lava-dl has subtracted it.
            current_decay=self._within("iDecay", neuron.du.init + 1, 0, 1 << DECAY_BITS),
            voltage_decay=self._within("vDecay", neuron.dv.init, 0, 1 << DECAY_BITS),
            threshold=self._within("vThMant", neuron.vth.init, -STATE_LIMIT, STATE_LIMIT) << FRACTION_BITS,
            bias=self._bias(neuron),
            reset_interval=interval,
            reset_phase=phase,
        )

    def check_kind(self) -> None:
        """Refuse other layers, synapses and neurons."""
        if type(self._block) not in (Dense, RecurrentDense):
            self._fail(f"a {type(self._block).__name__} block is not supported: {_SUPPORTED}")
        for name in ("synapse", "synapse_rec"):
            synapse = getattr(self._block, name, None)
            if synapse is not None and type(synapse) is not DenseSynapse:
                self._fail(
                    f"a {type(synapse).__name__} synapse is not supported (sparse_fc_layer or a delay makes one): {_SUPPORTED}"
                )
        if type(self._block.neuron) not in (LIF, LIFReset):
            self._fail(f"a {type(self._block.neuron).__name__} neuron is not supported: {_SUPPORTED}")

    def check_connections(self) -> None:
        """Refuse connections that the loader did not make: nothing inside a fused network can be reached from outside."""
        layers, block = self._network.layers, self._block
        first, last = self._index == 0, block is layers[-1]
        before = self._network.inp if first else layers[self._index - 1].out
        after = self._network.out if last else layers[self._index + 1].inp
        recurrent = [block.synapse_rec.s_in] if isinstance(block, RecurrentDense) else []
        expected = [
            (block.inp.in_connections, [before]),
            (block.synapse.s_in.in_connections, [block.inp]),
            (block.synapse.a_out.out_connections, [block.neuron.a_in]),
            (block.neuron.s_out.out_connections, [block.out, *recurrent]),
            (block.out.out_connections, [after]),
        ]
        if isinstance(block, RecurrentDense):
            expected.append((block.synapse_rec.a_out.out_connections, [block.neuron.a_in]))
        if any(set(map(id, found)) != set(map(id, wanted)) for found, wanted in expected) or list(block.neuron.var_ports):
            self._fail("something is connected to its inside; connect the network's inp and out, and record the rest (Record)")

    def _synapses(self, synapse: Any) -> Synapses:
        """Clip and truncate as the synapse's model does before its first step."""
        weights = synapse.weights.init
        mode = synapse.proc_params.get("sign_mode") or determine_sign_mode(weights)
        bits = synapse.proc_params.get("num_weight_bits", _REGISTER_BITS)
        stored = truncate_weights(clip_weights(weights, mode, num_bits=_REGISTER_BITS), mode, bits)
        return Synapses(stored.astype(np.int64), int(synapse.proc_params.get("weight_exp", 0)))

    def _bias(self, neuron: Any) -> Integers:
        """Bias in units of the voltage."""
        mantissa = np.asarray(neuron.bias_mant.init)
        if mantissa.size not in (1, *self._block.shape):
            self._fail(f"bias has {mantissa.size} values for {self._block.shape[0]} neurons")
        # The model keeps it in 16 bits.
        mantissa = np.broadcast_to(mantissa.reshape(-1).astype(np.int16), self._block.shape)
        return mantissa.astype(np.int64) << self._within("bias exponent", neuron.bias_exp.init, 0, 7)

    def _reset(self, neuron: Any) -> tuple[int, int]:
        if type(neuron) is not LIFReset:
            return 0, 0
        interval = int(neuron.proc_params["reset_interval"])
        return interval, int(neuron.proc_params["reset_offset"]) % interval

    def _within(self, name: str, value: Any, low: int, high: int) -> int:
        values = np.asarray(value).reshape(-1)
        if values.size != 1:
            self._fail(f"{name} has {values.size} values, one for the whole layer is supported")
        if values.dtype.kind not in "biu":
            self._fail(f"{name} is a {values.dtype}, integers are supported")
        if not low <= int(values[0]) <= high:
            self._fail(f"{name} is {values[0]}, {low} to {high} are supported")
        return int(values[0])

    def _fail(self, message: str) -> NoReturn:
        raise ModelFileError(f"{self._network.filename}: layer {self._index}: {message}")
