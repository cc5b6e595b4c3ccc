"""What a backend returns: every spike of a run and the read-out, in the same form whoever ran it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.chain import Segment


@dataclass(frozen=True)
class Trace:
    """The record of one run over a set of samples.

    Attributes:
        backend: name of the backend that ran.
        input: int32 [samples, steps, channels], as injected; ``steps = T + D + G``.
        populations: by name, [samples, T, neurons]: what every computing population sent, aligned to model time; spikes as uint8,
            graded messages as int32.
        layers: of the same types [samples, steps, neurons] for each layer, every neuron as emitted, 0-based chip steps; None from a
            backend that runs the model and not the chain.
        readout: int64 [samples, classes], the answer: the read-out's voltage after chip step T + D, 64 times the integer logits; of a
            network that was adopted perhaps the sum of what it sent, or what it sent last.
        segments: for each layer of the chain what its neurons are.
        seconds: wall time of the run itself (measured), without start-up.
        startup: wall time before the first step (measured): loading, compiling, starting processes.
    """

    backend: str
    input: NDArray[np.int32]
    populations: dict[str, NDArray[Any]]
    layers: tuple[NDArray[Any], ...] | None
    readout: NDArray[np.int64]
    segments: tuple[tuple[Segment, ...], ...]
    seconds: float
    startup: float = 0.0

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.readout.shape[0])

    def first(self, number: int) -> "Trace":
        """The first samples alone; the times stay those of the whole run."""
        return replace(
            self,
            input=self.input[:number],
            populations={name: spikes[:number] for name, spikes in self.populations.items()},
            layers=None if self.layers is None else tuple(layer[:number] for layer in self.layers),
            readout=self.readout[:number],
        )

    def accuracy(self, labels: ArrayLike) -> float:
        """Share of samples whose largest read-out is the label's.

        Args:
            labels: integers [samples].

        Raises:
            InputError: not one label for each sample.
        """
        known = np.asarray(labels)
        if known.shape != (self.samples,) or known.dtype.kind not in "iu":
            raise InputError(
                f"labels are {known.dtype} {list(known.shape)}: the run has {self.samples} samples, one integer for each"
            )
        return float(np.mean(self.readout.argmax(axis=1) == known))
