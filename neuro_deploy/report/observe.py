"""What the spikes of a run show of the network: answers step by step, confusions, one sample, its memory."""

import numpy as np
from numpy.polynomial import Legendre
from numpy.typing import NDArray

from neuro_deploy.ir.trace import Trace
from neuro_deploy.report.views import Answers, Memory, Sample, Spikes


def answers(voltages: NDArray[np.int64], labels: NDArray[np.int64] | None) -> Answers:
    """Right answers and settled answers after each step, and which class was taken for which.

    Args:
        voltages: int64 [samples, T, classes], see :func:`neuro_deploy.recognition.decisions.readouts`.
        labels: int64 [samples], or None where nobody knows them.
    """
    given = voltages.argmax(axis=2)
    last = given[:, -1]
    # An answer is settled from the step on from which it equals all later ones.
    settled = np.logical_and.accumulate((given == last[:, None])[:, ::-1], axis=1)[:, ::-1]
    stable = tuple(settled.sum(axis=0).tolist())
    if labels is None:
        return Answers(right=None, settled=stable, confusion=None)
    confusion = np.zeros((voltages.shape[2],) * 2, np.int64)
    np.add.at(confusion, (labels, last), 1)
    return Answers(
        right=tuple((given == labels[:, None]).sum(axis=0).tolist()),
        settled=stable,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def sample(trace: Trace, index: int, encoded: NDArray[np.int32], labels: NDArray[np.int64] | None) -> Sample:
    """All spikes of one sample in model time.

    Args:
        trace: the run.
        index: which sample.
        encoded: int32 [samples, T, channels], what the network was fed.
        labels: int64 [samples], or None where nobody knows them.
    """
    populations = []
    for name, spikes in trace.populations.items():
        steps, neurons = np.nonzero(spikes[index])
        events = {"steps": tuple(steps.tolist()), "indices": tuple(neurons.tolist())}
        populations.append(Spikes(name=name, neurons=spikes.shape[2], **events))
    return Sample(
        index=index,
        label=None if labels is None else int(labels[index]),
        answer=int(trace.readout[index].argmax()),
        input=tuple(tuple(frame) for frame in encoded[index].tolist()),
        populations=tuple(populations),
    )


def memory(
    writes: NDArray[np.uint8], spikes: NDArray[np.uint8], response: NDArray[np.float64], names: tuple[str, str]
) -> Memory:
    """The Legendre memory of one sample, beside the spikes that stand for it: of the channel whose neurons fire most.

    The real-valued memory is ``m_i[t] = sum over l of response[i, l] * u[t - l]``. It describes the past of ``u`` by Legendre
    polynomials: ``u(t - r * theta) ~ sum over i of m_i[t] * P_i(2 r - 1)``, ``0 <= r <= 1`` (Voelker, Kajic, Eliasmith 2019,
    equation 3).

    Args:
        writes: uint8 [T, channels], spikes of the population that writes into the memory.
        spikes: uint8 [T, channels * order], spikes of the memory's neurons, those of a channel side by side.
        response: float64 [order, theta], the memory's answer to one spike.
        names: of the two populations.
    """
    order, length = response.shape
    steps, channels = writes.shape
    channel = int(spikes.sum(axis=0).reshape(channels, order).sum(axis=1).argmax())
    written = writes[:, channel]
    states = np.stack([np.convolve(written, row)[:steps] for row in response])
    lags = np.arange(min(length, steps))
    window = Legendre(states[:, -1])(2 * (lags + 0.5) / length - 1)
    own = spikes[:, channel * order : (channel + 1) * order]
    return Memory(
        source=names[0],
        target=names[1],
        channel=channel,
        length=length,
        writes=tuple(np.flatnonzero(written).tolist()),
        states=tuple(tuple(row) for row in states.round(6).tolist()),
        spikes=tuple(tuple(np.flatnonzero(row).tolist()) for row in own.T),
        window=tuple(window.round(6).tolist()),
    )
