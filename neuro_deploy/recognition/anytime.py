"""How good a network's answers are before a sample has ended: by the share of it that was fed, and where it is sure enough."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends import Backend
from neuro_deploy.ir.inputs import accuracy
from neuro_deploy.ir.network import Network
from neuro_deploy.recognition.answers import NEVER
from neuro_deploy.recognition.decisions import decide, readouts, scores
from neuro_deploy.verify.simulation import versions

PARTS = 20
"""Of a sample, after each of which accuracy is measured."""

THRESHOLDS = 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99
"""Confidences at which a sample is ended early."""

TOGETHER = 256
"""Samples that a backend runs at once; of a run, only the read-outs are kept."""

RESULT_FORMAT = 1

Labels = NDArray[np.int64] | None
"""Of the samples, int64 [samples]; None where nobody knows them."""


@dataclass(frozen=True)
class AtFraction:
    """Answers after one fraction of every sample.

    Attributes:
        fraction: of the sample, above 0 to 1.
        steps: mean steps that this is, each rounded up.
        accuracy: share of right answers; None without labels.
    """

    fraction: float
    steps: float
    accuracy: float | None


@dataclass(frozen=True)
class Exit:
    """Answers at the first step at which the network was sure enough.

    Attributes:
        threshold: the confidence asked for; None: every sample is fed to its end.
        accuracy: share of right answers; None without labels.
        steps: mean steps until the answer.
        share: these steps divided by T.
        early: share of the samples that were answered before their end.
    """

    threshold: float | None
    accuracy: float | None
    steps: float
    share: float
    early: float


@dataclass(frozen=True)
class Streaming:
    """Accuracy of a deployed network before its samples end.

    Attributes:
        config: name of the network's configuration.
        net_sha256: of the NetX file.
        data_sha256: of the samples, see :func:`neuro_deploy.ir.inputs.fingerprint`.
        backend: what ran the network.
        samples: how many.
        classes: how many.
        steps: T, steps of a sample.
        all_steps: after fractions of the T steps.
        own_sound: after fractions of those steps alone that a sample's recording reaches, the padding left out; None where the
            data are no recordings.
        exits: for each threshold, and without one; empty where the network does not define a confidence.
    """

    config: str
    net_sha256: str
    data_sha256: str
    backend: str
    samples: int
    classes: int
    steps: int
    all_steps: tuple[AtFraction, ...]
    own_sound: tuple[AtFraction, ...] | None
    exits: tuple[Exit, ...]


def stepwise_readouts(network: Network, backend: Backend, encoded: NDArray[np.int32]) -> NDArray[np.int64]:
    """Run samples and keep what the read-out says after each step.

    Args:
        network: what runs.
        backend: what runs it.
        encoded: int32 [samples, T, channels].

    Returns:
        int64 [samples, T, classes], see :func:`neuro_deploy.recognition.decisions.readouts`.

    Raises:
        InputError: samples that the network cannot read.
        BackendError: the backend failed.
    """
    found = []
    for begin in range(0, len(encoded), TOGETHER):
        trace = backend.run(network, encoded[begin : begin + TOGETHER])
        found.append(readouts(network, trace))
    return np.concatenate(found)


def over_fractions(voltages: NDArray[np.int64], labels: Labels, lengths: NDArray[np.int64]) -> tuple[AtFraction, ...]:
    """Accuracy after 1 to all :data:`PARTS` parts of each sample: the largest voltage after step ``ceil(fraction * length)``.

    Args:
        voltages: int64 [samples, T, classes].
        labels: int64 [samples], or None where nobody knows them.
        lengths: int64 [samples], steps that count as the whole sample, 1 to T.
    """
    answers = voltages.argmax(axis=2)
    found = []
    for part in range(1, PARTS + 1):
        steps = -(-part * lengths // PARTS)  # in integers: 0.7 * 10 in floating point is more than 7
        right = accuracy(answers[np.arange(len(steps)), steps - 1], labels)
        found.append(AtFraction(part / PARTS, float(steps.mean()), right))
    return tuple(found)


def over_thresholds(
    voltages: NDArray[np.int64],
    labels: Labels,
    logit: int,
    first: NDArray[np.int64] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[Exit, ...]:
    """Accuracy and steps of early answers for each threshold, and without one.

    Args:
        voltages: int64 [samples, T, classes].
        labels: int64 [samples], or None where nobody knows them.
        logit: voltage of a logit of 1.
        first: int64 [samples], see :func:`neuro_deploy.recognition.decisions.decide`.
        thresholds: confidences, see :func:`neuro_deploy.recognition.decisions.scores`.
    """
    confidence, whole = scores(voltages, logit), voltages.shape[1]
    found = []
    for threshold in (*thresholds, None):
        decided = decide(confidence, NEVER if threshold is None else threshold, first)
        right, steps = accuracy(decided.classes, labels), float(decided.steps.mean())
        found.append(Exit(threshold, right, steps, steps / whole, float((decided.steps < whole).mean())))
    return tuple(found)


def to_json(result: Streaming) -> bytes:
    """The content of a file: the result with its format and the versions that made it."""
    values = {"format_version": RESULT_FORMAT, **asdict(result), "versions": versions()}
    return (json.dumps(values, indent=1) + "\n").encode()
