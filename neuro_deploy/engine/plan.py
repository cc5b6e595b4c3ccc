"""From a chain to what the kernels run, in the narrowest numbers that are exact for every possible input."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.engine.general import GeneralPlan
from neuro_deploy.engine.kernels import Neuron
from neuro_deploy.engine.rows import Rows, pack, padded
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.semantics import DECAY_BITS, FRACTION_BITS, STATE_LIMIT

_EXACT_BITS = 40
"""A state below ``2**40`` times a 13-bit factor fits the 53 bits of a float64."""


@dataclass(frozen=True)
class LayerPlan:
    """A layer as :func:`neuro_deploy.engine.kernels.run_layer` takes it.

    Attributes:
        forward: synapses from the layer before.
        recurrent: synapses from the layer itself; there may be none.
        neuron: parameters of its neurons.
        sums: zeros [neurons, padded] to be copied: int32 with weights of int16, or int64 with weights of int64.
        graded: whether messages count as often as they say.
    """

    forward: Rows
    recurrent: Rows
    neuron: Neuron
    sums: NDArray[Any]
    graded: bool


Plan = LayerPlan | GeneralPlan


def make_plan(chain: Chain, largest_input: int, steps: int) -> tuple[Plan, ...]:
    """Lay out all layers: plain ones for a kernel that knows them before it runs, the others for one that looks while it runs.

    Args:
        chain: the network.
        largest_input: no channel carries a larger magnitude.
        steps: chip steps of a sample.

    Raises:
        BackendError: a layer's numbers can leave the range in which the kernels are exact.
    """
    plans: list[Plan] = []
    graded = False  # the layer before
    for index, layer in enumerate(chain.layers):
        who = f"fast: layer {index}"
        if layer.plain and not (graded and layer.connections[0].graded):
            plans.append(_plan_layer(layer, who, largest_input if index == 0 and layer.connections[0].graded else 1, steps))
        else:
            plans.append(GeneralPlan(layer, who))
        graded = layer.graded
    return tuple(plans)


def _plan_layer(layer: Layer, who: str, largest: int, steps: int) -> LayerPlan:
    recurrent = np.zeros((layer.size, 0), np.int64) if layer.weight_rec is None else layer.weight_rec
    reach = require_exact(layer, who, largest, steps, _EXACT_BITS, "use the integer backend")
    heaviest = max(int(np.abs(weight).max(initial=0)) for weight in (layer.weight, recurrent))
    narrow = reach < 1 << 31 and heaviest < 1 << 15
    dtype = np.int16 if narrow else np.int64
    biased = layer.bias is not None and bool(layer.bias.any())
    neuron = Neuron(
        threshold=float(layer.threshold << FRACTION_BITS),
        keep_current=_kept(layer.current_decay),
        keep_voltage=_kept(layer.voltage_decay),
        bias=_drive(layer) if biased else np.zeros(0),
        rests=not biased and layer.threshold >= 0,
    )
    sums = np.zeros(padded(layer.size), np.int32 if narrow else np.int64)
    return LayerPlan(pack(layer.weight, dtype), pack(recurrent, dtype), neuron, sums, layer.connections[0].graded)


def _drive(layer: Layer) -> NDArray[np.float64]:
    """The bias of each neuron and of the padding, in units of the voltage."""
    drive = np.zeros(padded(layer.size))
    if layer.bias is not None:
        drive[: layer.size] = layer.bias << FRACTION_BITS
    return drive


def _kept(decay: int) -> float:
    return 1 - decay / (1 << DECAY_BITS)


def require_exact(layer: Layer, who: str, largest: int, steps: int, bits: int, advice: str) -> int:
    """Refuse a layer whose numbers, whatever fires, can leave the range in which an engine is exact.

    Args:
        layer: its weights and parameters.
        who: the engine and the layer, for the message.
        largest: no source of the layer carries more.
        steps: chip steps of a sample.
        bits: the engine is exact below ``2**bits``, in units of the voltage.
        advice: what to do instead.

    Returns:
        The largest magnitude of a sum of weights, and of all its partial sums.

    Raises:
        BackendError: the synaptic current, the bias or the threshold can be larger.
    """
    recurrent = 0.0 if layer.weight_rec is None else np.abs(layer.weight_rec).sum(axis=1, dtype=np.float64)
    # In floating point, which cannot overflow, and rounded up.
    rows = largest * np.abs(layer.weight).sum(axis=1, dtype=np.float64) + recurrent
    reach = int(np.ceil(rows.max(initial=0) * (1 + 1e-9)))
    # A current with memory adds up to a geometric series, or at most to one sum for each step.
    memory = steps if layer.current_decay < 1 else min(steps, -(-(1 << DECAY_BITS) // layer.current_decay))
    magnitudes = {
        "synaptic current": (reach << FRACTION_BITS) * memory + 2 * STATE_LIMIT,
        "bias": 0 if layer.bias is None else int(np.abs(layer.bias).max(initial=0)) << FRACTION_BITS,
        "threshold": abs(layer.threshold) << FRACTION_BITS,
    }
    for what, magnitude in magnitudes.items():
        if magnitude >= 1 << bits:
            raise BackendError(f"{who}: the {what} can reach {magnitude}, this engine is exact below 2**{bits}: {advice}")
    return reach
