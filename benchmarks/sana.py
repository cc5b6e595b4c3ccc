"""A run replayed in SANA-FE, which models the time and energy of Loihi 1: it gets our spikes and is timed.

It does not truncate the synaptic current as the chip does, so it cannot compute the spikes itself.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import sanafe
from numpy.typing import NDArray

from neuro_deploy.chain import Chain

_NEURONS = 1024
"""Of a core, and units of a core that replay a neuron."""

_CORES = 4
"""Of a tile."""


class Emulator:
    """One sample in SANA-FE.

    Args:
        chain: the network.
        layers: spikes of each layer, uint8 [steps, neurons].
    """

    def __init__(self, chain: Chain, layers: Sequence[NDArray[np.uint8]]) -> None:
        self._steps = len(layers[0])
        tiles = -(-sum(layer.size for layer in chain.layers) // (_NEURONS * _CORES))
        self._architecture = _architecture(tiles)
        self._network = sanafe.Network()
        groups = _neurons(self._network, self._architecture, layers)
        for index, layer in enumerate(chain.layers):
            if index > 0:
                _connect(groups[index - 1], groups[index], layer.weight)
            if layer.weight_rec is not None:
                _connect(groups[index], groups[index], layer.weight_rec)

    def run(self) -> tuple[float, int, int]:
        """Run all steps.

        Returns:
            Seconds, spikes and synaptic events as SANA-FE counts them.
        """
        with _quiet():
            chip = sanafe.SpikingChip(self._architecture)  # a new one: the lists of spikes are used up by a run
            chip.load(self._network)
            begin = time.perf_counter()
            result = chip.sim(self._steps)
            seconds = time.perf_counter() - begin
        return seconds, result["neurons_fired"], result["spikes"]


def _architecture(tiles: int) -> Any:
    """SANA-FE's Loihi with as many tiles as are needed: all 32 take 1.8 GB and seconds to build."""
    text = (resources.files("sanafe.examples") / "loihi.yaml").read_text()
    for old, new in (("width: 8", f"width: {tiles}"), ("height: 4", "height: 1"), ("tile[0..31]", f"tile[0..{tiles - 1}]")):
        if old not in text:
            raise RuntimeError(f"SANA-FE's loihi.yaml has no {old!r} any more: it is of another version")
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loihi.yaml"
        path.write_text(text)
        return sanafe.load_arch(path)


def _neurons(network: Any, architecture: Any, layers: Sequence[NDArray[np.uint8]]) -> list[Any]:
    """Groups of neurons that replay the layers, on one core after the other."""
    cores, placed, groups = architecture.cores(), 0, []
    for index, spikes in enumerate(layers):
        group = network.create_neuron_group(
            f"layer{index}",
            spikes.shape[1],
            default_synapse_hw_name="loihi_dense_synapse",
            default_dendrite_hw_name="loihi_dendrites",
        )
        for neuron, train in zip(group.neurons, spikes.T, strict=True):
            unit = f"loihi_inputs[{placed % _NEURONS}]"
            neuron.set_attributes(soma_hw_name=unit, model_attributes={"spikes": train.tolist()})
            neuron.map_to_core(cores[placed // _NEURONS])
            placed += 1
        groups.append(group)
    return groups


def _connect(source: Any, target: Any, weight: NDArray[np.int64]) -> None:
    targets, sources = np.nonzero(weight)
    # A neuron that replays refuses weights; it is the events that count.
    source.connect_neurons_sparse(
        target, {"weight": [0.0] * len(sources)}, list(zip(sources.tolist(), targets.tolist(), strict=True))
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """It prints its progress past Python's own stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
