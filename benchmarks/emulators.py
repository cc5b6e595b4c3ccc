"""Emulators of Loihi that others made, on the same sample of the same network; each is optional.

Their own numbers are compared with ours first: brian2-loihi computes every spike itself, SANA-FE counts the events of ours.
"""

from collections.abc import Callable

from benchmarks import shipped
from benchmarks.measure import Comparison, Section, Settings, alternate, longer, require
from neuro_deploy import extras
from neuro_deploy.backends.brian2loihi import Brian2LoihiBackend
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace

BASE = "integer"

Runs = dict[str, Callable[[], float]]


def measure(settings: Settings) -> Section:
    """Neuron-steps and synaptic events a second on one sample."""
    network, encoded = shipped.load(settings.model)
    encoded = encoded[:1]
    trace = IntegerBackend().run(network, encoded)
    steps = trace.input.shape[1]
    events = shipped.synaptic_events(trace, network.chain)
    fast = FastBackend(threads=1)
    require(shipped.equal(fast.run(network, encoded), trace), "fast and integer")
    runs: Runs = {
        BASE: lambda: IntegerBackend().run(network, encoded).seconds,
        "fast, 1 core": longer(lambda: fast.run(network, encoded).seconds),
    }
    notes = [f"One sample, {steps} steps, {events} synaptic events; building and preparing the network are not in the times."]
    for package, add in (("brian2_loihi", _add_brian), ("sanafe", _add_sanafe)):
        notes.append(add(network, trace, runs) if extras.present(package) else f"left out: {extras.advice(package)}")
    times = alternate(runs, settings.repeats)
    amounts = {"neuron-steps/s": steps * shipped.neurons(network.chain), "synaptic events/s": events}
    comparisons = [
        Comparison(f"emulators, {unit}", unit, BASE, {n: [amount / v for v in values] for n, values in times.items()}, True)
        for unit, amount in amounts.items()
    ]
    return Section(comparisons, facts=shipped.facts(network), notes=notes)


def _add_brian(network: Network, trace: Trace, runs: Runs) -> str:
    backend = Brian2LoihiBackend()
    spec, steps = network.manifest.input, network.manifest.steps
    encoded = trace.input[:, :steps, : spec.channels]  # the first of the stacked frames is the sample
    require(shipped.equal(backend.run(network, encoded), trace), "brian2-loihi and the integer semantics")
    runs["brian2-loihi"] = lambda: backend.run(network, encoded).seconds
    compared = trace.input.shape[1] * shipped.neurons(network.chain)
    return f"brian2-loihi computed all {compared} neuron-steps itself, independent of Lava: 0 of them differ from ours."


def _add_sanafe(network: Network, trace: Trace, runs: Runs) -> str:
    from neuro_deploy.backends.sanafe import Emulator, events_of

    emulator, events = Emulator(network.chain), events_of(trace, 0)
    found = emulator.run(events)
    spikes, expected = int(events.sum()), shipped.synaptic_events(trace, network.chain)
    counted = (found.spikes, found.synops)
    require(counted == (spikes, expected), f"counts of SANA-FE {counted} and of the run {spikes, expected}")
    runs["SANA-FE (replay)"] = lambda: emulator.run(events).seconds
    return f"SANA-FE replays our spikes; it counts {found.spikes} spikes and messages and {found.synops} synaptic events, as we do."
