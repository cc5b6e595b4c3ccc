"""A run replayed in SANA-FE, which models the energy and time of Loihi 1: it gets our spikes, not our weights.

It does not truncate the synaptic current as the chip does, so it cannot compute the spikes itself. Its own LIF neurons are made to
fire by a bias in the steps in which ours fired; all synapses are there and carry nothing, so an event costs what it costs and
moves nothing. It has no graded spikes: a message of the input is the spike of a neuron that costs nothing itself, as SANA-FE's
input neurons do, on one more core of the tile where our messages enter; see :data:`neuro_deploy.loihi.cores.INPUT_TILE`.
"""

import contextlib
import ctypes
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.backends import require_able
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.cores import INPUT_TILE, Placement, place, require_fit

_SILENT = {"threshold": 0.5, "reset_mode": "hard", "reset": 0.0, "leak_decay": 0.0, "input_decay": 0.0, "bias": 0.0}
"""A neuron that fires exactly in the steps in which its bias is 1."""

_INPUT, _NEURON = "loihi_inputs", "loihi_lif"
"""Units of a core in SANA-FE's loihi.yaml: the first costs nothing, the second as much as Loihi's neuron."""


@dataclass(frozen=True)
class Replay:
    """One sample as SANA-FE sees it.

    Attributes:
        energy: in J, by component: soma, synapse, network.
        time: simulated, in s, all steps of the sample.
        seconds: measured, that the replay took.
        spikes: neurons that fired, the input's channels included.
        synops: synaptic events.
        updates: active updates, those of the input's channels included.
        packets: messages between cores, or within one.
    """

    energy: dict[str, float]
    time: float
    seconds: float
    spikes: int
    synops: int
    updates: int
    packets: int


class Emulator:
    """A chain in SANA-FE's Loihi 1.

    Args:
        chain: the network.
        placement: on which cores; that of :func:`neuro_deploy.loihi.cores.place` if not given.

    Raises:
        MissingPackageError: SANA-FE is not installed.
        BackendError: it is of another version, or the network has layers that it cannot replay.
        RuleError: the network does not fit the chip.
    """

    def __init__(self, chain: Chain, placement: Placement | None = None) -> None:
        if chain.special is not None:
            raise BackendError(f"sanafe: {chain.special}, which it cannot replay")
        sanafe = require()
        placement = placement or place(chain)
        require_fit(placement)
        if chain.input_size > limits.CORE_COMPARTMENTS:
            raise BackendError(f"{chain.input_size} input channels: SANA-FE has {limits.CORE_COMPARTMENTS} neurons for them")
        architecture = _architecture(sanafe)
        network = sanafe.Network()
        per_tile = limits.TILE_CORES + 1
        entry = np.full(chain.input_size, INPUT_TILE * per_tile + limits.TILE_CORES)
        groups = [_group(network, architecture, "input", entry, _INPUT)]
        for index, (layer, cores) in enumerate(zip(chain.layers, placement.layers, strict=True)):
            ours = cores // limits.TILE_CORES * per_tile + cores % limits.TILE_CORES
            groups.append(_group(network, architecture, f"layer{index}", ours, _NEURON))
            _connect(groups[index], groups[index + 1], layer.weight)
            if layer.weight_rec is not None:
                _connect(groups[index + 1], groups[index + 1], layer.weight_rec)
        with _quiet():
            self._chip = sanafe.SpikingChip(architecture)
            self._chip.load(network)
        neurons = self._chip.mapped_neuron_groups
        self._neurons = [neuron for group in groups for neuron in neurons[group.get_name()]]

    def run(self, events: NDArray[np.bool_]) -> Replay:
        """Replay one sample from rest.

        Args:
            events: bool [steps, input channels and then the neurons of all layers]; see :func:`events_of`.
        """
        fires = np.zeros(events.shape[1], np.bool_)
        results = []
        begin = time.perf_counter()
        with _quiet():
            self._chip.reset()
            for step in events:
                for neuron in np.flatnonzero(step != fires):
                    self._neurons[neuron].set_attributes(model_attributes={"bias": float(step[neuron])})
                fires = step
                results.append(self._chip.sim(1))
            for neuron in np.flatnonzero(fires):
                self._neurons[neuron].set_attributes(model_attributes={"bias": 0.0})

        def total(name: str) -> Any:
            return sum(result[name] for result in results)

        return Replay(
            energy={name: sum(result["energy"][name] for result in results) for name in ("soma", "synapse", "network")},
            time=total("sim_time"),
            seconds=time.perf_counter() - begin,
            spikes=total("neurons_fired"),
            synops=total("spikes"),
            updates=total("neurons_updated"),
            packets=total("packets_sent"),
        )


class SanafeBackend:
    """Runs the chain in the fast backend and replays it in SANA-FE, whose own counts must be those of the run.

    The spikes are the fast backend's; energy and time of the same trace are what :func:`replay` returns.
    """

    name = "sanafe"

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`. Its seconds are those of the replay.

        Raises:
            MissingPackageError: SANA-FE is not installed.
            BackendError: it cannot run the network, or counts other events.
            RuleError: the network does not fit the chip.
        """
        begin = time.perf_counter()
        require_able(self.name, network)
        emulator = Emulator(network.chain)
        trace = FastBackend().run(network, encoded)
        start = time.perf_counter()
        for sample in range(trace.samples):
            events = events_of(trace, sample)
            found, sent = emulator.run(events).spikes, np.count_nonzero(events)
            if found != sent:
                raise BackendError(f"sanafe replayed {found} events of sample {sample}, which has {sent}: install sanafe 2.2.9")
        seconds = time.perf_counter() - start
        return replace(trace, backend=self.name, seconds=seconds, startup=start - begin)


def events_of(trace: Trace, sample: int) -> NDArray[np.bool_]:
    """Messages of the input and spikes of all layers of one sample, side by side: bool [steps, channels and neurons]."""
    if trace.layers is None:
        raise BackendError(f"{trace.backend} runs the model and not the chain: replay the trace of integer, fast or lava")
    return np.concatenate([trace.input[sample] != 0, *(layer[sample] != 0 for layer in trace.layers)], axis=1)


def replay(trace: Trace, chain: Chain, placement: Placement | None = None) -> tuple[Replay, ...]:
    """Replay all samples of a trace; each takes seconds.

    Args:
        trace: of a backend that runs the chain.
        chain: the network that ran.
        placement: on which cores; see :class:`Emulator`.

    Raises:
        MissingPackageError: SANA-FE is not installed.
        BackendError: it is of another version, or the trace has no layers.
        RuleError: the network does not fit the chip.
    """
    emulator = Emulator(chain, placement)
    return tuple(emulator.run(events_of(trace, sample)) for sample in range(trace.samples))


def require() -> Any:
    """The package.

    Raises:
        MissingPackageError: it is not installed.
    """
    extras.require("sanafe")
    return import_module("sanafe")


def _architecture(sanafe: Any) -> Any:
    """SANA-FE's own Loihi, with one more core in a tile for the input, whose neurons become one unit that is driven as the others."""
    text = (resources.files("sanafe.examples") / "loihi.yaml").read_text(encoding="utf-8")
    for old, new in (
        (f"{_INPUT}[0..1023]", _INPUT),
        ("model: input", "model: leaky_integrate_fire"),
        (f"loihi_core[0..{limits.TILE_CORES - 1}]", f"loihi_core[0..{limits.TILE_CORES}]"),
    ):
        if old not in text:
            raise BackendError(f"SANA-FE's loihi.yaml has no {old!r}: install sanafe 2.2.9")
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loihi.yaml"
        path.write_text(text, encoding="utf-8")
        return sanafe.load_arch(path)


def _group(network: Any, architecture: Any, name: str, cores: NDArray[np.int64], unit: str) -> Any:
    group = network.create_neuron_group(
        name, len(cores), default_synapse_hw_name="loihi_dense_synapse", default_dendrite_hw_name="loihi_dendrites"
    )
    places = architecture.cores()
    for neuron, core in zip(group.neurons, cores.tolist(), strict=True):
        neuron.set_attributes(soma_hw_name=unit, model_attributes=_SILENT)
        neuron.map_to_core(places[core])
    return group


def _connect(source: Any, target: Any, weight: NDArray[np.int64]) -> None:
    targets, sources = np.nonzero(weight)
    # Only which synapses there are matters; a weight would make its target fire on its own.
    pairs = list(zip(sources.tolist(), targets.tolist(), strict=True))
    source.connect_neurons_sparse(target, {"weight": [0.0] * len(pairs)}, pairs)


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
        ctypes.CDLL(None).fflush(None)  # what it has not written yet is not for the reader either
        os.dup2(kept, 1)
        os.close(kept)
