"""Small graphs with fixed seeds, and a way to have one as files."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Layer, dense
from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.manifest import Description, Encoder
from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower
from neuro_deploy.netx import load_network, save_network

READOUT_THRESHOLD = (1 << 17) - 1


def even(rng: np.random.Generator, shape: tuple[int, ...], magnitude: int = 100) -> NDArray[np.int64]:
    return 2 * rng.integers(-magnitude // 2, magnitude // 2 + 1, shape)


def population(
    rng: np.random.Generator, name: str, size: int, *, threshold: int = 128, decay: int = 2048, bias: int = 0
) -> Population:
    return Population(name, size, threshold, decay, even(rng, (size,), bias))


def readout(size: int, bias: NDArray[np.int64] | None = None, name: str = "out") -> Population:
    return Population(name, size, READOUT_THRESHOLD, 0, np.zeros(size, np.int64) if bias is None else bias, fires=False)


def projection(
    rng: np.random.Generator, source: str, target: str, lags: int, rows: int, columns: int, magnitude: int = 100
) -> Projection:
    return Projection(source, target, even(rng, (lags, rows, columns), magnitude))


def tiny(seed: int = 3) -> Graph:
    """Four computing populations with a skip over two layers, taps of two lengths, and biases up to three bias neurons."""
    rng = np.random.default_rng(seed)
    populations = [
        population(rng, "s0", 5, threshold=200, bias=100),
        population(rng, "s1", 4, bias=600),
        population(rng, "s2", 6, threshold=100, decay=1024),
        population(rng, "s3", 3, threshold=90, decay=3000, bias=40),
        readout(3, even(rng, (3,), 30)),
    ]
    projections = [
        projection(rng, INPUT, "s0", 3, 5, 2, 60),
        projection(rng, "s0", "s1", 1, 4, 5, 250),
        projection(rng, "s0", "s3", 2, 3, 5),
        projection(rng, "s1", "s2", 4, 6, 4, 200),
        projection(rng, "s2", "s3", 1, 3, 6),
        projection(rng, "s1", "s3", 3, 3, 4),
        projection(rng, "s3", "out", 1, 3, 3),
        projection(rng, "s1", "out", 1, 3, 4),
    ]
    return Graph(2, {p.name: p for p in populations}, tuple(projections))


def samples(graph: Graph, count: int, steps: int, message_bits: int = 3, seed: int = 0) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**message_bits, (count, steps, graph.channels)).astype(np.int32)


def about(graph: Graph, steps: int, message_bits: int = 3) -> Description:
    classes = next(p.size for p in graph.populations.values() if not p.fires)
    return Description(
        "tests", tuple(f"class {i}" for i in range(classes)), Encoder(message_bits=message_bits), steps, logit=640
    )


def saved(graph: Graph, folder: Path, steps: int = 20) -> Network:
    """A graph, lowered, written and read again."""
    save_network(Network.of(lower(graph), about(graph, steps)), folder / "net.net", b"checkpoint")
    return load_network(folder / "net.net")


def altered(layer: Layer, **fields: Any) -> Layer:
    """A plain layer with other parameters."""
    now = {name: getattr(layer, name) for name in inspect.signature(dense).parameters}
    return dense(**now | fields)
