"""Events of a run: counted, never assumed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import CHIP_ROLES, MODEL_ROLES, Chain, Role
from neuro_deploy.ir.synapses import apply, presence
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi.cores import Placement, place
from neuro_deploy.loihi.reach import Reach, reach_of

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sent:
    """What some neurons or channels sent, by sample.

    Attributes:
        events: int64 [samples], spikes or graded messages.
        synops: int64 [samples], synaptic operations that they cause: one event that meets one nonzero weight.
        packets: int64 [samples], one for each event and core that it reaches, the sender's own core included.
        hops: int64 [samples, 2], steps of the packets from tile to tile, east-west and north-south.
    """

    events: Ints
    synops: Ints
    packets: Ints
    hops: Ints


@dataclass(frozen=True)
class SegmentCounts:
    """Events of one population, or one tap, relay, bias or read-out segment of a layer, during all steps of the chip.

    Attributes:
        layer: index of its layer.
        name: of the segment; unique in the layer.
        role: see :class:`neuro_deploy.ir.chain.Segment`.
        neurons: how many it has; each is updated at each step.
        spikes: int64 [samples].
        synops: int64 [samples], synaptic operations that arrive at these neurons, recurrent ones included.
        sent_synops: int64 [samples], synaptic operations that these neurons' spikes cause.
        active: int64 [samples], updates in which the neuron fires or at least one event arrives. A neuron whose voltage only leaks
            is not active.
        packets: int64 [samples], one for each spike and core that it reaches, the own core included.
        hops: int64 [samples, 2], steps of these packets from tile to tile, east-west and north-south.
        bits: of the widest message that they sent, its sign included; None of spikes.
    """

    layer: int
    name: str
    role: Role
    neurons: int
    spikes: Ints
    synops: Ints
    sent_synops: Ints
    active: Ints
    packets: Ints
    hops: Ints
    bits: int | None = None


@dataclass(frozen=True)
class CoreCounts:
    """Load of each core.

    Attributes:
        neurons: int64 [cores], updates of a step.
        active: int64 [samples, cores], active updates; see :class:`SegmentCounts`.
        spikes: int64 [samples, cores], sent by its neurons.
        synops: int64 [samples, cores], arriving at its neurons.
    """

    neurons: Ints
    active: Ints
    spikes: Ints
    synops: Ints


@dataclass(frozen=True)
class ChipCounts:
    """Events of a run of the chain.

    Attributes:
        input: what the host's graded messages cause.
        segments: all segments of all layers, in their order.
        cores: the same by core; None where they are not divided by core.
    """

    input: Sent
    segments: tuple[SegmentCounts, ...]
    cores: CoreCounts | None

    @property
    def packets(self) -> Ints:
        """Packets of all neurons and of the input, int64 [samples]."""
        return self.total("packets") + self.input.packets

    @property
    def graded(self) -> Ints:
        """Graded messages of neurons, int64 [samples]."""
        sent = [segment.spikes for segment in self.segments if segment.bits is not None]
        return sum(sent, np.zeros_like(self.input.events))

    def total(self, what: str, roles: tuple[Role, ...] | None = None) -> Ints:
        """A field of :class:`SegmentCounts` summed over segments of some roles, or over all; int64 [samples], of hops [samples, 2]."""
        chosen: list[Ints] = [getattr(segment, what) for segment in self.segments if roles is None or segment.role in roles]
        return sum(chosen[1:], chosen[0]) if chosen else np.zeros_like(self.input.events)


@dataclass(frozen=True)
class Totals:
    """Sums over all samples: what a table or a file needs.

    All but the first two and the rates include the silent steps after a sample, and are None where a backend runs the model and
    not the chain. A nonzero graded message of the input is one event.

    Attributes:
        samples: number of samples they are of.
        compute_spikes: of the model's populations during the T steps of a sample; the same on every exact backend.
        drain_spikes: of the same neurons afterwards, while the delay lines empty.
        relay_spikes: of the neurons that the chip needs beside the model's: taps, relays and bias neurons.
        compute_synops: that end at computing and read-out neurons.
        relay_synops: that end at taps, relays and bias neurons.
        updates: of all neurons, one for each neuron and step.
        active_updates: see :class:`SegmentCounts`.
        packets: of spikes and of the input's messages.
        messages: graded messages of the input, without zeros.
        rates: spikes per neuron and model step, by population.
        graded: of compute, drain and relay spikes those that are graded messages, which are not 0.
    """

    samples: int
    compute_spikes: int
    drain_spikes: int | None
    relay_spikes: int | None
    compute_synops: int | None
    relay_synops: int | None
    updates: int | None
    active_updates: int | None
    packets: int | None
    messages: int
    rates: dict[str, float]
    graded: int = 0


@dataclass(frozen=True)
class Counts:
    """Events of a trace, exact integers for each sample.

    Attributes:
        samples: number of samples.
        steps: chip steps of a sample; model steps of a backend that runs the model.
        populations: spikes of the model's populations during the T steps of a sample, int64 [samples] by name.
        messages: graded messages of the input, without zeros, int64 [samples].
        rates: spikes per neuron and model step, by population.
        chip: events on the chip, or None where a backend runs the model and not the chain.
    """

    samples: int
    steps: int
    populations: dict[str, Ints]
    messages: Ints
    rates: dict[str, float]
    chip: ChipCounts | None

    @property
    def totals(self) -> Totals:
        """Sums over all samples."""
        spikes = sum(int(number.sum()) for number in self.populations.values())
        messages = int(self.messages.sum())
        chip = self.chip
        if chip is None:
            return Totals(self.samples, spikes, None, None, None, None, None, None, None, messages, self.rates)

        def total(what: str, roles: tuple[Role, ...] | None = None) -> int:
            return int(chip.total(what, roles).sum())

        return Totals(
            samples=self.samples,
            compute_spikes=spikes,
            drain_spikes=total("spikes", MODEL_ROLES) - spikes,
            relay_spikes=total("spikes", CHIP_ROLES),
            compute_synops=total("synops", MODEL_ROLES),
            relay_synops=total("synops", CHIP_ROLES),
            updates=sum(segment.neurons for segment in chip.segments) * self.steps * self.samples,
            active_updates=total("active"),
            packets=int(chip.packets.sum()),
            messages=messages,
            rates=self.rates,
            graded=int(chip.graded.sum()),
        )


def count(trace: Trace, chain: Chain, placement: Placement | None = None) -> Counts:
    """Count the events of a trace.

    Args:
        trace: from any backend.
        chain: the network that it ran, for the fan-outs.
        placement: on which cores, for the packets; that of :func:`neuro_deploy.loihi.cores.place` if not given.
    """
    populations = {name: np.count_nonzero(spikes, axis=(1, 2)) for name, spikes in trace.populations.items()}
    rates = {name: float((spikes != 0).mean()) for name, spikes in trace.populations.items()}
    messages = np.count_nonzero(trace.input, axis=(1, 2))
    chip = None if trace.layers is None else _chip(trace.input, trace.layers, chain, placement or place(chain))
    steps = trace.input.shape[1] if chip is not None else next(iter(trace.populations.values())).shape[1]
    return Counts(trace.samples, steps, populations, messages, rates, chip)


def _chip(injected: NDArray[np.int32], layers: tuple[NDArray[Any], ...], chain: Chain, placement: Placement) -> ChipCounts:
    from neuro_deploy.engine.arrivals import active_updates  # here, so that a reader of counts needs no compiler

    source = (injected != 0).view(np.uint8)
    before = np.count_nonzero(source, axis=1)
    entering = _sent(reach_of(chain, placement, -1), before)
    segments, neurons = [], []
    for index, (layer, record) in enumerate(zip(chain.layers, layers, strict=True)):
        fired = record if record.dtype == np.uint8 else (record != 0).view(np.uint8)
        own = np.count_nonzero(fired, axis=1)
        arriving = np.zeros_like(own)
        for connection in layer.connections:
            arriving = arriving + apply(presence(connection), own if connection.recurrent else before)
        active = active_updates(layer, source, fired)
        bits = _bits(record) if layer.graded else None
        neurons.append((active, own, arriving))
        reach = reach_of(chain, placement, index)
        for segment in layer.segments:
            part = segment.place
            sent = _sent(reach, own, part)
            segments.append(
                SegmentCounts(
                    index,
                    segment.name,
                    segment.role,
                    segment.size,
                    sent.events,
                    arriving[:, part].sum(axis=1),
                    sent.synops,
                    active[:, part].sum(axis=1),
                    sent.packets,
                    sent.hops,
                    bits,
                )
            )
        source, before = fired, own
    return ChipCounts(entering, tuple(segments), _by_core(placement, *zip(*neurons, strict=True)))


def _bits(messages: NDArray[np.int32]) -> int:
    """Of the widest message, its sign included."""
    return max(int(messages.max(initial=0)).bit_length(), (-1 - int(messages.min(initial=0))).bit_length()) + 1


def _by_core(placement: Placement, *layers: tuple[Ints, ...]) -> CoreCounts:
    """Active updates, spikes and synaptic operations of all layers, int64 [samples, neurons] each, summed over the cores."""
    home, cores = np.concatenate(placement.layers), len(placement.cores)
    sums = (
        [np.bincount(home, row, cores) for row in np.concatenate(numbers, axis=1)] for numbers in layers
    )  # exact below 2**53
    return CoreCounts(np.bincount(home, minlength=cores), *(np.asarray(rows).astype(np.int64) for rows in sums))


def _sent(reach: Reach, events: Ints, part: slice = slice(None)) -> Sent:
    """What some senders of a layer caused, whose events are int64 [samples, senders]."""
    events = events[:, part]
    return Sent(events.sum(axis=1), events @ reach.synops[part], events @ reach.packets[part], events @ reach.hops[part])
