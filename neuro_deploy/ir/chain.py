"""A network as the chip runs it: a chain of layers, each fed by the one before and, if recurrent, by itself.

One step of layer ``k`` (integers; :mod:`neuro_deploy.ir.semantics` has the arithmetic) ::

    a = weight @ spikes of layer k-1 at the step before  +  weight_rec @ own spikes at the step before

so a spike needs one step for each layer: the neurons of layer ``k`` (0-based) hold at chip step ``t`` (0-based) the
model's step ``t - k - 1``.
"""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field


def one_line(name: str) -> str:
    """A name as it is, which can be shown in one line and tells no terminal what to do.

    Raises:
        ValueError: it has line breaks or control characters.
    """
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", name):
        raise ValueError("a name with a line break or a control character")
    return name


Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(one_line)]

Role = Literal["compute", "tap", "relay", "bias", "readout"]

MODEL_ROLES: tuple[Role, ...] = ("compute", "readout")
"""What the model itself has."""

CHIP_ROLES: tuple[Role, ...] = ("tap", "relay", "bias")
"""What is there because of the chip: overhead."""


@dataclass(frozen=True)
class Segment:
    """A run of neighbouring neurons of a layer with one purpose; part of a manifest as it is.

    Attributes:
        name: unique in the layer, for example ``s2``, ``s2~1`` (tap of lag 1) or ``bias``.
        start: first neuron of the layer that belongs to it.
        stop: one past the last.
        role: ``compute`` neurons are the model's; a ``tap`` holds an earlier step of a source, a ``relay`` carries a source
            past a layer, ``bias`` neurons fire at each step of a sample, ``readout`` neurons integrate and never fire.
        source: the population of the graph whose spikes it holds (``bias`` for bias neurons).
        lag: by how many steps its spikes are older than the population's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Name
    start: Annotated[int, Field(ge=0)]
    stop: Annotated[int, Field(ge=1)]
    role: Role
    source: Name
    lag: Annotated[int, Field(ge=0, le=1 << 20)]

    @property
    def of_model(self) -> bool:
        """Whether the model has these neurons; all others are overhead of the chain."""
        return self.role in MODEL_ROLES

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.stop - self.start


@dataclass(frozen=True)
class Layer:
    """One ``dense`` or ``dense_rec`` layer of CUBA LIF neurons.

    Attributes:
        weight: int64 [neurons, neurons of the layer before (or input channels)].
        weight_rec: int64 [neurons, neurons], or None in a ``dense`` layer.
        threshold: ``vThMant``; one for the whole layer.
        current_decay: ``iDecay``, 0 to 4096; 4096 means that the synaptic current has no memory.
        voltage_decay: ``vDecay``, 0 to 4095.
        segments: what its neurons are, in order and without gaps. Empty in a file that has no manifest.
        bias: int64 [neurons], the chip's own constant bias; None in the chains that this project makes.
    """

    weight: NDArray[np.int64]
    weight_rec: NDArray[np.int64] | None
    threshold: int
    current_decay: int
    voltage_decay: int
    segments: tuple[Segment, ...] = ()
    bias: NDArray[np.int64] | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    @property
    def kind(self) -> str:
        """The NetX layer type."""
        return "dense" if self.weight_rec is None else "dense_rec"


@dataclass(frozen=True)
class Chain:
    """Layers in the order in which the spikes pass them.

    Attributes:
        frames: how many past steps of the input the host stacks, the present one included.
        channels: graded channels of one frame.
        layers: first to last; the last is the read-out.
        gap: silent steps after which every state of the chain but the read-out's voltage is zero again.

    The input vector of a step is frame ``t``, frame ``t-1``, ..., then the constant channel: ``frames * channels + 1``.
    """

    frames: int
    channels: int
    layers: tuple[Layer, ...]
    gap: int

    @property
    def latency(self) -> int:
        """D: number of layers, and of steps from the last input to the read-out that includes it."""
        return len(self.layers)

    @property
    def segments(self) -> tuple[tuple[Segment, ...], ...]:
        """For each layer what its neurons are."""
        return tuple(layer.segments for layer in self.layers)

    @property
    def readout(self) -> Segment:
        """The read-out's neurons, in the last layer."""
        return next(segment for segment in self.layers[-1].segments if segment.role == "readout")

    @property
    def input_size(self) -> int:
        """Stacked channels plus the constant one, which is the last."""
        return self.frames * self.channels + 1
