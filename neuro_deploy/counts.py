"""Events of a run: counted, never assumed."""

from dataclasses import dataclass

import numpy as np

from neuro_deploy.chain import Chain
from neuro_deploy.trace import Trace


@dataclass(frozen=True)
class Counts:
    """Events of all samples of a trace, silent gap included.

    A synaptic operation (SynOp) is one event meeting one nonzero weight, recurrent ones included. The input's graded messages count like
    spikes: one event for each nonzero value.

    Attributes:
        samples: number of samples they are of.
        compute_spikes: of the model's populations.
        relay_spikes: of all neurons that the chip needs beside the model's: taps, relays and bias neurons. None where a backend runs
            the model and not the chain.
        compute_synops: caused by input messages, bias neurons' and all other spikes at computing and read-out neurons.
        relay_synops: caused at taps, relays and bias neurons. None likewise, as is ``compute_synops``.
        rates: mean spikes per neuron and model step, by population.
    """

    samples: int
    compute_spikes: int
    relay_spikes: int | None
    compute_synops: int | None
    relay_synops: int | None
    rates: dict[str, float]


def count(trace: Trace, chain: Chain) -> Counts:
    """Count the events of a trace.

    Args:
        trace: from any backend.
        chain: the network it ran, for the fan-outs.
    """
    compute = sum(int(np.count_nonzero(spikes)) for spikes in trace.populations.values())
    rates = {name: float(spikes.mean()) for name, spikes in trace.populations.items()}
    if trace.layers is None:
        return Counts(trace.samples, compute, None, None, None, rates)
    total = relays = compute_synops = relay_synops = 0
    events = np.count_nonzero(trace.input, axis=(0, 1))
    for layer, spikes in zip(chain.layers, trace.layers, strict=True):
        own = np.count_nonzero(spikes, axis=(0, 1))
        arriving = (layer.weight != 0) @ events
        if layer.weight_rec is not None:
            arriving = arriving + (layer.weight_rec != 0) @ own
        for segment in layer.segments:
            window = slice(segment.start, segment.stop)
            if segment.role in ("compute", "readout"):
                compute_synops += int(arriving[window].sum())
                total += int(own[window].sum())
            else:
                relay_synops += int(arriving[window].sum())
                relays += int(own[window].sum())
        events = own
    return Counts(trace.samples, total, relays, compute_synops, relay_synops, rates)
