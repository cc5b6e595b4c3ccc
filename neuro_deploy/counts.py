"""Events of a run: counted, never assumed."""

from dataclasses import dataclass

import numpy as np

from neuro_deploy.chain import Chain
from neuro_deploy.trace import Trace


@dataclass(frozen=True)
class Counts:
    """Events of all samples of a trace.

    A synaptic operation (SynOp) is one event that meets one nonzero weight, recurrent ones included. A nonzero graded message of the
    input is one event. All but the first and the rates include the silent steps after a sample, and are None where a backend runs the
    model and not the chain.

    Attributes:
        samples: number of samples they are of.
        compute_spikes: of the model's populations during the T steps of a sample; the same on every exact backend.
        drain_spikes: of the same neurons afterwards, while the delay lines empty.
        relay_spikes: of the neurons that the chip needs beside the model's: taps, relays and bias neurons.
        compute_synops: that end at computing and read-out neurons.
        relay_synops: that end at taps, relays and bias neurons.
        rates: spikes per neuron and model step, by population.
    """

    samples: int
    compute_spikes: int
    drain_spikes: int | None
    relay_spikes: int | None
    compute_synops: int | None
    relay_synops: int | None
    rates: dict[str, float]


def count(trace: Trace, chain: Chain) -> Counts:
    """Count the events of a trace.

    Args:
        trace: from any backend.
        chain: the network that it ran, for the fan-outs.
    """
    compute_spikes = sum(int(np.count_nonzero(spikes)) for spikes in trace.populations.values())
    rates = {name: float(spikes.mean()) for name, spikes in trace.populations.items()}
    if trace.layers is None:
        return Counts(trace.samples, compute_spikes, None, None, None, None, rates)
    spikes = {True: 0, False: 0}
    synops = {True: 0, False: 0}
    events = np.count_nonzero(trace.input, axis=(0, 1))
    for layer, record in zip(chain.layers, trace.layers, strict=True):
        own = np.count_nonzero(record, axis=(0, 1))
        arriving = (layer.weight != 0) @ events
        if layer.weight_rec is not None:
            arriving = arriving + (layer.weight_rec != 0) @ own
        for segment in layer.segments:
            computes = segment.role in ("compute", "readout")
            spikes[computes] += int(own[segment.start : segment.stop].sum())
            synops[computes] += int(arriving[segment.start : segment.stop].sum())
        events = own
    drain = spikes[True] - compute_spikes
    return Counts(trace.samples, compute_spikes, drain, spikes[False], synops[True], synops[False], rates)
