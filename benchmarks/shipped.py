"""The network that most benchmarks run: the shipped one, with samples of its test data."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends import Backend
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import count
from neuro_deploy.netx import load_network
from neuro_deploy.training import config
from neuro_deploy.training.data import load_data


def load(model: Path) -> tuple[Network, NDArray[np.int32]]:
    """A network, and the encoded test samples of its task."""
    network = load_network(model)
    data = load_data(config.load(network.manifest.config).data)
    return network, encode(data.test.samples, network.manifest.input)


def neurons(chain: Chain) -> int:
    """All neurons of a chain."""
    return sum(layer.size for layer in chain.layers)


def facts(network: Network) -> dict[str, int | str]:
    """What the reader must know of a network to judge a rate."""
    synapses = sum(
        int(np.count_nonzero(layer.weight)) + (0 if layer.weight_rec is None else int(np.count_nonzero(layer.weight_rec)))
        for layer in network.chain.layers
    )
    manifest = network.manifest
    return {
        "network": manifest.config,
        "layers": manifest.latency,
        "neurons": neurons(network.chain),
        "synapses": synapses,
        "steps of a sample": manifest.steps + manifest.latency + manifest.gap,
    }


def synaptic_events(trace: Trace, chain: Chain) -> int:
    """Counted synaptic operations of a trace, relays included; see :mod:`neuro_deploy.measure.counts`."""
    counts = count(trace, chain).totals
    return (counts.compute_synops or 0) + (counts.relay_synops or 0)


def run_seconds(backend: Backend, network: Network, encoded: NDArray[np.int32]) -> float:
    """Seconds of a run, without start-up and compilation."""
    return backend.run(network, encoded).seconds


def equal(one: Trace, other: Trace) -> bool:
    """Whether every spike and read-out of the samples that both ran is the same."""
    samples = min(one.samples, other.samples)
    assert one.layers is not None
    assert other.layers is not None
    same = [np.array_equal(a[:samples], b[:samples]) for a, b in zip(one.layers, other.layers, strict=True)]
    return all(same) and np.array_equal(one.readout[:samples], other.readout[:samples])
