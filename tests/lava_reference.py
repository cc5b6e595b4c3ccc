"""The real Lava and lava-dl functions that ours are held against; importing this takes seconds."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from netx_files import FileNetwork
from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lava.lib.dl.netx import hdf5
    from lava.lib.dl.netx.blocks.process import Input
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.dense.models import PyDenseModelBitAcc
    from lava.proc.lif.models import PyLifModelBitAcc
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    from neuro_deploy.backends.lava_worker import PySource, Source, sink_for

Integers = NDArray[np.int64]


def stored(weight: Integers, weight_rec: Integers | None) -> tuple[Integers, Integers | None]:
    """What netx and Dense make of the weights, in the words of their own code."""
    joint = weight if weight_rec is None else np.hstack((weight, weight_rec))
    optimised, bits, exponent, _ = optimize_weight_bits(joint)
    parts = optimised[:, : weight.shape[1]], optimised[:, weight.shape[1] :]
    kept = []
    for part in parts[: 1 if weight_rec is None else 2]:
        mode = determine_sign_mode(part)
        part = truncate_weights(clip_weights(part, mode, num_bits=8), mode, bits)
        kept.append(np.left_shift(part, exponent) if exponent > 0 else np.right_shift(part, -exponent))
    return kept[0], kept[1] if len(kept) > 1 else None


def lif_steps(
    a: Integers, *, current_decay: int, voltage_decay: int, threshold: int, bias: Integers
) -> list[dict[str, Integers]]:
    """States of Lava's own LIF model after each step; ``a`` is [steps, neurons]."""
    model: Any = PyLifModelBitAcc({})
    model.du, model.dv = np.array([current_decay - 1]), np.array([voltage_decay])
    model.vth = np.array([threshold])
    model.bias_mant, model.bias_exp = bias.astype(np.int16), np.full(bias.shape, 6)
    model.u, model.v = np.zeros(a.shape[1], np.int32), np.zeros(a.shape[1], np.int32)
    model.scale_threshold()
    states = []
    for row in a:
        model.scale_bias()
        model.subthr_dynamics(activation_in=row.astype(np.int32))
        spikes = model.spiking_activation()
        model.reset_voltage(spike_vector=spikes)
        states.append({"u": model.u.copy(), "v": model.v.copy(), "s": spikes.copy()})
    return states


def dense_model(synapse: Any) -> Any:
    """The model of a Dense process, after a step that received nothing."""

    class Port:
        def send(self, data: Integers) -> None:
            pass

        def recv(self) -> Integers:
            return np.zeros(synapse.s_in.size, np.int64)

    model: Any = PyDenseModelBitAcc(synapse.proc_params)
    model.s_in = model.a_out = Port()
    model.weights, model.a_buff = synapse.weights.init, np.zeros(synapse.a_out.size, np.int64)
    model.num_message_bits = np.array([synapse.num_message_bits.init])
    model.run_spk()
    return model


def network(path: Path, message_bits: int) -> Any:
    """A NetX file as stock lava-dl loads it."""
    return hdf5.Network(net_config=str(path), input_message_bits=message_bits)


def run_networks(jobs: Sequence[tuple[Path, FileNetwork, NDArray[np.int32]]]) -> list[list[Integers]]:
    """What each layer of some networks sends in stock Lava, [steps, neurons]; one start of Lava runs them all.

    Args:
        jobs: NetX file, how it is loaded, and its input [steps, *shape]; as many steps for each.
    """
    steps = len(jobs[0][2])
    models: dict[Any, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        ports: list[Any] = []
        networks = []
        for index, (path, made, rows) in enumerate(jobs):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # resets of sigma-delta neurons, delays that are cut
                net = hdf5.Network(net_config=str(path), input_message_bits=made.bits, **made.loading)
            file = Path(folder) / f"{index}.npy"
            np.save(file, rows)
            source = Source(file, net.in_layer.inp.shape)
            source.s_out.connect(net.in_layer.neuron.a_in if isinstance(net.in_layer, Input) else net.inp)
            models[source] = PySource
            ports += [layer.out for layer in net.layers]
            networks.append(net)
        record = Path(folder) / "sent.npy"
        np.save(record, np.zeros((steps, sum(port.size for port in ports)), np.int32))
        sink, model = sink_for(ports, record)
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models | {sink: model})
        networks[0].run(condition=RunSteps(steps), run_cfg=config)
        networks[0].stop()
        columns = np.split(np.load(record).astype(np.int64), np.cumsum([port.size for port in ports])[:-1], axis=1)
    ends = np.cumsum([len(net.layers) for net in networks]).tolist()
    return [columns[end - len(net.layers) : end] for end, net in zip(ends, networks, strict=True)]
