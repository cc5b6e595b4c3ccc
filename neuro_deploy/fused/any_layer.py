"""Layers that are not plain, from their Lava processes: convolutions, delays, sigma-delta neurons, parameters of each neuron."""

from typing import Any

import numpy as np
from lava.lib.dl.netx.blocks.process import Conv, Input
from lava.proc.conv.process import Conv as ConvSynapse
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sdn.process import ActivationMode
from lava.proc.sdn.process import Delta as DeltaProcess
from lava.proc.sdn.process import Sigma as SigmaProcess

from neuro_deploy.fused.blocks import Block
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.neurons import Lif, Neurons, Sigma, SigmaDelta
from neuro_deploy.ir.semantics import FRACTION_BITS, STATE_LIMIT
from neuro_deploy.ir.synapses import Connection, Integers, Kernel, flattened


def layer_of(block: Block, before: tuple[int, ...]) -> Layer:
    """The layer as Lava's fixed-point models would run it.

    Args:
        block: not compiled yet.
        before: shape of the neurons that it reads.

    Raises:
        ModelFileError: it has a part that is not supported; the message names the layer.
    """
    connections = tuple(
        _connection(block, synapse, before, recurrent=index == 1) for index, synapse in enumerate(block.synapses)
    )
    kinds = {Input: "input", Conv: "conv"}
    kind = kinds.get(type(block.block), "dense_rec" if len(connections) == 2 else "dense")
    return Layer(connections, _neurons(block), tuple(block.block.shape), kind=kind)


def _connection(block: Block, synapse: Any, before: tuple[int, ...], *, recurrent: bool) -> Connection:
    graded = int(np.max(synapse.num_message_bits.init)) > 0
    if type(synapse) is ConvSynapse:
        return Connection(_kernel(synapse), graded=graded)
    stored, exponent = block.matrix(synapse)
    weight = _scaled(block, stored, exponent)
    delay = _delays(synapse, weight)
    if block.flattens and not recurrent:
        order = flattened(before)
        weight = np.ascontiguousarray(weight[:, order])
        delay = delay if isinstance(delay, int) else np.ascontiguousarray(delay[:, order])
    return Connection(weight, recurrent=recurrent, graded=graded, delay=delay)


def _scaled(block: Block, weight: Integers, exponent: int) -> Integers:
    if exponent >= 0:
        return weight << exponent
    if (weight & ((1 << -exponent) - 1)).any():
        block.fail(
            f"weights with an exponent of {exponent}, whose sums are cut, are not supported beside other kinds of layers"
        )
    return weight >> -exponent


def _delays(synapse: Any, weight: Integers) -> int | Integers:
    if not hasattr(synapse, "delays"):
        return 0
    delays = synapse.delays.init
    values = np.asarray(delays.toarray() if hasattr(delays, "toarray") else delays, np.int64)
    return int(values) if values.ndim == 0 else np.ascontiguousarray(np.broadcast_to(values, weight.shape))


def _kernel(synapse: Any) -> Kernel:
    """Lava has weights as [output channels, width, height, input channels], mirrored along both axes: it convolves."""
    stride, padding, dilation = (
        (int(pair[0]), int(pair[1])) for pair in (synapse.stride.init, synapse.padding.init, synapse.dilation.init)
    )
    width, height, channels = map(int, synapse.input_shape)
    weight = np.ascontiguousarray(np.asarray(synapse.weight.init)[:, ::-1, ::-1].transpose(0, 3, 1, 2), np.int64)
    return Kernel(weight, (width, height, channels), stride, padding, dilation, int(synapse.groups.init))


def _neurons(block: Block) -> Neurons:
    neuron = block.neuron
    if type(neuron) is SigmaProcess:
        return Sigma()
    if type(neuron) in (LIF, LIFReset):
        bias = block.bias()
        if (bias & ((1 << FRACTION_BITS) - 1)).any():
            block.fail(f"a bias with an exponent below {FRACTION_BITS} is not supported beside other kinds of layers")
        interval, phase = block.reset()
        acting = bias >> FRACTION_BITS if bias.any() else None
        return Lif(block.threshold(neuron.vth.init), *block.decays(), acting, interval, phase)
    return _sigma_delta(block, neuron)


def _sigma_delta(block: Block, neuron: Any) -> SigmaDelta:
    if np.any(neuron.cum_error.init):
        block.fail("cum_error of sigma-delta neurons is not supported: leave it off")
    if neuron.proc_params.get("act_mode", ActivationMode.RELU) != ActivationMode.RELU:
        block.fail("sigma-delta neurons are supported with rectified activation alone: leave act_mode as it is")
    state = int(np.max(neuron.state_exp.init))
    fraction = int(np.max(neuron.spike_exp.init)) + state
    # The process has shifted them up.
    threshold = block.numbers("vThMant", np.asarray(neuron.vth.init) >> fraction, 0, STATE_LIMIT, of_each=False)
    sums = type(neuron) is not DeltaProcess
    bias = None
    if sums and np.any(neuron.bias.init):
        values = np.asarray(neuron.bias.init)
        bias = np.ascontiguousarray(np.broadcast_to(values, block.block.shape)).reshape(-1).astype(np.int64) >> fraction
    return SigmaDelta(threshold, bias, sums=sums, fraction=fraction, state=state)
