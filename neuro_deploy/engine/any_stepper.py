"""One step of a chain of any layers, by the loop of :mod:`neuro_deploy.engine.general`. Knows nothing of Lava."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.engine.general import GeneralPlan, Record
from neuro_deploy.engine.kernels import Events
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.semantics import sent_type


class AnyStepper:
    """A chain of any layers and its state, from rest.

    Args:
        layers: first to last.
        who: what messages call the network.

    Attributes:
        layers: where each layer is among all neurons.
        spikes: [all neurons], what they sent in the last step: uint8, or int32 if any layer sends graded messages.
        at_once: whether the first layer's neurons take the input itself: it then acts in the step that follows :meth:`receive`, and
            otherwise too, but has passed the first synapses only then.

    Raises:
        BackendError: a layer has more connections than the engine knows.
        RuleError: parameters or sums do not fit.
    """

    def __init__(self, layers: Sequence[Layer], who: str) -> None:
        bounds = np.concatenate(([0], np.cumsum([layer.size for layer in layers]))).tolist()
        self.layers = [slice(start, stop) for start, stop in pairwise(bounds)]
        self.at_once = not layers[0].connections
        self.channels = layers[0].sources
        self.spikes = np.zeros(bounds[-1], np.result_type(*map(sent_type, layers)))
        self._stages = [_Stage(layer, f"{who}: layer {index}", layer is layers[-1]) for index, layer in enumerate(layers)]
        self._source = np.zeros((1, 2, self.channels if self.at_once else 0), np.int32)
        self._host = _window(self.channels, graded=True)

    @property
    def readout(self) -> NDArray[np.int64]:
        """The last layer's voltage after the last step, int64 [neurons]; of graded neurons what they sent."""
        voltage: NDArray[np.int64] = self._stages[-1].record.voltage[0]
        return voltage

    def clear_readout(self) -> None:
        """Set the last layer's voltage to 0; neurons that send graded messages have none."""
        self._stages[-1].clear()

    def rest(self) -> None:
        """Go back to rest: no state, no message, and no input to come."""
        for stage in self._stages:
            stage.rest()
        self.spikes[:] = 0
        self._source[:] = 0
        self._host.first[:] = 0

    def compile(self) -> None:
        """Compile the step, or load it compiled; leaves the network at rest."""
        self.advance(1)
        self.rest()

    def receive(self, values: NDArray[np.generic]) -> None:
        """Take the input of a step.

        Args:
            values: integers or bool [channels].

        Raises:
            TypeError: they are something else.
        """
        if values.dtype.kind not in "biu":
            raise TypeError(f"the network received {values.dtype}, it takes integers")
        if self.at_once:
            self._source[0, 0] = self._source[0, 1]
            self._source[0, 1] = values
            return
        active = np.flatnonzero(values)
        self._host.source[: active.size] = active
        self._host.factor[: active.size] = values[active]
        self._host.first[:] = 0, active.size, active.size

    def advance(self, time_step: int) -> None:
        """Compute one step.

        Args:
            time_step: the first is 1.

        Raises:
            RuleError: numbers leave the bits that Lava has for them.
        """
        for stage in self._stages:
            stage.forget()
        arriving = self._host
        for stage, place in zip(self._stages, self.layers, strict=True):
            stage.advance(arriving, self._source, time_step)
            self.spikes[place] = stage.sent
            arriving = stage.emitted


class _Stage:
    """A layer, its states, and what it sent in the last two steps."""

    def __init__(self, layer: Layer, who: str, last: bool) -> None:
        self._plan = GeneralPlan(layer, who)
        self._room = self._plan.rest()
        self._rows = np.zeros((1, 2, layer.size), sent_type(layer))
        self.record = Record.of(self._rows, 1 if last else -1, np.zeros((1, layer.size), np.int64))
        self.emitted = _window(layer.size, graded=layer.graded)

    @property
    def sent(self) -> NDArray[np.generic]:
        """In the last step, [neurons]."""
        sent: NDArray[np.generic] = self._rows[0, 1]
        return sent

    def forget(self) -> None:
        """Let the last step be the one before."""
        first, source, factor = self.emitted
        last = slice(first[1], first[2])
        count = int(first[2] - first[1])
        source[:count] = source[last]
        if factor.size:
            factor[:count] = factor[last]
        first[:] = 0, count, count

    def advance(self, arriving: Events, source: NDArray[np.int32], step: int) -> None:
        self._plan.continued(self._room, arriving, source, self.emitted, self.record, step)

    def rest(self) -> None:
        for state in self._room:
            state[:] = 0
        self._rows[:] = 0
        self.record.voltage[:] = 0
        self.emitted.first[:] = 0

    def clear(self) -> None:
        self._plan.clear_voltage(self._room)
        self.record.voltage[:] = 0


def _window(width: int, *, graded: bool) -> Events:
    """Room for two steps in which everyone sends."""
    return Events(np.zeros(3, np.int64), np.zeros(2 * width, np.uint32), np.zeros(2 * width if graded else 0, np.int32))
