"""What the passes of the lowering hand on to each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Layer, Segment
from neuro_deploy.ir.graph import Graph, Population
from neuro_deploy.loihi.limits import WEIGHT_MAX_MIXED

COPY_WEIGHT = WEIGHT_MAX_MIXED
"""Weight of the synapse that makes a relay, a tap or a bias neuron fire: the largest even one of 8 bits."""

COPY_THRESHOLD_MAX = COPY_WEIGHT - 1
"""Thresholds are strict: a layer with such neurons needs one below the weight."""

BIAS = "bias"
"""Name of the segment of bias neurons."""


@dataclass(frozen=True)
class Plan:
    """A chain in the making; each pass fills in its part and changes nothing else.

    Attributes:
        graph: the network, as given.
        layer_of: layer of each population, -1 for the input (``schedule``).
        populations: for each layer the names of the populations that compute in it (``schedule``).
        frames: input frames that the host stacks (``schedule``).
        relays: for each layer the populations of earlier layers that it carries on, lag 0 (``skips``).
        lags: for each layer the number of lags, 2 or more, of each population that it holds as a tap line (``taps``).
        bias_neurons: for each layer the number of its bias neurons (``bias``).
        segments: for each layer what its neurons are (``place``).
        layers: the chain's layers (``assemble``).
        gap: silent steps between two samples (``settle``).
    """

    graph: Graph
    layer_of: Mapping[str, int] = field(default_factory=dict)
    populations: tuple[tuple[str, ...], ...] = ()
    frames: int = 1
    relays: tuple[tuple[str, ...], ...] = ()
    lags: tuple[Mapping[str, int], ...] = ()
    bias_neurons: tuple[int, ...] = ()
    segments: tuple[tuple[Segment, ...], ...] = ()
    layers: tuple[Layer, ...] = ()
    gap: int = 0

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.populations)

    def members(self, layer: int) -> tuple[Population, ...]:
        """The populations that compute in a layer."""
        return tuple(self.graph.populations[name] for name in self.populations[layer])


Pass = Callable[[Plan], Plan]


def refuse(violations: list[str]) -> None:
    """Raise one error that lists all violations, if there are any.

    Raises:
        RuleError: ``violations`` is not empty.
    """
    if violations:
        raise RuleError("; ".join(violations))
