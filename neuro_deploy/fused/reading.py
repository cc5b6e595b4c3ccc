"""What a NetX network of Lava processes would compute: everything is read from the processes, nothing from the file.

Whatever lava-dl's loader did to weights, exponents, biases and resets is therefore in it. What cannot be fused is refused here,
before anything runs.
"""

from lava.lib.dl.netx import hdf5

from neuro_deploy.engine.any_stepper import AnyStepper
from neuro_deploy.engine.stepper import Neurons, Stepper, Synapses
from neuro_deploy.errors import BackendError, ModelFileError, RuleError
from neuro_deploy.fused.any_layer import layer_of
from neuro_deploy.fused.blocks import Block
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.semantics import FRACTION_BITS


def read(network: hdf5.Network) -> Stepper | AnyStepper:
    """A network as Lava's fixed-point models would run it.

    Args:
        network: not compiled yet.

    Raises:
        ModelFileError: it has a part that is not supported; the message names the layer.
    """
    blocks = checked_blocks(network)
    if all(block.plain for block in blocks):
        graded = int(network.layers[0].synapse.num_message_bits.init) > 0
        return Stepper([read_plain(block) for block in blocks], graded=graded)
    layers: list[Layer] = []
    for block in blocks:
        layers.append(layer_of(block, layers[-1].shape if layers else network.inp.shape))
    try:
        return AnyStepper(layers, network.filename)
    except (BackendError, RuleError) as error:
        raise ModelFileError(str(error)) from error


def checked_blocks(network: hdf5.Network) -> list[Block]:
    """The network's blocks.

    Raises:
        ModelFileError: there is none, or it has a part that is not supported.
    """
    if not network.layers:
        raise ModelFileError(f"{network.filename}: there is no layer")
    blocks = [Block(network, index) for index in range(len(network.layers))]
    for block in blocks:
        block.check_kind()
    for block in blocks:
        block.check_connections()
    return blocks


def read_plain(block: Block) -> Neurons:
    """Weights and neuron parameters of a plain block."""
    inputs, *recurrent = (Synapses(*block.matrix(synapse)) for synapse in block.synapses)
    current_decay, voltage_decay = block.decays()
    interval, phase = block.reset()
    return Neurons(
        inputs=inputs,
        recurrent=recurrent[0] if recurrent else None,
        current_decay=current_decay,
        voltage_decay=voltage_decay,
        threshold=block.threshold(block.neuron.vth.init) << FRACTION_BITS,
        bias=block.bias(),
        reset_interval=interval,
        reset_phase=phase,
    )
