"""Why a block and its layer differ: each cause is tried, and named where the difference goes with it, or where it is seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.neurons import Lif
from neuro_deploy.ir.semantics import run_layer
from neuro_deploy.ir.synapses import Connection, Kernel
from neuro_deploy.loihi import limits
from neuro_deploy.workbench.slayer.module import Block, flat, layout, run, twin

if TYPE_CHECKING:
    from torch import nn

_GONE = 0.1
"""A change after which at most this share of the differences is left is their cause."""


@dataclass(frozen=True)
class Cause:
    """A likely cause.

    Attributes:
        name: short.
        shown: what shows it, and what to do.
    """

    name: str
    shown: str


@dataclass(frozen=True)
class Place:
    """Where a layer differs although it is fed what SLAYER's block before sent.

    Attributes:
        network: the chain.
        module: the user's.
        values: samples as the module reads them.
        blocks: as they ran.
        index: of the block and its layer.
        before: int64 [samples, steps, sources], what the layer is fed.
        offset: SLAYER's step less the chip's.
        mismatches: how many values differ.
    """

    network: Network
    module: "nn.Module"
    values: NDArray[Any]
    blocks: tuple[Block, ...]
    index: int
    before: NDArray[np.int64]
    offset: int
    mismatches: int

    @property
    def block(self) -> Block:
        """Of SLAYER."""
        return self.blocks[self.index]

    @property
    def layer(self) -> Layer:
        """Of the chain."""
        return self.network.chain.layers[self.index]

    def left(self, layer: Layer, from_step: int = 0) -> int:
        """Values that still differ with another layer."""
        from neuro_deploy.workbench.slayer.compare import differing

        sent = run_layer(layer, self.before).sent
        return int(np.count_nonzero(differing(self.block.sent, sent, self.offset)[:, from_step:]))

    def explains(self, left: int) -> bool:
        """Whether the differences went."""
        return left <= _GONE * self.mismatches


def find(place: Place) -> tuple[Cause, ...]:
    """The causes of a difference."""
    tried = (_input, _weights, _parameters, _bias, _resets, _delays, _exponent, _no_neurons)
    found = [cause for cause in (attempt(place) for attempt in tried) if cause is not None]
    return tuple(found) or general(place.module, place.values)


def general(module: "nn.Module", values: NDArray[Any]) -> tuple[Cause, ...]:
    """What is no layer's own: a state that stays from one call to the next. Most blocks have some, so this is asked last."""
    copy = twin(module)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        first, second = (_last(copy(layout(values))) for _ in range(2))
    if first.shape == second.shape and not torch.equal(first, second):
        return (
            Cause(
                "state that is left from the call before",
                "called twice with the same samples, the module answers differently (as recurrent blocks do, whose states persist): "
                "what it was measured with may not be what it does from rest; make it anew, or reset its states, before each call",
            ),
        )
    return ()


def _last(output: Any) -> torch.Tensor:
    found: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return found.detach().clone()


def _input(place: Place) -> Cause | None:
    """Lava's first synapse takes integers, or without message bits whether there is something at all."""
    first, spec = place.network.chain.layers[0], place.network.manifest.input
    if place.index:
        return None
    if not first.connections and (cause := _rounded(place)) is not None:
        return cause
    whole = place.values.reshape(*place.values.shape[:2], -1).astype(np.float64)
    seen = place.before / spec.scale + spec.offset
    if np.allclose(whole, seen, rtol=0, atol=1e-12):
        return None
    cut = run(place.module, seen.reshape(place.values.shape))[0]
    again = replace(place, blocks=(cut, *place.blocks[1:]))
    if not place.explains(again.left(first)):
        return None
    if not first.connections:
        step = f"steps of 1/{spec.scale:g}"
        return Cause(
            "input that is rounded", f"Lava's first layer sees {step}, {_example(whole, seen)}: round the samples in training"
        )
    bits = int(np.ceil(np.abs(whole).max())).bit_length()
    if np.array_equal(whole, np.rint(whole)):
        remedy = f"load the file with message bits ({bits} for these samples)"
    else:
        remedy = "multiply the samples, and the first layer's threshold, until they are integers, and load it with message bits"
    what = "its sums" if first.connections[0].graded else "whether a value is 0"
    return Cause("input that is cut", f"Lava's first synapse sees {what}, {_example(whole, seen)}: {remedy}")


def _rounded(place: Place) -> Cause | None:
    """SLAYER's input block brings samples to 8 bits."""
    block, spec = place.block.block, place.network.manifest.input
    with torch.no_grad():
        hooked = block.pre_hook_fx(layout(place.values))
    inner = flat(hooked)
    fed = np.rint((inner - spec.offset) * spec.scale).astype(np.int64)
    if np.array_equal(fed, place.before) or not place.explains(replace(place, before=fed).left(place.layer)):
        return None
    outer = flat(layout(place.values))
    return Cause(
        "input that SLAYER rounds",
        f"its input block brings samples to 8 bits, steps of 1/32 from -4 to 3.97 (of {outer[outer != inner][0]:g} it sees "
        f"{inner[outer != inner][0]:g}), Lava takes steps of 1/{spec.scale:g}: give both multiples of 1/32 in that range",
    )


def _example(whole: NDArray[np.float64], seen: NDArray[np.float64]) -> str:
    at = tuple(np.argwhere(np.abs(whole - seen) > 1e-12)[0])
    return f"of {whole[at]:g} it sees {seen[at]:g}"


def _weights(place: Place) -> Cause | None:
    """Weights of the block against those that act."""
    for name, connection, real in _pairs(place):
        acting = _matrix(connection, place.network.chain, place.index)
        if real.shape != acting.shape:
            continue
        wrong = np.argwhere(real != acting)
        if not len(wrong):
            continue
        at = tuple(int(i) for i in wrong[0])
        value, acts = float(real[at]), int(acting[at])
        number = f"{len(wrong):,} of {real.size:,} values of {name}, the first {value:g} at {list(at)} acts as {acts}"
        if np.any(real != np.rint(real)):
            return Cause(
                "weights that are not quantised", f"{number}: give the blocks a pre_hook_fx that quantises, and train with it"
            )
        if real.max() > limits.WEIGHT_MAX_MIXED or real.min() < limits.WEIGHT_MIN_MIXED:
            return Cause("a weight beyond 8 bits", f"{number}: weights lie between -256 and 254; clamp them in training")
        odd = np.array_equal(real // 2 * 2, acting) or np.array_equal(np.where(real % 2, acting, real), acting)
        if odd:
            return Cause("odd weights of both signs", f"{number}: next to weights of the other sign, weights are even")
        return Cause("other weights", f"{number}: the file is not of this network, or of another state of it")
    return None


def _pairs(place: Place) -> Iterator[tuple[str, Connection, NDArray[np.float64]]]:
    """Connections of the layer with the weights of the block, in the units of the file."""
    block = place.block.block
    names = ("input_synapse", "recurrent_synapse") if hasattr(block, "recurrent_synapse") else ("synapse",)
    for name, connection in zip(names, place.layer.connections, strict=False):
        synapse = getattr(block, name, None)
        if synapse is None or not hasattr(synapse, "weight"):
            continue
        weight = synapse.weight if not getattr(synapse, "weight_norm_enabled", False) else synapse._weight_norm_result()
        with torch.no_grad():
            hook = synapse.pre_hook_fx
            scaled = hook(weight, descale=True) if hook is not None and _descales(hook) else weight * 64
        yield name, connection, scaled.detach().numpy().astype(np.float64)


def _descales(hook: Callable[..., Any]) -> bool:
    try:
        hook(torch.zeros(1), descale=True)
    except TypeError:
        return False
    return True


def _matrix(connection: Connection, chain: Chain, index: int) -> NDArray[np.int64]:
    """Acting weights in the block's own order, [outputs, inputs, 1, 1, 1] or [outputs, inputs, height, width, 1]."""
    weight = connection.weight
    if isinstance(weight, Kernel):
        return weight.weight.transpose(0, 1, 3, 2)[..., None]
    if index and not connection.recurrent and len(shape := chain.layers[index - 1].shape) == 3:
        weight = weight.reshape(-1, *shape).transpose(0, 3, 2, 1).reshape(len(weight), -1)
    return weight[:, :, None, None, None]


def _parameters(place: Place) -> Cause | None:
    """Thresholds and decays of the neuron against those of the file."""
    neurons, neuron = place.layer.neurons, place.block.block.neuron
    if not isinstance(neurons, Lif):
        return None
    for name, attribute, of in (
        ("threshold", "v_th_mant", neurons.threshold),
        ("current decay", "cx_current_decay", neurons.current_decay),
        ("voltage decay", "cx_voltage_decay", neurons.voltage_decay),
    ):
        if not hasattr(neuron, attribute):
            continue
        real = np.atleast_1d(np.asarray(getattr(neuron, attribute), np.int64)).reshape(-1)
        held = np.atleast_1d(np.asarray(of)).reshape(-1)
        if real.size > 1 and held.size == 1:
            return Cause(
                f"a {name} of each neuron", f"SLAYER has {real.size} values, the file one: train with shared_param=True"
            )
        if real.size == held.size and (real != held).any():
            return Cause(
                f"another {name}", f"{real[real != held][0]} in SLAYER, {held[real != held][0]} in the file: export it again"
            )
    return None


def _bias(place: Place) -> Cause | None:
    """In Lava a bias acts from the first step on, in SLAYER when the layer's input arrives."""
    neurons = place.layer.neurons
    if not isinstance(neurons, Lif) or neurons.bias is None or not place.layer.connections:
        return None
    late = replace(place.layer, neurons=replace(neurons, reset_interval=1 << 30, reset_phase=2))
    if not place.explains(place.left(late, from_step=1)):
        return None
    return Cause(
        "a bias before the input",
        "in Lava a bias acts from the first step on, in SLAYER from that in which the layer's input can arrive: they agree once the "
        "states have forgotten it; let some silent steps pass before a sample, or ignore the first ones",
    )


def _resets(place: Place) -> Cause | None:
    """Periodic resets of the loader that SLAYER has not, or has at other steps."""
    neurons = place.layer.neurons
    if not isinstance(neurons, Lif) or not neurons.reset_interval:
        return None
    if place.explains(place.left(replace(place.layer, neurons=replace(neurons, reset_interval=0)))):
        return Cause("resets", f"Lava resets the layer each {neurons.reset_interval} steps, SLAYER does not: load it without")
    steps = [phase for phase in range(neurons.reset_interval) if phase != neurons.reset_phase]
    for phase in steps:
        if place.explains(place.left(replace(place.layer, neurons=replace(neurons, reset_phase=phase)))):
            return Cause(
                "the phase of the resets", f"SLAYER's are {phase - neurons.reset_phase} steps later: change reset_offset"
            )
    return None


def _delays(place: Place) -> Cause | None:
    """Delays beyond what a synapse has."""
    delay = getattr(place.block.block, "delay", None)
    if delay is None:
        return None
    real = np.floor(delay.delay.detach().numpy().reshape(-1)).astype(np.int64)
    if real.max(initial=0) <= limits.DELAY_MAX:
        return None
    connections = tuple(
        replace(one, delay=np.broadcast_to(real[:, None], (one.neurons, one.sources))) if not one.recurrent else one
        for one in place.layer.connections
    )
    if not place.explains(place.left(replace(place.layer, connections=connections))):
        return None
    return Cause(
        "a delay beyond 62",
        f"{real.max()} steps in SLAYER, Lava cuts at {limits.DELAY_MAX}: block.delay.max_delay = 62 in training",
    )


def _exponent(place: Place) -> Cause | None:
    """WgtScaleBatchNorm exports an exponent of the weights that the loader does not read."""
    norm = getattr(place.block.block.neuron, "norm", None)
    if norm is None or not hasattr(norm, "weight_exp"):
        return None
    exponent = int(np.rint(float(torch.as_tensor(norm.weight_exp).reshape(-1)[0])))
    if not exponent:
        return None
    return Cause(
        "an exponent of the weights that is not read",
        f"WgtScaleBatchNorm divides by 2**{exponent}, which is exported as weight_exp and ignored by the loader: use MeanOnlyBatchNorm",
    )


def _no_neurons(place: Place) -> Cause | None:
    """An affine block has no spikes; Lava makes neurons of it."""
    if "Affine" not in type(place.block.block).__name__:
        return None
    return Cause(
        "a last layer without neurons",
        "an Affine block answers with currents, Lava makes neurons of it that integrate: read their voltage, or end with a Dense block",
    )
