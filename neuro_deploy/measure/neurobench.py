"""NeuroBench's metrics under NeuroBench's names, from our counts and weights.

Definitions: Yik et al., "The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems", Nature
Communications 16, 2025, as its package 2.3.0 computes them. The model that is measured is the chain: its layers and their
recurrent weights are connection layers, all its neurons are activations, and all steps of the chip count.
"""

from dataclasses import dataclass

import numpy as np

from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.synapses import Kernel, places
from neuro_deploy.measure.counts import Counts
from neuro_deploy.measure.energy.model import require_chip


@dataclass(frozen=True)
class SynapticOperations:
    """Operations of one sample, mean of the samples.

    Attributes:
        Effective_MACs: with a graded value, so the weight is multiplied: those of the input.
        Effective_ACs: with a spike, so the weight is added.
        Dense: as many as there would be if nothing were zero, neither a weight nor an event.
    """

    Effective_MACs: float
    Effective_ACs: float
    Dense: float


@dataclass(frozen=True)
class NeuroBench:
    """The metrics.

    Attributes:
        Footprint: bytes of the weights, zeros included.
        ConnectionSparsity: share of the weights that are zero, to four decimals.
        ActivationSparsity: share of the neuron-steps without a spike.
        SynapticOperations: see there.
    """

    Footprint: int
    ConnectionSparsity: float
    ActivationSparsity: float
    SynapticOperations: SynapticOperations


def neurobench(counts: Counts, chain: Chain, weight_bytes: int = 1) -> NeuroBench:
    """NeuroBench's metrics of a run.

    Args:
        counts: of a backend that runs the chain.
        chain: the network that ran.
        weight_bytes: of one weight; the chip's have 8 bits.

    Raises:
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    chip = require_chip(counts)
    connections = [connection for layer in chain.layers for connection in layer.connections]
    matrices = [one.weight.weight if isinstance(one.weight, Kernel) else one.weight for one in connections]
    weights = sum(matrix.size for matrix in matrices)
    zeros = weights - sum(int(np.count_nonzero(matrix)) for matrix in matrices)
    neuron_steps = sum(segment.neurons for segment in chip.segments) * counts.steps * counts.samples
    graded = sum((s.sent_synops for s in chip.segments if s.bits is not None), np.zeros_like(chip.input.synops))
    dense = sum(places(connection) for connection in connections) * counts.steps
    return NeuroBench(
        Footprint=weights * weight_bytes,
        ConnectionSparsity=round(zeros / weights, 4),
        ActivationSparsity=1 - int(chip.total("spikes").sum()) / neuron_steps,
        SynapticOperations=SynapticOperations(
            Effective_MACs=float((chip.input.synops + graded).mean()),
            Effective_ACs=float((chip.total("sent_synops") - graded).mean()),
            Dense=float(dense),
        ),
    )
