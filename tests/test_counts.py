"""Counts against an event-by-event recount."""

from pathlib import Path

import nets
import numpy as np

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.counts import count

STEPS = 12


def test_counts_are_a_recount_of_every_event(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    trace = IntegerBackend().run(network, nets.samples(graph, 2, STEPS), np.zeros(2, np.int64))
    assert trace.layers is not None
    model = chip = relay_spikes = compute_synops = relay_synops = 0
    for sample in range(2):
        model += sum(int(spikes[sample].sum()) for spikes in trace.populations.values())
        for index, layer in enumerate(network.chain.layers):
            role = [s.role for s in layer.segments for _ in range(s.size)]
            before = trace.input if index == 0 else trace.layers[index - 1]
            for step in range(trace.input.shape[1]):
                spikes = trace.layers[index][sample, step]
                chip += sum(int(spikes[n]) for n in range(layer.size) if role[n] == "compute")
                relay_spikes += sum(int(spikes[n]) for n in range(layer.size) if role[n] in ("tap", "relay", "bias"))
                for target in range(layer.size):
                    events = sum(1 for n in np.flatnonzero(before[sample, step]) if layer.weight[target, n])
                    if layer.weight_rec is not None:
                        events += sum(1 for n in np.flatnonzero(spikes) if layer.weight_rec[target, n])
                    if role[target] in ("compute", "readout"):
                        compute_synops += events
                    else:
                        relay_synops += events
    counts = count(trace, network.chain).totals
    assert (counts.samples, counts.compute_spikes, counts.relay_spikes) == (2, model, relay_spikes)
    assert counts.drain_spikes == chip - model
    assert (counts.compute_synops, counts.relay_synops) == (compute_synops, relay_synops)
    assert counts.rates == {name: spikes.mean() for name, spikes in trace.populations.items()}
    assert min(model, relay_spikes, compute_synops, relay_synops) > 0
