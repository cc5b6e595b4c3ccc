"""From a trained network to the graph of integers that is deployed, and its evaluation pass in torch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.manifest import Description
from neuro_deploy.ir.semantics import FRACTION_BITS
from neuro_deploy.loihi.limits import THRESHOLD_MAX
from neuro_deploy.training.checkpoint import Checkpoint, read
from neuro_deploy.training.models.network import Deployed, Memory, Network

READOUT = "readout"
"""Name of the read-out's population in the graph."""

INTEGER_LIMIT = 2.0**31
"""No weight or bias comes near; the rules say later, and exactly, which of them the chip takes."""

BATCH = 128
"""Samples of one evaluation pass; bounds its memory."""


@torch.no_grad()
def to_graph(checkpoint: Checkpoint) -> Graph:
    """The deployed integers of a checkpoint as a graph."""
    network = checkpoint.network()
    decay = checkpoint.config.neuron.voltage_decay
    populations: dict[str, Population] = {}
    projections: list[Projection] = []
    for name, population in network.spiking():
        parts = network.deployed(name)
        populations[name] = Population(name, population.size, parts.threshold, decay, _integers(parts.bias))
        projections += _projections(network, name, parts)
    parts = network.deployed_readout(checkpoint.steps)
    size = network.readout.size
    populations[READOUT] = Population(READOUT, size, THRESHOLD_MAX, 0, _integers(parts.bias), fires=False)
    projections += _projections(network, READOUT, parts)
    return Graph(network.channels, populations, tuple(projections))


def describe(checkpoint: Checkpoint) -> Description:
    """What the manifest says of a checkpoint."""
    config, steps = checkpoint.config, checkpoint.steps
    return Description(
        config=config.name,
        settings=config.model_dump(),
        classes=checkpoint.classes,
        encoder=config.encoding,
        steps=steps,
        logit=checkpoint.network().deployed_readout(steps).threshold * steps << FRACTION_BITS,
        front_end=config.front_end,
    )


def memories(checkpoint: Checkpoint) -> list[tuple[str, str, NDArray[np.float64]]]:
    """The Legendre memories: of each the population that writes, the one that stands for it, its impulse response [order, theta]."""
    network = checkpoint.network()
    found = []
    for name, population in network.spiking():
        for part in map(network.linear, population.reads):
            if isinstance(part, Memory):
                found.append((part.source, name, part.weight[: part.order].double().numpy()))
    return found


def _projections(network: Network, target: str, parts: Deployed) -> list[Projection]:
    projections = []
    for name, weight in parts.weights.items():
        part = network.linear(name)
        source = INPUT if part.source == "input" else part.source
        projections.append(Projection(source, target, _integers(part.dense(weight))))
    return projections


def _integers(tensor: torch.Tensor) -> NDArray[np.int64]:
    if not (tensor.abs() < INTEGER_LIMIT).all():
        worst = float(tensor.abs().max())
        raise RuleError(
            f"a quantised weight or bias is {worst:g}, far beyond {INTEGER_LIMIT:g} and the chip: train again with a lower rate"
        )
    integers: NDArray[np.int64] = tensor.numpy().astype(np.int64)
    return integers


class Evaluator:
    """The trained model's evaluation pass with the deployed integers, on SLAYER's neurons.

    Args:
        checkpoint: the trained network.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.network = checkpoint.network()

    @torch.no_grad()
    def __call__(self, encoded: NDArray[np.int32]) -> tuple[Mapping[str, NDArray[np.uint8]], NDArray[np.int64]]:
        """Run whole samples.

        Args:
            encoded: int32 [samples, T, channels].

        Returns:
            Spikes by population, uint8 [samples, T, neurons], and the read-out's voltages, int64 [samples, classes].
        """
        spikes: dict[str, list[NDArray[np.uint8]]] = {}
        voltages: list[NDArray[np.int64]] = []
        for begin in range(0, len(encoded), BATCH):
            frames = torch.from_numpy(encoded[begin : begin + BATCH]).float()
            output = self.network(frames, quantised=True)
            for name, value in output.spikes.items():
                spikes.setdefault(name, []).append(value.to(torch.uint8).numpy())
            voltages.append(output.voltage.to(torch.int64).numpy())
        return {name: np.concatenate(parts) for name, parts in spikes.items()}, np.concatenate(voltages)


@torch.no_grad()
def answers(model: nn.Module, encoded: NDArray[np.int32], quantised: bool) -> NDArray[np.int64]:
    """What a model answers.

    Args:
        model: in evaluation mode, on the CPU.
        encoded: int32 [samples, T, channels].
        quantised: with the deployed integers, or with the real-valued weights.

    Returns:
        int64 [samples], a class each.
    """
    parts = (torch.from_numpy(encoded[begin : begin + BATCH]).float() for begin in range(0, len(encoded), BATCH))
    return np.concatenate([model(part, quantised).logits.argmax(1).numpy() for part in parts])


def load_evaluator(path: Path) -> Evaluator:
    """The evaluation pass of a checkpoint file.

    Raises:
        ModelFileError: it is missing, damaged or of another architecture.
    """
    return Evaluator(read(path))
