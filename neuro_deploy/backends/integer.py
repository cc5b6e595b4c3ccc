"""The integer semantics themselves, layer by layer in NumPy: the reference of every comparison."""

import time

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.common import prepare, recorded, records
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.ir.trace import Trace

_MEMORY = 256 * 2**20
"""Bytes that the sums of one batch may take; with their copies about four times as much."""


class IntegerBackend:
    """Runs the chain as :mod:`neuro_deploy.ir.semantics` defines it, every sample from rest."""

    name = "integer"

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`."""
        begin = time.perf_counter()
        injected = prepare(network, encoded)
        chain, manifest = network.chain, network.manifest
        samples, steps = injected.shape[:2]
        layers, voltages = records(chain, injected)
        batch = max(1, _MEMORY // (steps * max(layer.size for layer in chain.layers) * 8))
        start = time.perf_counter()
        for first in range(0, samples, batch):
            part = slice(first, first + batch)
            for layer, run in zip(layers, run_chain(chain, injected[part]), strict=True):
                layer[part] = run.sent
                if run.voltages is not None:
                    voltages[part] = run.voltages[:, manifest.steps + manifest.latency - 1]
        seconds = time.perf_counter() - start
        return recorded(self.name, network, injected, layers, voltages, seconds=seconds, startup=start - begin)
