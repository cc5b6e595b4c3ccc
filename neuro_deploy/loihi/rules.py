"""What a chain must keep to so that the chip and the simulator compute what the model computes.

Each rule is a small function that returns its violations; :func:`check` runs them all and reports everything at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.neurons import Lif
from neuro_deploy.ir.semantics import FRACTION_BITS
from neuro_deploy.ir.synapses import Kernel
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.bounds import current_bounds, own_bias, voltage_bounds
from neuro_deploy.loihi.weights import is_mixed, shift_of, stored_weights


@dataclass(frozen=True)
class Use:
    """How a chain is going to be used; the ranges depend on it.

    Attributes:
        message_bits: bits of the graded input; a channel carries at most ``2**message_bits - 1``.
        steps: T, steps of a sample.
    """

    message_bits: int
    steps: int


Rule = Callable[[Chain, Use], list[str]]


def check(chain: Chain, *, message_bits: int, steps: int) -> None:
    """Run all rules.

    Args:
        chain: the network.
        message_bits: bits of the graded input, 1 to 24.
        steps: T, steps of a sample.

    Raises:
        RuleError: lists every violation of every rule.
    """
    violations = violations_of(chain, Use(message_bits, steps))
    if violations:
        raise RuleError("; ".join(violations))


def violations_of(chain: Chain, use: Use) -> list[str]:
    """All violations, in the order of the rules; a stage of rules is run when the one before found nothing."""
    for rules in STAGES if chain.constant else ADOPTED:
        found = [violation for rule in rules for violation in rule(chain, use)]
        if found:
            return found
    return []


def chained(chain: Chain, use: Use) -> list[str]:
    """Each layer has as many columns as the one before has neurons, and a square recurrent matrix."""
    found = []
    before, width = "input", chain.input_size
    for index, layer in enumerate(chain.layers):
        if layer.plain and (layer.weight.ndim != 2 or layer.size < 1):
            found.append(f"{_name(chain, index)}: weights of shape {list(layer.weight.shape)}: expected [neurons, inputs]")
            return found
        if layer.sources != width:
            found.append(f"{before} [{width}] -> {_name(chain, index)} [{layer.sources}]: sizes differ")
        if layer.plain and layer.weight_rec is not None and layer.weight_rec.shape != (layer.size, layer.size):
            shape = list(layer.weight_rec.shape)
            found.append(f"{_name(chain, index)}: recurrent weights of shape {shape}: expected [{layer.size}, {layer.size}]")
        before, width = _name(chain, index), layer.size
    return found


def message_bits(chain: Chain, use: Use) -> list[str]:
    """The constant channel needs one bit of payload, and a spike carries 24."""
    if 1 <= use.message_bits <= limits.MESSAGE_BITS_MAX:
        return []
    return [f"input: {use.message_bits} message bits: use 1 to {limits.MESSAGE_BITS_MAX}"]


def weight_range(chain: Chain, use: Use) -> list[str]:
    """Weights are 8 bits: even from -256 to 254 when their signs are mixed, else 0 to 255 in magnitude."""
    found = []
    for index, layer in enumerate(chain.layers):
        joint = _joint(layer)
        mixed = is_mixed(joint)
        low = limits.WEIGHT_MIN_MIXED if mixed else -limits.WEIGHT_MAX_UNSIGNED if joint.min() < 0 else 0
        high = limits.WEIGHT_MAX_MIXED if mixed else limits.WEIGHT_MAX_UNSIGNED if joint.min() >= 0 else 0
        if joint.max() > high:
            found.append(f"{_name(chain, index)}: weight {joint.max()} exceeds {high}: scale the layer and its threshold down")
        if joint.min() < low:
            found.append(f"{_name(chain, index)}: weight {joint.min()} is below {low}: scale the layer and its threshold down")
        if mixed and (joint % limits.WEIGHT_STEP_MIXED).any():
            odd = joint[joint % limits.WEIGHT_STEP_MIXED != 0]
            found.append(f"{_name(chain, index)}: {odd.size} odd weights, the first is {odd[0]}: mixed-sign weights are even")
    return found


def weight_bits(chain: Chain, use: Use) -> list[str]:
    """A matrix of mixed signs has 7 bits beside the sign: odd weights fit where all of them can be moved up."""
    found = []
    for index, layer in enumerate(chain.layers):
        if any(isinstance(connection.weight, Kernel) for connection in layer.connections) or not layer.connections:
            continue
        joint = _joint(layer)
        if (
            joint.any()
            and is_mixed(joint)
            and shift_of(joint) < 1
            and (odd := joint[joint % limits.WEIGHT_STEP_MIXED != 0]).size
        ):
            found.append(
                f"{_name(chain, index)}: {odd.size} odd weights, the first is {odd[0]}: beside others of the other sign and beyond "
                "127 they need a ninth bit, which Lava's simulation has, but the chip does not"
            )
    return found


def weight_zero(chain: Chain, use: Use) -> list[str]:
    """lava-dl cannot load a layer without synapses (it divides by the largest weight)."""
    return [
        f"{_name(chain, index)}: all weights are zero, which lava-dl cannot load: remove the layer or train it"
        for index, layer in enumerate(chain.layers)
        if not _joint(layer).any()
    ]


def threshold_range(chain: Chain, use: Use) -> list[str]:
    """Thresholds are 17 bits, and positive."""
    return _outside(chain, "threshold", limits.THRESHOLD_MIN, limits.THRESHOLD_MAX)


def decay_range(chain: Chain, use: Use) -> list[str]:
    """Decays are 12 bits; the current's is stored less one."""
    return _outside(chain, "current_decay", limits.CURRENT_DECAY_MIN, limits.CURRENT_DECAY_MAX) + _outside(
        chain, "voltage_decay", limits.VOLTAGE_DECAY_MIN, limits.VOLTAGE_DECAY_MAX
    )


def bias_range(chain: Chain, use: Use) -> list[str]:
    """The chip's own bias has a 13-bit mantissa."""
    return _outside(chain, "bias", limits.BIAS_MIN, limits.BIAS_MAX)


def delay_range(chain: Chain, use: Use) -> list[str]:
    """A synapse holds a message back by 62 steps at most."""
    return [
        f"{_name(chain, index)}: a delay of {connection.longest} steps exceeds {limits.DELAY_MAX}: use shorter ones"
        for index, layer in enumerate(chain.layers)
        for connection in layer.connections
        if connection.longest > limits.DELAY_MAX
    ]


def _outside(chain: Chain, parameter: str, low: int, high: int) -> list[str]:
    """A parameter of LIF neurons, of each or of all, against its range."""
    found = []
    for index, layer in enumerate(chain.layers):
        values = getattr(layer.neurons, parameter, None) if isinstance(layer.neurons, Lif) else None
        if values is None:
            continue
        each = np.atleast_1d(values)
        wrong = np.flatnonzero((each < low) | (each > high))
        if wrong.size:
            worst = each[wrong[np.abs(each[wrong]).argmax()]]
            where = f" (of {wrong.size:,} neurons, {wrong[0]} the first)" if each.size > 1 and parameter != "bias" else ""
            found.append(f"{_name(chain, index)}: {parameter.replace('_', ' ')} {worst} is outside {low}..{high}{where}")
    return found


def weights_stored(chain: Chain, use: Use) -> list[str]:
    """What Lava stores is what was asked for."""
    found = []
    for index, layer in enumerate(chain.layers):
        stored, stored_rec = stored_weights(layer.weight, layer.weight_rec)
        pairs: list[tuple[str, NDArray[np.int64], NDArray[np.int64]]] = [("weight", layer.weight, stored)]
        if layer.weight_rec is not None and stored_rec is not None:
            pairs.append(("recurrent weight", layer.weight_rec, stored_rec))
        for what, asked, kept in pairs:
            if (asked != kept).any():
                where = tuple(int(i) for i in np.argwhere(asked != kept)[0])
                found.append(
                    f"{_name(chain, index)}: {what} {asked[where]} at {list(where)} would be stored as {kept[where]}: "
                    f"a matrix of one sign has no {asked[where]}, use a smaller magnitude"
                )
    return found


def current_range(chain: Chain, use: Use) -> list[str]:
    """The synaptic current cannot wrap, whatever the input."""
    found = []
    for index in _integrating(chain):
        current = current_bounds(chain, index, use.message_bits, steps=_longest(chain, index, use))
        worst = int(max(current[1].max(), -current[0].min()))
        if worst > limits.STATE_MAX:
            neuron = int(np.maximum(current[1], -current[0]).argmax())
            found.append(
                f"{_name(chain, index)}: neuron {neuron}'s current can reach {worst}, beyond {limits.STATE_MAX} it wraps: "
                f"use smaller weights (and threshold){' or fewer message bits' if index == 0 else ''}"
            )
    return found


def voltage_range(chain: Chain, use: Use) -> list[str]:
    """The voltage of a neuron that fires cannot clip, whatever the input (torch does not clip)."""
    found = []
    last = len(chain.layers) - 1
    for index in _integrating(chain):
        if chain.constant and index == last:
            continue  # see readout_range
        everything = _longest(chain, index, use)
        current = current_bounds(chain, index, use.message_bits, steps=everything)
        low, high = voltage_bounds(chain.layers[index], current, everything)
        worst = int(max(high.max(), -low.min()))
        if worst > limits.STATE_MAX and max(current[1].max(), -current[0].min()) <= limits.STATE_MAX:
            neuron = int(np.maximum(high, -low).argmax())
            found.append(
                f"{_name(chain, index)}: neuron {neuron}'s voltage can reach {worst} in magnitude, beyond {limits.STATE_MAX} it clips: "
                f"use smaller weights (and threshold)"
            )
    return found


def readout_range(chain: Chain, use: Use) -> list[str]:
    """The read-out can add up T steps of the worst input without firing or clipping; its bias is on at each of them."""
    index = len(chain.layers) - 1
    layer = chain.layers[index]
    limit = layer.threshold << FRACTION_BITS
    current = current_bounds(chain, index, use.message_bits, bias_always=True)
    constant = own_bias(layer) * (use.steps + chain.latency)
    # A voltage that leaks only stays further inside than the sum.
    high = int((current[1] * use.steps + constant).max(initial=0))
    low = int((current[0] * use.steps + constant).min(initial=0))
    remedy = f"over {use.steps} steps: use smaller read-out weights"
    found = []
    if high > limit:
        found.append(f"{_name(chain, index)}: the read-out can reach {high} and fires above {limit} {remedy}")
    if low < -limits.STATE_MAX:
        found.append(f"{_name(chain, index)}: the read-out can reach {low} and clips below {-limits.STATE_MAX} {remedy}")
    return found


STAGES: tuple[tuple[Rule, ...], ...] = (
    (chained,),
    (message_bits, weight_zero, weight_range, threshold_range, decay_range, bias_range),
    (weights_stored, current_range, voltage_range, readout_range),
)
"""Whether the shapes fit; whether the numbers can be written down at all; whether what is written computes without surprises."""

ADOPTED: tuple[tuple[Rule, ...], ...] = ((chained,), (weight_bits, threshold_range, decay_range, bias_range, delay_range))
"""Those for networks that this project did not make: how far their numbers go is theirs to say."""


def risks_of(chain: Chain, use: Use) -> list[str]:
    """What the worst input could do to the states of a network of others; most data never do.

    No backend differs there, all wrap and clip as the chip does; the model that the network was trained as does not. Sigma-delta
    neurons have no such ranges, and what neurons take from the input itself is what the data are.

    Args:
        chain: the network; those of this project are held to these ranges by :func:`violations_of`.
        use: how it is going to be used.
    """
    return [] if chain.constant else [*current_range(chain, use), *voltage_range(chain, use)]


def _integrating(chain: Chain) -> list[int]:
    """Layers of LIF neurons with synapses."""
    return [index for index, layer in enumerate(chain.layers) if layer.connections and isinstance(layer.neurons, Lif)]


def _longest(chain: Chain, index: int, use: Use) -> int:
    """Steps without a reset of a layer of LIF neurons."""
    neurons = chain.layers[index].neurons
    interval = neurons.reset_interval if isinstance(neurons, Lif) else 0
    everything = use.steps + chain.latency + chain.gap
    return min(interval, everything) if interval else everything


def _joint(layer: Layer) -> NDArray[np.int64]:
    """All numbers that are stored for a layer's synapses."""
    weights = [connection.weight for connection in layer.connections]
    return np.concatenate([(one.weight if isinstance(one, Kernel) else one).reshape(-1) for one in weights])


def _name(chain: Chain, index: int) -> str:
    names = [s.name for s in chain.layers[index].segments if s.of_model]
    return f"layer {index} ({', '.join(names)})" if names else f"layer {index}"
