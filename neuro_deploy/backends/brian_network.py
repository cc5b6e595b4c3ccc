"""A chain in brian2-loihi, an emulator of Loihi that shares no code with Lava or this project.

Imported by :mod:`neuro_deploy.backends.brian2loihi` alone, and only when it runs: brian2 is an optional package and needs a second.
"""

import time
from typing import Any

import brian2
import numpy as np
from brian2_loihi import (
    LoihiNetwork,
    LoihiNeuronGroup,
    LoihiSpikeGeneratorGroup,
    LoihiSpikeMonitor,
    LoihiStateMonitor,
    LoihiSynapses,
)
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.loihi.limits import WEIGHT_STEP_MIXED

_MIXED, _EXCITATORY, _INHIBITORY = 1, 2, 3
"""Sign modes. Weights of both signs are even; those of one have 8 bits of magnitude."""

_NO_REFRACTORY = 1
"""A neuron may fire again at the next step."""

_NEVER = 1e9
"""Seconds between two reports; so long that there are two, at the first step and after the last."""


class Emulator:
    """A chain that runs samples one after the other, each from rest.

    Args:
        chain: what :func:`neuro_deploy.backends.brian2loihi.refusal` does not refuse.
        message_bits: of the input's graded values, which are not negative.
    """

    def __init__(self, chain: Chain, message_bits: int) -> None:
        brian2.prefs.codegen.target = "numpy"
        self._inputs = [LoihiSpikeGeneratorGroup(chain.input_size, [], []) for _ in range(message_bits)]
        groups = [_neurons(layer) for layer in chain.layers]
        synapses: list[Any] = []
        for index, (layer, group) in enumerate(zip(chain.layers, groups, strict=True)):
            # A graded value acts as spikes of its bits on synapses whose weights have the bit's exponent.
            sources = list(enumerate(self._inputs)) if index == 0 else [(0, groups[index - 1])]
            synapses += [one for exponent, source in sources for one in _connect(source, group, layer.weight, exponent)]
            if layer.weight_rec is not None:
                synapses += _connect(group, group, layer.weight_rec, 0)
        self._monitors = [LoihiSpikeMonitor(group) for group in groups]
        self._voltages = LoihiStateMonitor(groups[-1], "v", record=True)
        self._network = LoihiNetwork(*self._inputs, *groups, *synapses, *self._monitors, self._voltages)
        self._network.store()

    def run(self, injected: NDArray[np.int32]) -> tuple[float, list[NDArray[np.uint8]], NDArray[np.int64]]:
        """Run one sample.

        Args:
            injected: int32 [steps, input channels].

        Returns:
            Seconds of the steps alone, without brian2's preparation; spikes of each layer, uint8 [steps, neurons]; the last layer's
            voltages, int64 [steps, neurons].
        """
        moments: list[float] = []
        self._network.restore()
        for bit, group in enumerate(self._inputs):
            step, channel = np.nonzero((injected >> bit) & 1)
            group.set_spikes(channel, (step + 1) * brian2.ms)  # it acts in the next step
        self._network.run(
            len(injected),
            report=lambda *_: moments.append(time.perf_counter()),
            report_period=_NEVER * brian2.second,
        )
        spikes = [_spikes(monitor, len(injected)) for monitor in self._monitors]
        return moments[-1] - moments[0], spikes, np.rint(np.asarray(self._voltages.v).T).astype(np.int64)


def _spikes(monitor: Any, steps: int) -> NDArray[np.uint8]:
    spikes = np.zeros((steps, monitor.source.N), np.uint8)
    # Its own `t` cuts instead of rounding, which is wrong from step 4007 on.
    spikes[np.rint(np.asarray(monitor.t_) * 1000).astype(int), np.asarray(monitor.i)] = 1
    return spikes


def _neurons(layer: Layer) -> Any:
    return LoihiNeuronGroup(
        layer.size,
        refractory=_NO_REFRACTORY,
        threshold_v_mant=int(layer.threshold),
        decay_v=int(layer.voltage_decay),
        decay_I=int(layer.current_decay),
    )


def _connect(source: Any, target: Any, weight: NDArray[np.int64], exponent: int) -> list[Any]:
    """All synapses in one group, or where some are odd those of each sign in their own."""
    if not (weight % WEIGHT_STEP_MIXED).any():
        return [_group(source, target, weight, exponent, _MIXED)]
    signs = ((np.maximum(weight, 0), _EXCITATORY), (np.minimum(weight, 0), _INHIBITORY))
    return [_group(source, target, part, exponent, mode) for part, mode in signs if part.any()]


def _group(source: Any, target: Any, weight: NDArray[np.int64], exponent: int, mode: int) -> Any:
    targets, sources = np.nonzero(weight)
    synapses = LoihiSynapses(source, target, sign_mode=mode, w_exp=exponent)
    synapses.connect(i=sources, j=targets)
    synapses.w = weight[targets, sources]
    return synapses
