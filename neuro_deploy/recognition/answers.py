"""What is answered, and by which rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import ConfigError, ModelFileError
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.recognition.decisions import decide, scores

NEVER = 2.0
"""A threshold that no confidence reaches: every sample is fed to its end."""


@dataclass(frozen=True)
class Answer:
    """A word that was recognised.

    Attributes:
        file: name of the recording, ``-`` for a stream.
        word: one of the network's classes.
        score: the network's confidence, 0 to 1.
        step: of the sample after which it was decided, 1 to T.
        latency: chip steps from the first frame that is fed to the decision: the step, and one for each layer.
        start: second of the recording at which the sample begins.
    """

    file: str
    word: str
    score: float
    step: int
    latency: int
    start: float = 0.0


@dataclass(frozen=True)
class Rule:
    """How read-outs become answers.

    Attributes:
        words: that can be answered.
        chosen: their classes, int64 [words].
        logit: voltage of the read-out for a logit of 1.
        layers: D.
        threshold: confidence at which a word is decided before its end.
    """

    words: tuple[str, ...]
    chosen: NDArray[np.int64]
    logit: int
    layers: int
    threshold: float

    def shares(self, voltages: NDArray[np.int64]) -> NDArray[np.float64]:
        """The confidence in each word, [samples, steps, words]; see :func:`neuro_deploy.recognition.decisions.scores`.

        Args:
            voltages: int64 [samples, steps, classes].
        """
        return scores(voltages[..., self.chosen], self.logit)

    def answers(self, files: Sequence[str], voltages: NDArray[np.int64], first: NDArray[np.int64]) -> list[Answer]:
        """Decide.

        Args:
            files: names of the samples.
            voltages: int64 [samples, T, classes], see :func:`neuro_deploy.recognition.decisions.readouts`.
            first: int64 [samples], step of the first frame with sound, 1 to T; before it nothing is decided.
        """
        found = decide(self.shares(voltages), self.threshold, first)
        rows = zip(files, found.classes.tolist(), found.scores.tolist(), found.steps.tolist(), strict=True)
        return [Answer(file, self.words[index], score, step, step + self.layers) for file, index, score, step in rows]


def rule(network: Network, threshold: float | None = None, words: Sequence[str] | None = None) -> Rule:
    """The rule for a network.

    Args:
        network: what answers.
        threshold: confidence at which a word is decided before its end; none is if not given.
        words: the only ones that can be answered; all of the network's if not given.

    Raises:
        ModelFileError: its manifest does not define a confidence.
        ConfigError: a word that the network does not know, none, or one twice.
    """
    manifest, logit = network.manifest, logit_voltage(network)
    known = manifest.classes
    if words is None:
        words = known
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ConfigError(f"--words: the network does not know {unknown[0]!r}: it knows {', '.join(known)}")
    if not words or len(set(words)) < len(words):
        raise ConfigError(f"--words {','.join(words)}: each word once, and at least one")
    chosen = np.array([known.index(word) for word in words], np.int64)
    return Rule(tuple(words), chosen, logit, manifest.latency, NEVER if threshold is None else threshold)


def logit_voltage(network: Network) -> int:
    """The read-out's voltage for a logit of 1, which says what a confidence is.

    Raises:
        ModelFileError: the manifest does not have it.
    """
    logit = network.manifest.readout.logit
    if logit is None:
        raise ModelFileError(
            f"{network.name}: its manifest does not define a confidence (readout.logit): export it again, or lower it with a logit"
        )
    return logit


def front_end(network: Network, model: Path) -> FrontEndSpec:
    """The front end that the network was trained with.

    Raises:
        ConfigError: it was not trained on recordings.
    """
    if network.manifest.front_end is None:
        raise ConfigError(f"{model}: config {network.manifest.config} was not trained on recordings: choose a network that was")
    return network.manifest.front_end
