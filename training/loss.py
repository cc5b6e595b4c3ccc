"""What a training step makes small: the wrong answers, and, if asked for, the spikes."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from neuro_deploy.training import distributed
from neuro_deploy.training.config import TrainSettings
from neuro_deploy.training.models.network import Output


def objective(output: Output, labels: Tensor, settings: TrainSettings, samples: int, taught: Tensor | None = None) -> Tensor:
    """This process's part of the loss of a batch; the parts of all processes add up to it.

    Args:
        output: of this process's samples.
        labels: theirs, int64 [samples], or shares float32 [samples, classes].
        settings: label smoothing, and the rate term.
        samples: of the whole batch, all processes.
        taught: the teachers' answers to these samples, shares [samples, classes], if there are teachers.
    """
    # Without a sample the loss is of nothing: the other processes wait for this one's gradient.
    loss = _mistakes(output.logits, labels, settings, taught) * (len(labels) / samples) if len(labels) else output.logits.sum()
    if settings.target_rate is None or not output.spikes:
        return loss
    return loss + rate_term(mean_rate(output.spikes, samples), settings) / distributed.size()


def rate_term(rate: Tensor, settings: TrainSettings) -> Tensor:
    """What spikes add to the loss: the squared excess over the target rate, nothing where there is none.

    Args:
        rate: spikes per neuron and step, averaged over the populations.
        settings: the target and its weight.
    """
    if settings.target_rate is None or settings.rate_weight is None:
        return torch.zeros(())
    return settings.rate_weight * functional.relu(rate / settings.target_rate - 1).square()


def _mistakes(logits: Tensor, labels: Tensor, settings: TrainSettings, taught: Tensor | None) -> Tensor:
    """Cross entropy with the labels, and in part with the teachers' answers (Hinton et al. 2015, at a temperature of 1)."""
    loss = functional.cross_entropy(logits, labels, label_smoothing=settings.smoothing)
    if taught is None or settings.teacher_share is None:
        return loss
    return loss + settings.teacher_share * (functional.cross_entropy(logits, taught) - loss)


def mean_rate(spikes: Mapping[str, Tensor], samples: int) -> Tensor:
    """Spikes per neuron and step of each population, averaged over the populations.

    Args:
        spikes: by population, [samples, steps, neurons], of this process's samples.
        samples: of the whole batch, all processes.
    """
    sums = [value.sum() / (samples * value.shape[1] * value.shape[2]) for value in spikes.values()]
    return distributed.total(torch.stack(sums)).mean()


def right_answers(logits: Tensor, labels: Tensor) -> Tensor:
    """How many samples have their largest logit at their label, or at the largest share of a mixed one."""
    return (logits.argmax(1) == (labels if labels.ndim == 1 else labels.argmax(1))).sum()
