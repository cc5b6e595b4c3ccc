"""A chain in brian2-loihi, an emulator of Loihi that shares no code with Lava or this project."""

import time
from collections.abc import Sequence
from typing import Any

import brian2
import numpy as np
from brian2_loihi import LoihiNetwork, LoihiNeuronGroup, LoihiSpikeGeneratorGroup, LoihiSpikeMonitor, LoihiSynapses
from numpy.typing import NDArray

from neuro_deploy.chain import Chain

_MIXED = 1
"""Sign mode of weights of both signs."""

_NO_REFRACTORY = 1
"""A neuron may fire again at the next step."""

_NEVER = 1e9
"""Seconds between two reports; so long that there are two, at the first step and after the last."""


class Emulator:
    """One sample in brian2-loihi, from rest.

    Args:
        chain: without biases of its own, as the lowering makes them.
        injected: int32 [steps, input channels].
        message_bits: of the input's graded values.
    """

    def __init__(self, chain: Chain, injected: NDArray[np.int32], message_bits: int) -> None:
        brian2.prefs.codegen.target = "numpy"
        self._steps = len(injected)
        inputs = [_generator(injected, bit) for bit in range(message_bits)]
        groups = [_neurons(layer) for layer in chain.layers]
        synapses: list[Any] = []
        for index, (layer, group) in enumerate(zip(chain.layers, groups, strict=True)):
            # A graded value acts as spikes of its bits on synapses whose weights have the bit's exponent.
            sources = list(enumerate(inputs)) if index == 0 else [(0, groups[index - 1])]
            synapses += [_connect(source, group, layer.weight, exponent) for exponent, source in sources]
            if layer.weight_rec is not None:
                synapses.append(_connect(group, group, layer.weight_rec, 0))
        self._monitors = [LoihiSpikeMonitor(group) for group in groups]
        self._network = LoihiNetwork(*inputs, *groups, *synapses, *self._monitors)
        self._network.store()

    def run(self) -> tuple[float, list[NDArray[np.uint8]]]:
        """Run all steps.

        Returns:
            Seconds of the steps alone, without brian2's preparation, and the spikes of each layer, uint8 [steps, neurons].
        """
        moments: list[float] = []
        self._network.restore()
        self._network.run(
            self._steps,
            report=lambda *_: moments.append(time.perf_counter()),
            report_period=_NEVER * brian2.second,
        )
        return moments[-1] - moments[0], [self._spikes(monitor) for monitor in self._monitors]

    def _spikes(self, monitor: Any) -> NDArray[np.uint8]:
        spikes = np.zeros((self._steps, monitor.source.N), np.uint8)
        # Its own `t` cuts instead of rounding, which is wrong from step 4007 on.
        spikes[np.rint(np.asarray(monitor.t_) * 1000).astype(int), np.asarray(monitor.i)] = 1
        return spikes


def _generator(injected: NDArray[np.int32], bit: int) -> Any:
    """Spikes where a bit of the input is set."""
    step, channel = np.nonzero((injected >> bit) & 1)
    return LoihiSpikeGeneratorGroup(injected.shape[1], channel, (step + 1).tolist())  # it acts in the next step


def _neurons(layer: Any) -> Any:
    return LoihiNeuronGroup(
        layer.size,
        refractory=_NO_REFRACTORY,
        threshold_v_mant=int(layer.threshold),
        decay_v=int(layer.voltage_decay),
        decay_I=int(layer.current_decay),
    )


def _connect(source: Any, target: Any, weight: NDArray[np.int64], exponent: int) -> Any:
    targets, sources = np.nonzero(weight)
    synapses = LoihiSynapses(source, target, sign_mode=_MIXED, w_exp=exponent)
    synapses.connect(i=sources, j=targets)
    synapses.w = weight[targets, sources]
    return synapses


def mismatches(found: Sequence[NDArray[np.uint8]], expected: Sequence[NDArray[np.uint8]]) -> int:
    """How many spikes of all layers differ."""
    return sum(int(np.count_nonzero(one != other[: len(one)])) for one, other in zip(found, expected, strict=True))
