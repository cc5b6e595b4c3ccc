"""brian2-loihi, an emulator of Loihi by other people: it computes every spike and every read-out itself, slowly."""

import time
import warnings

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.backends import require_able
from neuro_deploy.backends.common import prepare, recorded, records
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi.limits import THRESHOLD_MAX

MESSAGE_BITS_MAX = 8
"""Each bit of a message has weights with an exponent, the largest of which is 7."""


def refusal(network: Network) -> str | None:
    """What keeps it from running a network of plain layers, or None.

    Args:
        network: see there.
    """
    spec = network.manifest.input
    if spec.message_bits > MESSAGE_BITS_MAX:
        return f"messages of {spec.message_bits} bits, at most {MESSAGE_BITS_MAX} are supported"
    if spec.signed:
        return "negative messages, which it does not support"
    for index, layer in enumerate(network.chain.layers):
        if layer.bias is not None and layer.bias.any():
            return f"layer {index} ({layer.kind}) has biases of its own, which it does not support: use bias neurons"
        if not 0 <= layer.threshold <= THRESHOLD_MAX:
            return f"layer {index} ({layer.kind}) has a threshold of {layer.threshold}, which is at most {THRESHOLD_MAX} there"
    return None


class Brian2LoihiBackend:
    """Runs the chain in brian2-loihi, every sample from rest; seconds for each."""

    name = "brian2loihi"

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`.

        Raises:
            MissingPackageError: brian2-loihi is not installed.
            BackendError: the network has something that it does not run.
        """
        begin = time.perf_counter()
        require_able(self.name, network)
        extras.require("brian2_loihi")
        injected = prepare(network, encoded)
        layers, voltages = records(network.chain, injected)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # brian2 calls pyparsing and setuptools by older names, whenever it parses an equation
            seconds = _run(network, injected, layers, voltages)
        startup = time.perf_counter() - begin - seconds
        return recorded(self.name, network, injected, layers, voltages, seconds=seconds, startup=startup)


def _run(
    network: Network, injected: NDArray[np.int32], layers: tuple[NDArray[np.uint8], ...], voltages: NDArray[np.int64]
) -> float:
    """Fill spikes [samples, steps, neurons] of each layer and voltages [samples, neurons]; seconds of the steps alone."""
    from neuro_deploy.backends.brian_network import Emulator

    manifest = network.manifest
    emulator = Emulator(network.chain, max(1, manifest.input.message_bits))
    seconds = 0.0
    for sample, rows in enumerate(injected):
        steps, spikes, last = emulator.run(rows)
        seconds += steps
        voltages[sample] = last[manifest.steps + manifest.latency - 1]
        for layer, found in zip(layers, spikes, strict=True):
            layer[sample] = found
    return seconds
