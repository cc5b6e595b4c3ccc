"""What every backend does alike: check and lay out the samples, and bring recorded layers back to model time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.inputs import inject
from neuro_deploy.ir.manifest import Manifest
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import sent_type
from neuro_deploy.ir.trace import Trace


def prepare(network: Network, encoded: NDArray[np.int32]) -> NDArray[np.int32]:
    """Check encoded samples and lay them out for injection.

    Args:
        network: what reads them.
        encoded: int32 [samples, T, channels].

    Returns:
        int32 [samples, T + D + G, input channels].

    Raises:
        InputError: they do not fit the network.
    """
    manifest = network.manifest
    return inject(network.signature.accept(encoded), manifest.input, manifest.latency + manifest.gap)


def records(chain: Chain, injected: NDArray[np.int32]) -> tuple[tuple[NDArray[Any], ...], NDArray[np.int64]]:
    """Room for what a run leaves: spikes [samples, steps, neurons] of each layer, voltages [samples, neurons] of the last one."""
    samples, steps = injected.shape[:2]
    layers = tuple(np.empty((samples, steps, layer.size), sent_type(layer)) for layer in chain.layers)
    return layers, np.empty((samples, chain.layers[-1].size), np.int64)


def recorded(
    backend: str,
    network: Network,
    injected: NDArray[np.int32],
    layers: tuple[NDArray[Any], ...],
    voltages: NDArray[np.int64],
    *,
    seconds: float,
    startup: float,
) -> Trace:
    """The trace of a backend that ran the chain.

    Args:
        backend: its name.
        network: what ran.
        injected: int32 [samples, steps, input channels].
        layers: [samples, steps, neurons] of each layer, what it sent.
        voltages: int64 [samples, neurons of the last layer], after chip step T + D.
        seconds: wall time of the run.
        startup: wall time before it.
    """
    manifest = network.manifest
    populations = align(network.chain, layers, manifest.steps)
    sends = manifest.readout.kind != "voltage"
    readout = answers_sent(manifest, layers[-1])[:, -1] if sends else voltages[:, manifest.readout.place]
    return Trace(backend, injected, populations, layers, readout, network.chain.segments, seconds, startup)


def answers_sent(manifest: Manifest, sent: NDArray[Any]) -> NDArray[np.int64]:
    """The answer after each step of a sample, of a network whose answer is what its last layer sends and not a voltage.

    Args:
        manifest: where the answer is, and whether it is the sum or what was sent last.
        sent: [samples, steps, neurons] of the last layer.

    Returns:
        int64 [samples, T, classes].
    """
    own = slice(manifest.latency, manifest.latency + manifest.steps)
    answers = sent[:, own, manifest.readout.place].astype(np.int64)
    return answers.cumsum(axis=1) if manifest.readout.kind == "sum" else answers


def align(chain: Chain, layers: Sequence[NDArray[Any]], steps: int) -> dict[str, NDArray[Any]]:
    """Cut the computing populations out of recorded layers and shift them to model time.

    The neurons of layer ``k`` hold at chip step ``t + depths[k]`` the model's step ``t`` (0-based).

    Args:
        chain: its segments say where the populations are.
        layers: [samples, chip steps, neurons] for each layer, at least ``steps + D`` chip steps.
        steps: T, steps of a sample.

    Returns:
        [samples, T, neurons] by the population's name, in the order of the layers.
    """
    return {
        segment.name: sent[:, depth : depth + steps, segment.place]
        for layer, sent, depth in zip(chain.layers, layers, chain.depths, strict=True)
        for segment in layer.segments
        if segment.role == "compute"
    }
