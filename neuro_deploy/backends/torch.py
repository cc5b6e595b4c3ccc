"""The trained model's own evaluation pass, in model time: what the chip is meant to compute."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.common import prepare
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.netx import require_checkpoint

Evaluate = Callable[[NDArray[np.int32]], tuple[Mapping[str, NDArray[np.uint8]], NDArray[np.int64]]]
"""Encoded samples [samples, T, channels] -> spikes by population [samples, T, neurons], read-out voltages [samples, classes]."""


class TorchBackend:
    """Runs the checkpoint that the network was exported from.

    Args:
        load: reads a checkpoint's evaluation pass. Passed in, because the model's code is not part of this package.
    """

    name = "torch"

    def __init__(self, load: Callable[[Path], Evaluate]) -> None:
        self.load = load

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`.

        Raises:
            InputError: the samples do not fit the network.
            ModelFileError: the checkpoint is missing or is not the one that was exported.
        """
        begin = time.perf_counter()
        injected = prepare(network, encoded)
        evaluate = self.load(require_checkpoint(network))
        start = time.perf_counter()
        populations, readout = evaluate(encoded)
        seconds = time.perf_counter() - start
        return Trace(self.name, injected, dict(populations), None, readout, network.chain.segments, seconds, start - begin)
