"""Closed-form energy: counts of a run times a cost table.

    soma    = neurons * steps * access + active updates * update + spikes * spike
    synapse = synaptic operations * synop
    network = packets * packet + hops east-west * hop_x + hops north-south * hop_y

Every cost is that of one event, so there is nothing to fit. The form is the event model of SANA-FE (Boyle et al., "SANA-FE:
Simulating Advanced Neuromorphic Architectures for Fast Exploration", IEEE TCAD 2025).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.chain import MODEL_ROLES, Chain, Role
from neuro_deploy.ir.synapses import places
from neuro_deploy.measure.counts import ChipCounts, Counts, Ints
from neuro_deploy.measure.energy.tables import Energies, Table
from neuro_deploy.measure.quantity import Quantity

_PICO = 1e-12
_NANO = 1e-9

_NAMED = 3
"""Populations that are named."""

COMPONENTS = ("soma", "synapse", "network")
"""Parts of the chip that spend energy: neurons, synapses, and the way of packets between cores."""


@dataclass(frozen=True)
class SegmentEnergy:
    """What the neurons of a segment cost, in J per inference, mean of the samples.

    Attributes:
        layer: index of its layer; -1 for the input.
        name: of the segment; ``input`` for the host's messages.
        role: of the segment; None for the input.
        soma: its neurons.
        synapse: the synaptic operations that arrive at them.
        network: the packets that they send.
    """

    layer: int
    name: str
    role: Role | None
    soma: float
    synapse: float
    network: float

    @property
    def total(self) -> float:
        """All components, in J."""
        return self.soma + self.synapse + self.network


@dataclass(frozen=True)
class Energy:
    """Modelled energy of one inference: T steps of input, D of latency and G silent ones; mean of the samples.

    Attributes:
        total: in J.
        components: in J, by the names in :data:`COMPONENTS`.
        segments: the same by segment, first the input; their sum is the total.
    """

    total: Quantity
    components: dict[str, Quantity]
    segments: tuple[SegmentEnergy, ...]


def energy(counts: Counts, table: Table) -> Energy:
    """What a run costs.

    Args:
        counts: of a backend that runs the chain.
        table: the costs.

    Returns:
        Its quantities have no value where the table has no energies, or not those of graded messages and of the neurons that send them
        (``note`` says so).

    Raises:
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    chip = require_chip(counts)
    unpriced = table.leaves_out if table.energy is None else _unpriced(chip)
    if table.energy is None or unpriced:
        missing = Quantity(None, "J", "modelled", table.title, unpriced)
        return Energy(missing, dict.fromkeys(COMPONENTS, missing), ())
    cost = table.energy
    sent = chip.input
    segments = [SegmentEnergy(-1, "input", None, 0.0, 0.0, _mean(_network(sent.packets, sent.hops, cost)))]
    for segment in chip.segments:
        updates = segment.neurons * counts.steps
        soma = updates * cost.access + segment.active * cost.update + segment.spikes * cost.spike
        synapse, network = segment.synops * cost.synop, _network(segment.packets, segment.hops, cost)
        segments.append(SegmentEnergy(segment.layer, segment.name, segment.role, _mean(soma), _mean(synapse), _mean(network)))
    components = {name: _joules(sum(getattr(s, name) for s in segments), table) for name in COMPONENTS}
    return Energy(_joules(sum(segment.total for segment in segments), table), components, tuple(segments))


def _unpriced(chip: ChipCounts) -> str:
    """What a run has that no table prices, by population; empty if there is nothing."""
    graded = [segment.name for segment in chip.segments if segment.bits is not None]
    if not graded:
        return ""
    more = f" and {len(graded) - _NAMED} more" if len(graded) > _NAMED else ""
    return f"not in the table: graded messages of neurons, sigma-delta neurons ({', '.join(graded[:_NAMED])}{more})"


def latency(counts: Counts, table: Table) -> Quantity:
    """The least time from one sample to the next, from the busiest core: s, mean of the samples.

    The neurons of a core take their turns, and so do the synaptic operations; the two may overlap. A step ends when all cores are
    done. So the steps of a sample, T of input, D of latency and G silent ones, take at least as long as the one of these that has
    the most work in all of them, plus a barrier for each step. The answer is there G steps earlier.

    Returns:
        A quantity without value where the table has no times, or not those of neurons with graded messages, or where the counts do not
        say which core did what.

    Raises:
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    chip = require_chip(counts)
    unpriced = _unpriced(chip)
    if table.time is None or chip.cores is None or unpriced:
        why = "the table has no times" if table.time is None else unpriced or "the counts are not divided by core"
        return Quantity(None, "s", "modelled", table.title, why)
    cost, load = table.time, chip.cores
    soma = load.neurons * counts.steps * cost.access + load.active * cost.update + load.spikes * cost.spike
    busiest = np.maximum(soma, load.synops * cost.synop).max(axis=1).mean()
    note = "at least: the work of the busiest core and a barrier a step, without the traffic between cores"
    return Quantity(float(busiest + counts.steps * cost.step) * _NANO, "s", "modelled", table.title, note)


def dense_macs(chain: Chain, steps: int) -> int:
    """Multiplications and additions of one inference that multiplies every weight of the model at each step.

    Taps, relays and bias neurons are no part of the model; a projection is a block of the weights that is not all zero.

    Args:
        chain: the network.
        steps: T, steps of a sample.
    """
    if not chain.constant:  # one that was adopted: nothing of it is there because of the chip
        return steps * sum(places(connection) for layer in chain.layers for connection in layer.connections)
    macs = 0
    sources = [slice(frame * chain.channels, (frame + 1) * chain.channels) for frame in range(chain.frames)]
    for layer in chain.layers:
        for target in layer.segments:
            if target.role in MODEL_ROLES:
                blocks = (layer.weight[target.place, source] for source in sources)
                macs += sum(block.size for block in blocks if block.any())
        sources = [segment.place for segment in layer.segments if segment.role != "bias"]
    return macs * steps


def dense_energy(chain: Chain, steps: int, table: Table) -> Quantity:
    """What the same model would cost if every weight were multiplied at each step, spike or not: J per inference.

    Args:
        chain: the network.
        steps: T, steps of a sample.
        table: one with ``mac``.
    """
    if table.mac is None:
        return Quantity(None, "J", "modelled", table.title, "the table has no cost of a multiplication and addition")
    return _joules(dense_macs(chain, steps) * table.mac * _PICO, table)


def require_chip(counts: Counts) -> ChipCounts:
    """The events on the chip.

    Raises:
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    if counts.chip is None:
        raise InputError("a chip's energy and time need the counts of a backend that runs the chain: integer, fast or lava")
    return counts.chip


def _network(packets: Ints, hops: Ints, cost: Energies) -> NDArray[np.float64]:
    picojoules: NDArray[np.float64] = packets * cost.packet + hops[:, 0] * cost.hop_x + hops[:, 1] * cost.hop_y
    return picojoules


def _mean(picojoules: NDArray[np.float64]) -> float:
    return float(picojoules.mean()) * _PICO


def _joules(value: float, table: Table) -> Quantity:
    return Quantity(value, "J", "modelled", table.title, f"without {table.leaves_out}")
