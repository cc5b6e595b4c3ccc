"""Networks of others in stock Lava, as one process in Lava, and compiled; and a recurrent one of the size of published comparisons.

Samples are random: input that changes slowly where neurons take it, sparse spikes elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import shipped
from benchmarks.measure import Comparison, Section, Settings, alternate, longer, require
from neuro_deploy import engine, extras
from neuro_deploy.backends import Backend
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.ir.chain import Chain, Segment, dense
from neuro_deploy.ir.manifest import ADOPTED_VERSION, InputSpec, LayerSpec, Loading, Manifest, ReadoutSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.netx import Use, adopt

STOCK = "stock Lava"
BATCH = 8

FILES = Path(__file__).parents[2] / "shared" / "data" / "netx"
"""Public NetX files, which are not a part of this project."""


@dataclass(frozen=True)
class _File:
    """A public file, for how many steps a sample of it runs, and how many samples ``fast`` runs at a time."""

    title: str
    name: str
    steps: int
    batch: int = BATCH


_PUBLIC = (
    _File("PilotNet, LIF", "ldl_pilotnet_lif", 16),
    _File("PilotNet, sigma-delta", "ldl_tut_pilotnet_sdnn", 16),
    _File("DNS, delays", "dns_delays", 100),
    _File("MNIST tutorial", "ldl_tut_mnist", 400, 64),
)

_RECURRENT = (700, 256, 20)
"""Inputs, recurrent neurons and classes of networks for spoken digits (SHD)."""


def measure(settings: Settings) -> Section:
    """Samples a second of each public file, and microseconds a step of the recurrent network."""
    comparisons, notes = [_recurrent(settings)], []
    repeats = min(settings.repeats, 3)  # each start of Lava takes ten seconds
    for file in _PUBLIC[3:] if settings.quick else _PUBLIC:
        path = FILES / f"{file.name}.net"
        if not path.exists():
            notes.append(f"left out: {file.title}: the public NetX files are not here")
        elif not extras.present("lava"):
            notes.append(f"left out: {file.title}: {extras.advice('lava')}")
        else:
            comparisons.append(_public(file, path, repeats))
    notes += [
        f"A sample in stock Lava, {BATCH} in fused Lava, {BATCH} or more in fast.",
        "Start-up, loading and compilation are not in the times.",
        "Every value that any layer sends was compared at each run: the same.",
    ]
    return Section(comparisons, facts={"cores": engine.THREADS}, notes=notes)


def _public(file: _File, path: Path, repeats: int) -> Comparison:
    network, _ = adopt(path, Use(file.steps))
    samples = _samples(network, file)
    backends: dict[str, tuple[Backend, int]] = {
        STOCK: (LavaBackend(), 1),
        "fused Lava": (LavaBackend(fused=True), BATCH),
        f"fast, {engine.THREADS} cores": (FastBackend(), file.batch),
    }
    reference = FastBackend().run(network, samples)

    def run(name: str) -> Callable[[], float]:
        backend, number = backends[name]

        def once() -> float:
            trace = backend.run(network, samples[:number])
            require(shipped.equal(trace, reference), f"{file.title}: {name} and fast")
            return trace.seconds

        return once

    times = alternate({name: longer(run(name)) if "fast" in name else run(name) for name in backends}, repeats)
    rates = {name: [backends[name][1] / value for value in values] for name, values in times.items()}
    return Comparison(f"{file.title}, {file.steps} steps", "samples/s", STOCK, rates, higher_is_better=True)


def _samples(network: Network, file: _File) -> NDArray[np.int32]:
    """A tenth of the input is active, or changes, at a step."""
    rng = np.random.default_rng(0)
    first, shape = network.chain.layers[0], (file.batch, file.steps, network.chain.channels)
    active = rng.random(shape) < 0.1
    if first.connections:
        return active.astype(np.int32)
    high = 64 if first.graded else 17_000
    moves = rng.integers(-high // 40 - 1, high // 40 + 2, shape) * active
    samples: NDArray[np.int32] = (rng.integers(0, high, (file.batch, 1, shape[2])) + np.cumsum(moves, axis=1)).astype(np.int32)
    return samples


def _recurrent(settings: Settings) -> Comparison:
    steps = 100 if settings.quick else 1000
    rng = np.random.default_rng(1)
    network = _spoken(rng, steps)
    samples = (rng.random((BATCH, steps, _RECURRENT[0])) < 0.03).astype(np.int32)
    fast, integer = FastBackend(threads=1), IntegerBackend()
    reference = integer.run(network, samples[:1])
    require(shipped.equal(fast.run(network, samples), reference), "fast and the integer semantics")
    require(bool(0.005 < np.mean(reference.layers[0]) < 0.2), "a tenth of the recurrent neurons fires")  # type: ignore[index]
    times = alternate(
        {
            "integer": lambda: integer.run(network, samples[:1]).seconds / steps,
            "fast, 1 core": longer(lambda: fast.run(network, samples).seconds / (BATCH * steps)),
        },
        settings.repeats,
    )
    title = f"700-256 (recurrent)-20, {steps} steps, 3 % of the inputs active"
    return Comparison(title, "us a step", "integer", {name: [1e6 * value for value in all_] for name, all_ in times.items()})


def _spoken(rng: np.random.Generator, steps: int) -> Network:
    """Random weights of 8 bits, all there; a few per cent of the recurrent neurons fire at each step."""
    inputs, hidden, classes = _RECURRENT
    segments = Segment("hidden", 0, hidden, "compute", "hidden", 0), Segment("out", 0, classes, "readout", "out", 0)
    forward, back = rng.integers(-120, 128, (hidden, inputs)) & ~1, rng.integers(-80, 60, (hidden, hidden)) & ~1
    layers = (
        dense(forward, back, 700, 1024, 400, segments[:1]),
        dense(rng.integers(-120, 120, (classes, hidden)) & ~1, None, 1 << 17, 1024, 100, segments[1:]),
    )
    chain = Chain(1, inputs, layers, 0, constant=False)
    manifest = Manifest(
        format_version=ADOPTED_VERSION,
        loading=Loading(),
        config="spoken",
        classes=tuple(map(str, range(classes))),
        input=InputSpec(channels=inputs, frames=1, constant_channel=None, message_bits=1, scale=1),
        steps=steps,
        latency=chain.latency,
        gap=0,
        layers=tuple(
            LayerSpec(index=index, size=layer.size, kind=layer.kind, populations=layer.segments)
            for index, layer in enumerate(layers)
        ),
        readout=ReadoutSpec(layer=1, start=0, stop=classes, scale=64, kind="voltage"),
    )
    return Network(chain, manifest)
