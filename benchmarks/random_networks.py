"""LMUFormers with random weights, lowered: every size can be chosen, and how much they fire."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower
from neuro_deploy.netx import load_network, save_network
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.config import parse
from neuro_deploy.training.deploy import describe, to_graph
from neuro_deploy.training.models.lmuformer import build

BITS = 5
CLASSES = 10
_SIZES: dict[str, Any] = {"channels": 32, "memory_channels": 4, "memory_order": 8, "memory_length": 32}


def make(folder: Path, *, steps: int = 64, drive: float = 0.0, **model: Any) -> Network:
    """A network that fires a little everywhere.

    Args:
        folder: where its files go.
        steps: T.
        drive: added to every neuron's normalised input, in thresholds: it fires the more, the higher this is.
        model: sizes, see :class:`neuro_deploy.training.config.ModelSettings`.
    """
    settings: dict[str, object] = {
        "name": "random",
        "data": {"name": "digits"},
        "encoder": {"bits": BITS},
        "model": _SIZES | model,
        "train": {"epochs": 1, "quantised_epochs": 0},
    }
    config = parse(settings, "the benchmark")
    torch.manual_seed(0)
    network = build(config, 1, CLASSES)
    with torch.no_grad():
        for norm in [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm1d)]:
            norm.weight.uniform_(0.5, 1.0)
            norm.bias.uniform_(drive - 0.25, drive + 0.25)
            norm.momentum = None  # type: ignore[assignment]  # None is allowed: a plain mean: the statistics are those of the passes, whatever they began with
        network.train()
        for _ in range(4):
            network(torch.randint(0, 1 << BITS, (8, steps, 1)).float())
    names = tuple(str(number) for number in range(CLASSES))
    checkpoint = Checkpoint(config, names, 1, steps, network.state_dict(), 1, 0.0)
    net = folder / "random.net"
    save_network(Network.of(lower(to_graph(checkpoint)), describe(checkpoint)), net, b"")
    return load_network(net)


def samples(network: Network, count: int) -> NDArray[np.int32]:
    """Random encoded samples."""
    shape = (count, network.manifest.steps, network.manifest.input.channels)
    return np.random.default_rng(0).integers(0, 1 << BITS, shape).astype(np.int32)
