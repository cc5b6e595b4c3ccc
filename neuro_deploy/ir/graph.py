"""A spiking network as plain data: populations of neurons and projections between them.

The graph is written in *model time*: population ``s`` at step ``t`` may depend on any source at the same step ``t`` and on
its past, and there is no cycle. For every population ::

    a[t] = sum over projections, lags l:  weight[l] @ source[t - l]   +  bias
    v[t] = decay(v[t-1], voltage_decay) + (a[t] << 6)
    s[t] = v[t] > (threshold << 6)                     then v[t] = 0 where s[t]

with ``source[t] = 0`` for ``t < 0`` and ``decay`` as in :mod:`neuro_deploy.ir.semantics`. The lowering turns this into a
chain of layers in *chip time*, where each layer is one step later than the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

INPUT = "input"
"""Name of the source that stands for the encoded input; it is no population."""


@dataclass(frozen=True)
class Population:
    """LIF neurons that share their parameters.

    Attributes:
        name: unique in the graph, and not ``"input"``.
        size: number of neurons.
        threshold: ``vThMant`` of the chip, a positive 17-bit integer; the voltage it is compared with is 64 times finer.
        voltage_decay: ``vDecay``, of 4096. Each step the voltage keeps ``(4096 - voltage_decay) / 4096`` of itself.
        bias: int64 [size], added to ``a`` at each of the T steps of a sample.
        fires: False for a read-out, which integrates and never spikes (its threshold is the largest the chip has).
    """

    name: str
    size: int
    threshold: int
    voltage_decay: int
    bias: NDArray[np.int64]
    fires: bool = True


@dataclass(frozen=True)
class Projection:
    """Synapses from one source to one population.

    Attributes:
        source: a population's name, or ``"input"``.
        target: a population's name.
        weight: int64 [lags, target neurons, source neurons]; ``weight[l]`` acts on the source ``l`` steps ago.
    """

    source: str
    target: str
    weight: NDArray[np.int64]

    @property
    def lags(self) -> int:
        """Number of past steps that are read, the present one included."""
        return int(self.weight.shape[0])


@dataclass(frozen=True)
class Graph:
    """A network without cycles.

    Attributes:
        channels: number of graded input channels of one step (frames are not stacked yet).
        populations: by name, in an order in which every source comes before its readers.
        projections: at most one for each pair of source and target.
    """

    channels: int
    populations: Mapping[str, Population]
    projections: tuple[Projection, ...]

    def inputs_of(self, target: str) -> tuple[Projection, ...]:
        """The projections that end at ``target``."""
        return tuple(p for p in self.projections if p.target == target)

    def readers_of(self, source: str) -> tuple[Projection, ...]:
        """The projections that start at ``source``."""
        return tuple(p for p in self.projections if p.source == source)
