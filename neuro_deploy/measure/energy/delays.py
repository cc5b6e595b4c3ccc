"""What a run would count on a chip whose axons hold spikes back, so that no neuron is there for a delay alone.

A tap or a relay fires as its source did, some steps later, and that is all it does. An axon with that delay needs no such neuron. A
delay is at most :data:`neuro_deploy.loihi.limits.DELAY_MAX` steps; a longer one needs a neuron in between, which adds a step.
"""

from dataclasses import dataclass, replace

import numpy as np

from neuro_deploy.ir.chain import Chain, Segment
from neuro_deploy.loihi.cores import Placement, place, position
from neuro_deploy.loihi.limits import DELAY_MAX, TILE_CORES
from neuro_deploy.measure.counts import Counts, Ints, SegmentCounts
from neuro_deploy.measure.energy.model import require_chip


def with_delays(counts: Counts, chain: Chain, placement: Placement | None = None) -> Counts:
    """The counts of the same run with axonal delays instead of taps and relays.

    ``energy(counts, table)`` less ``energy(with_delays(counts, chain), table)`` is what such delays save. The neurons stay on their
    cores. Spikes go straight to the cores of all readers of their population, which is taken from the population as a whole, so
    packets and hops are upper bounds and the saving is a lower one.

    Args:
        counts: of a backend that runs the chain.
        chain: the network.
        placement: that of the counts; that of :func:`neuro_deploy.loihi.cores.place` if not given.

    Raises:
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    chip = require_chip(counts)
    placement = placement or place(chain)
    of = {(index, s.source, s.lag): s for index, layer in enumerate(chain.layers) for s in layer.segments}
    counted = {(segment.layer, segment.name): segment for segment in chip.segments}
    segments: list[SegmentCounts] = []
    for index, layer in enumerate(chain.layers):
        for segment in layer.segments:
            own = counted[index, segment.name]
            if segment.role == "compute":
                copies = [
                    _Copy(k, copy, k - index + lag, _kept_synops(k, source, lag, of, counted))
                    for (k, source, lag), copy in of.items()
                    if source == segment.name
                ]
                segments += _direct(own, copies, chain, placement)
            elif segment.role not in ("tap", "relay"):
                segments.append(own)
    return replace(counts, chip=replace(chip, segments=tuple(segments), cores=None))


@dataclass(frozen=True)
class _Copy:
    """A population, or a tap or relay of it.

    Attributes:
        layer: where it is.
        segment: which neurons.
        delay: steps by which its spikes come later than the population's.
        synops: int64 [samples], operations that it causes at neurons that stay.
    """

    layer: int
    segment: Segment
    delay: int
    synops: Ints


def _kept_synops(
    layer: int, source: str, lag: int, of: dict[tuple[int, str, int], Segment], counted: dict[tuple[int, str], SegmentCounts]
) -> Ints:
    """What a copy causes, less what it causes at the next tap of its line and at the relay in the next layer."""
    synops = counted[layer, of[layer, source, lag].name].sent_synops
    followers = [(layer, source, lag + 1)] + ([(layer + 1, source, 0)] if lag == 0 else [])
    for follower in followers:
        if follower in of:
            synops = synops - counted[follower[0], of[follower].name].synops
    return synops


def _direct(own: SegmentCounts, copies: list[_Copy], chain: Chain, placement: Placement) -> list[SegmentCounts]:
    """A population that reaches the readers of its copies itself, and the relays that longer delays need."""
    stages = [-(-max(0, copy.delay - DELAY_MAX) // (DELAY_MAX + 1)) for copy in copies]
    homes = np.unique(placement.layers[own.layer][copies[0].segment.place])
    segments = []
    for stage in range(max(stages) + 1):
        here = [copy for copy, its in zip(copies, stages, strict=True) if its == stage]
        cores = np.unique(np.concatenate([_readers(copy, chain, placement) for copy in here]))
        distance = np.abs(position(homes // TILE_CORES)[:, None] - position(cores // TILE_CORES)[None])
        goes_on = stage < max(stages)
        base = (
            own if stage == 0 else replace(own, name=f"{own.name}+{stage}", role="relay", synops=own.spikes, active=own.spikes)
        )
        segments.append(
            replace(
                base,
                sent_synops=sum((copy.synops for copy in here), own.spikes * goes_on),
                packets=own.spikes * (len(cores) + goes_on),
                hops=own.spikes[:, None] * distance.sum(axis=1).max(axis=0),
            )
        )
    return segments


def _readers(copy: _Copy, chain: Chain, placement: Placement) -> Ints:
    """Cores of the neurons of the model that read a copy."""
    part = copy.segment.place
    layer = chain.layers[copy.layer + 1]
    reads = (layer.weight[:, part] != 0).any(axis=1)
    model = [reads[s.place] & s.of_model for s in layer.segments]
    cores: Ints = placement.layers[copy.layer + 1][np.concatenate(model)]
    return cores
