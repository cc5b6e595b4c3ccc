"""From runs to a report: every number with its kind and source, every figure's data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.ir.chain import Chain, Role
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.synapses import number
from neuro_deploy.measure import machine
from neuro_deploy.measure.counts import count
from neuro_deploy.measure.energy.tables import Table
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.netx import digest
from neuro_deploy.recognition.decisions import readouts
from neuro_deploy.report import observe
from neuro_deploy.report.costs import benchmark, chips, energy_models, populations, replayed
from neuro_deploy.report.model import Backend, Check, DataFacts, NetworkFacts, Report
from neuro_deploy.report.ranges import ranges
from neuro_deploy.report.rows import accuracy, simulated
from neuro_deploy.report.views import Memory
from neuro_deploy.verify.check import Comparison
from neuro_deploy.verify.simulation import Simulation

SHOWN = 0
"""The sample whose spikes are drawn: the first, so that nobody chose it."""

VOLTAGE_SAMPLES = 8
"""Samples whose voltages are looked at; they change little from sample to sample."""


@dataclass(frozen=True)
class Response:
    """A Legendre memory: the population that writes, the one that stands for it, and its answer to a spike [order, theta]."""

    source: str
    target: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """What a report is of.

    Attributes:
        network: the exported network.
        samples: what ran.
        memories: the network's Legendre memories.
    """

    network: Network
    samples: Samples
    memories: Sequence[Response]


def collect(subject: Subject, simulation: Simulation, tables: Mapping[str, Table], others: Sequence[Backend]) -> Report:
    """Bring everything together.

    Events and figures are of one more run, on the fast backend, which the simulation has compared with the reference.

    Args:
        subject: network and data; as many samples as the simulation's reference ran.
        simulation: all exact backends and their comparison, of the same network and samples.
        tables: cost tables by name.
        others: what else can run the network.
    """
    network, chain = subject.network, subject.network.chain
    steps = network.manifest.steps
    samples = subject.samples
    trace = FastBackend().run(network, samples.encoded)
    counts = count(trace, chain)
    assert counts.chip is not None
    share = None if samples.labels is None else accuracy(trace.accuracy(samples.labels), trace.samples)
    exact = tuple(simulated(result) for result in simulation.backends)
    modelled = chips(counts, chain, share, steps, tables)
    about = machine.describe()
    return Report(
        created=about["date"],
        machine=f"{about['cpu']}, {about['cores']} cores, {about['system']}",
        versions=about["versions"],
        network=_facts(network),
        data=DataFacts(name=samples.origin, samples=trace.samples, sha256=simulation.data_sha256),
        unquantised_accuracy=_unquantised(simulation),
        backends=(*exact, *modelled, replayed(trace, chain), *others),
        checks=tuple(_check(comparison) for comparison in simulation.comparisons),
        counts=populations(counts.chip, chain, trace.samples),
        energies=energy_models(counts, chain, tables),
        benchmark=benchmark(counts, chain),
        rates=counts.rates,
        answers=observe.answers(readouts(network, trace), samples.labels),
        sample=observe.sample(trace, SHOWN, samples.encoded, samples.labels),
        memories=tuple(_memory(response, trace.populations) for response in subject.memories),
        ranges=ranges(network, trace, min(VOLTAGE_SAMPLES, trace.samples)),
    )


def _facts(network: Network) -> NetworkFacts:
    manifest = network.manifest
    return NetworkFacts(
        config=manifest.config,
        net_sha256=digest(network),
        classes=manifest.classes,
        steps=manifest.steps,
        latency=manifest.latency,
        gap=manifest.gap,
        neurons=_neurons(network.chain),
        synapses=sum(number(connection) for layer in network.chain.layers for connection in layer.connections),
    )


def _neurons(chain: Chain) -> dict[Role, int]:
    found: dict[Role, int] = {}
    for layer in chain.layers:
        for segment in layer.segments:
            found[segment.role] = found.get(segment.role, 0) + segment.size
    return found


def _memory(response: Response, populations: dict[str, NDArray[np.uint8]]) -> Memory:
    writes, spikes = populations[response.source][SHOWN], populations[response.target][SHOWN]
    return observe.memory(writes, spikes, response.values, (response.source, response.target))


def _unquantised(simulation: Simulation) -> Quantity:
    share = simulation.unquantised_accuracy
    source = "right answers of the checkpoint with real-valued weights on the same samples"
    if share is None:
        return Quantity(None, "%", "counted", source, "not known: it needs the checkpoint and labels")
    return Quantity(100 * share, "%", "counted", source)


def _check(comparison: Comparison) -> Check:
    return Check(
        backend=comparison.backend,
        reference=comparison.reference,
        samples=comparison.samples,
        compared=comparison.compared,
        spikes=sum(row.spikes for row in comparison.rows),
        mismatches=comparison.mismatches,
        readouts=comparison.readouts,
        readout_mismatches=comparison.readout_mismatches,
        first="" if comparison.first is None else str(comparison.first),
    )
