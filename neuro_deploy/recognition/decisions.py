"""What the read-out says while a sample runs, and when that is enough to decide."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro_deploy.backends.common import answers_sent
from neuro_deploy.errors import InputError
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_layer
from neuro_deploy.ir.trace import Trace


@dataclass(frozen=True)
class Decisions:
    """One decision for each sample.

    Attributes:
        classes: int64 [samples], the class.
        scores: float64 [samples], its share of the confidence, 0 to 1.
        steps: int64 [samples], the step of the sample after which it was taken, 1 to T.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    steps: NDArray[np.int64]


def readouts(network: Network, trace: Trace) -> NDArray[np.int64]:
    """The answer after each step of a sample, had the sample ended there; exact, and without another run.

    The read-out integrates without leak or reset, so what it would have said after ``t`` steps is its voltage at the chip step at
    which the model's step ``t`` has passed all layers. It follows from the populations' spikes, which every backend records. The
    answer of a network that was adopted may be what its last layer sends instead.

    Args:
        network: its chain, and what its answer is.
        trace: a run of it.

    Returns:
        int64 [samples, T, classes]; the last one of each sample is the trace's own read-out.
    """
    chain, steps = network.chain, network.manifest.steps
    if network.manifest.loading is not None:
        return _of_layers(network, trace)
    source = _last_source(chain, trace, steps)
    end = np.zeros_like(source[:, :1])  # what a layer is fed acts a step later
    voltages = run_layer(chain.layers[-1], np.concatenate((source, end), axis=1), keep_voltages=True).voltages
    assert voltages is not None
    return voltages[:, 1:, chain.readout.place]


def _of_layers(network: Network, trace: Trace) -> NDArray[np.int64]:
    """The answers of a network that was adopted, int64 [samples, T, classes]."""
    if trace.layers is None:
        raise InputError(
            f"{trace.backend} runs the model: the answers of a network that was adopted need integer, fast or lava"
        )
    manifest = network.manifest
    if manifest.readout.kind != "voltage":
        return answers_sent(manifest, trace.layers[-1])
    source = trace.layers[-2] if len(trace.layers) > 1 else trace.input
    voltages = run_layer(network.chain.layers[-1], source, keep_voltages=True).voltages
    assert voltages is not None
    before = np.zeros_like(voltages[:, :1])  # so that the voltage after t + D steps is at place t + D
    own = slice(manifest.latency, manifest.latency + manifest.steps)
    return np.concatenate((before, voltages), axis=1)[:, own, manifest.readout.place]


def scores(voltages: NDArray[np.int64], logit: int) -> NDArray[np.float64]:
    """The confidence in each class after each step: the softmax of the evidence so far.

    The logits of a sample are means over its T steps. Those after ``t`` steps are taken as if nothing followed, so confidence has to
    be earned by evidence: after the first step it is nearly even.

    Args:
        voltages: int64 [samples, T, classes], see :func:`readouts`.
        logit: voltage of a logit of 1, see :class:`neuro_deploy.ir.manifest.ReadoutSpec`.

    Returns:
        [samples, T, classes], adding up to 1 over the classes.
    """
    # In one order, so that a sample's shares are the same to the last bit whichever array it is part of.
    logits = np.ascontiguousarray(voltages) / logit
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    result: NDArray[np.float64] = shares / shares.sum(axis=2, keepdims=True)
    return result


def enough(confidence: ArrayLike, step: ArrayLike, first: ArrayLike, last: int, threshold: float) -> NDArray[np.bool_]:
    """Whether a sample is decided after a step: the one rule, for samples that are there as a whole and for a stream.

    Nothing is decided before the first frame with sound; from there on the confidence decides, or else the last step.

    Args:
        confidence: in the likeliest class after the step; the other arguments are broadcast with it.
        step: 1 to T.
        first: step of the first frame with sound, see :func:`neuro_deploy.audio.front_end.first_sound`.
        last: T.
        threshold: between 0 and 1; above 1 every sample is fed to its end.
    """
    step = np.asarray(step)
    decided: NDArray[np.bool_] = (step >= np.asarray(first)) & ((np.asarray(confidence) >= threshold) | (step == last))
    return decided


def decide(confidence: NDArray[np.float64], threshold: float, first: NDArray[np.int64] | None = None) -> Decisions:
    """Decide each sample at the first step at which that is :func:`enough`.

    Args:
        confidence: [samples, T, classes], see :func:`scores`.
        threshold: between 0 and 1; above 1 every sample is fed to its end.
        first: int64 [samples], step of the first frame with sound, 1 to T; 1 where the data are no recordings.
    """
    last = confidence.shape[1]
    begin = np.ones(len(confidence), np.int64) if first is None else first
    steps = enough(confidence.max(axis=2), np.arange(1, last + 1), begin[:, None], last, threshold).argmax(axis=1)
    samples = np.arange(len(steps))
    classes = confidence[samples, steps].argmax(axis=1)
    return Decisions(classes, confidence[samples, steps, classes], steps + 1)


def _last_source(chain: Chain, trace: Trace, steps: int) -> NDArray[np.generic]:
    """What the read-out's layer is fed, in model time, [samples, T, neurons of the layer before or input channels]."""
    if chain.latency == 1:
        return trace.input[:, :steps]
    before = chain.layers[-2]
    held = np.zeros((trace.samples, steps, before.size), np.uint8)
    for segment in before.segments:
        part = segment.place
        if segment.role == "bias":
            held[..., part] = 1
        elif segment.lag < steps:
            held[:, segment.lag :, part] = trace.populations[segment.source][:, : steps - segment.lag]
    return held
