"""A network as the chip runs it: a chain of layers, each fed by the one before and, if recurrent, by itself.

One step of layer ``k`` (integers; :mod:`neuro_deploy.ir.semantics` has the arithmetic) ::

    a = weight @ spikes of layer k-1 at the step before  +  weight_rec @ own spikes at the step before

so a spike needs one step for each layer with synapses: the neurons of layer ``k`` hold at chip step ``t`` (0-based) the model's step
``t - depths[k]``.

The networks that this project makes have *plain* layers alone, :func:`dense`. Those of others may have any
:class:`neuro_deploy.ir.synapses.Connection` and :data:`neuro_deploy.ir.neurons.Neurons`.
"""

import itertools
import math
import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.neurons import Lif, Neurons, OfAll
from neuro_deploy.ir.synapses import Connection, Kernel, Shape


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

    @property
    def place(self) -> slice:
        """Its neurons among those of the layer."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Layer:
    """Neurons and the synapses that lead to them.

    Attributes:
        connections: from the layer before, from the input, or from the layer itself. Without any the neurons take the input itself,
            as those of an ``input`` layer do.
        neurons: their kind and parameters.
        shape: of the neurons, ``(width, height, channels)`` or ``(neurons,)``.
        segments: what its neurons are, in order and without gaps. Empty in a file that has no manifest.
        kind: the NetX layer type.
    """

    connections: tuple[Connection, ...]
    neurons: Neurons
    shape: Shape
    segments: tuple[Segment, ...] = ()
    kind: str = "dense"

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def sources(self) -> int:
        """Number of neurons of the layer before, or of input channels, that it reads."""
        return next((connection.sources for connection in self.connections if not connection.recurrent), self.size)

    @property
    def special(self) -> str | None:
        """What a layer has that a plain one has not; None of a plain one."""
        neurons = self.neurons
        if not isinstance(neurons, Lif):
            return f"{type(neurons).__name__} neurons"
        if not self.connections:
            return "neurons that take the input itself"
        if any(isinstance(connection.weight, Kernel) for connection in self.connections):
            return "a convolution"
        if any(connection.longest for connection in self.connections):
            return "synaptic delays"
        if [connection.recurrent for connection in self.connections] not in ([False], [False, True]):
            return "connections other than one forward and one recurrent"
        if neurons.reset_interval:
            return "periodic resets"
        if not all(isinstance(value, int) for value in (neurons.threshold, neurons.current_decay, neurons.voltage_decay)):
            return "parameters of each neuron"
        return None

    @property
    def plain(self) -> bool:
        """Whether it is one matrix, perhaps a recurrent one, and LIF neurons with the same parameters: see :func:`dense`."""
        return self.special is None

    @property
    def graded(self) -> bool:
        """Whether its neurons send values rather than spikes."""
        return not isinstance(self.neurons, Lif)

    @property
    def weight(self) -> NDArray[np.int64]:
        """Of a plain layer: int64 [neurons, sources]."""
        matrix = self._plain().connections[0].weight
        assert not isinstance(matrix, Kernel)
        return matrix

    @property
    def weight_rec(self) -> NDArray[np.int64] | None:
        """Of a plain layer: int64 [neurons, neurons], or None if it is not recurrent."""
        if len(self._plain().connections) == 1:
            return None
        matrix = self.connections[1].weight
        assert not isinstance(matrix, Kernel)
        return matrix

    @property
    def threshold(self) -> int:
        """Of a plain layer: ``vThMant``."""
        return self._of_all("threshold")

    @property
    def current_decay(self) -> int:
        """Of a plain layer: ``iDecay``, 0 to 4096."""
        return self._of_all("current_decay")

    @property
    def voltage_decay(self) -> int:
        """Of a plain layer: ``vDecay``, 0 to 4095."""
        return self._of_all("voltage_decay")

    @property
    def bias(self) -> NDArray[np.int64] | None:
        """Of a plain layer: int64 [neurons], the chip's own constant bias; None in the chains that this project makes."""
        neurons = self._plain().neurons
        assert isinstance(neurons, Lif)
        return neurons.bias

    def _of_all(self, name: str) -> int:
        return int(getattr(self._plain().neurons, name))

    def _plain(self) -> "Layer":
        if self.special is not None:
            raise RuleError(
                f"{self.special} in a layer of type {self.kind}: only plain layers of LIF neurons are supported here"
            )
        return self


def dense(
    weight: NDArray[np.int64],
    weight_rec: NDArray[np.int64] | None,
    threshold: OfAll,
    current_decay: OfAll,
    voltage_decay: OfAll,
    segments: tuple[Segment, ...] = (),
    bias: NDArray[np.int64] | None = None,
) -> Layer:
    """A plain layer: LIF neurons behind one matrix, and perhaps a recurrent one.

    Args:
        weight: int64 [neurons, neurons of the layer before (or input channels)].
        weight_rec: int64 [neurons, neurons], or None in a ``dense`` layer.
        threshold: ``vThMant``.
        current_decay: ``iDecay``, 0 to 4096; 4096 means that the synaptic current has no memory.
        voltage_decay: ``vDecay``, 0 to 4095.
        segments: what its neurons are.
        bias: int64 [neurons], the chip's own constant bias.
    """
    # Graded, as the host's messages are; of spikes it means the same.
    connections = [Connection(weight, graded=True)]
    if weight_rec is not None:
        connections.append(Connection(weight_rec, recurrent=True))
    neurons = Lif(threshold, current_decay, voltage_decay, bias)
    kind = "dense" if weight_rec is None else "dense_rec"
    return Layer(tuple(connections), neurons, (int(weight.shape[0]),), segments, kind)


@dataclass(frozen=True)
class Chain:
    """Layers in the order in which the spikes pass them.

    Attributes:
        frames: how many past steps of the input the host stacks, the present one included.
        channels: channels of one frame.
        layers: first to last; the last is the read-out.
        gap: silent steps after which every state of the chain but the read-out's voltage is zero again.
        constant: whether the input has one more channel, the last, that carries 1 at each step of a sample.
        input_shape: ``(width, height, channels)`` of a frame, where it has one.

    The input vector of a step is frame ``t``, frame ``t-1``, ..., then the constant channel.
    """

    frames: int
    channels: int
    layers: tuple[Layer, ...]
    gap: int
    constant: bool = True
    input_shape: Shape = ()

    @property
    def plain(self) -> bool:
        """Whether all layers are plain."""
        return all(layer.plain for layer in self.layers)

    @property
    def special(self) -> str | None:
        """The first layer that is not plain, and what it has; None if there is none."""
        return next(
            (f"layer {k} ({layer.kind}) has {layer.special}" for k, layer in enumerate(self.layers) if layer.special), None
        )

    @property
    def depths(self) -> tuple[int, ...]:
        """For each layer the synapses between it and the input, each of which takes a step."""
        return tuple(itertools.accumulate(int(bool(layer.connections)) for layer in self.layers))

    @property
    def latency(self) -> int:
        """D: steps from the last input to the read-out that includes it; the number of layers with synapses."""
        return self.depths[-1]

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
        """Stacked channels, and the constant one, which is the last."""
        return self.frames * self.channels + int(self.constant)
