"""A model on a split, without augmentation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.manifest import Encoder
from neuro_deploy.training.data import Split

BATCH = 256
"""Samples of one pass; bounds its memory."""


def encoded(samples: Tensor, encoder: Encoder) -> Tensor:
    """Float32 of encoded integers, [samples, steps, channels]."""
    return torch.from_numpy(encode(samples.numpy(), encoder)).float()


@dataclass(frozen=True)
class Evaluation:
    """A network's merit on a split: accuracy, mean loss, and spikes per neuron and step of each population."""

    accuracy: float
    loss: float
    rates: dict[str, float]


@torch.no_grad()
def evaluate(network: nn.Module, split: Split, encoder: Encoder, quantised: bool) -> Evaluation:
    """Evaluate without augmentation, with running statistics.

    Args:
        network: the model; left in evaluation mode.
        split: samples and labels.
        encoder: makes the integers of the data's numbers.
        quantised: with the deployed integers, or with the real-valued weights.
    """
    network.eval()
    device = next(network.parameters()).device
    correct = loss = 0.0
    spikes: dict[str, float] = {}
    for begin in range(0, len(split), BATCH):
        labels = torch.from_numpy(split.labels[begin : begin + BATCH]).to(device)
        samples = torch.from_numpy(split.samples[begin : begin + BATCH])
        output = network(encoded(samples, encoder).to(device), quantised)
        correct += float((output.logits.argmax(1) == labels).sum())
        loss += float(functional.cross_entropy(output.logits, labels, reduction="sum"))
        for name, value in output.spikes.items():
            spikes[name] = spikes.get(name, 0.0) + float(value.mean()) * len(labels)
    return Evaluation(correct / len(split), loss / len(split), {name: value / len(split) for name, value in spikes.items()})
