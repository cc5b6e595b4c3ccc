"""Look at the set-up: versions, processors, shipped models, and whether Lava computes what it should."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from neuro_deploy import extras
from neuro_deploy.backends import lava_python, loihi2
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.errors import NeuroDeployError
from neuro_deploy.ir.graph import INPUT, Graph, Population, Projection
from neuro_deploy.ir.manifest import Description, Encoder
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi.limits import THRESHOLD_MAX
from neuro_deploy.lowering import lower
from neuro_deploy.measure.energy.counters import cpu_energy
from neuro_deploy.netx import load_network, require_checkpoint
from neuro_deploy.verify.check import compare

PACKAGES = ("numpy", "numba", "h5py", "pydantic", "joblib", "typer", "rich")
"""Without these nothing works."""

OPTIONAL = ("lava-nc", "lava-dl", "torch", "scipy", "scikit-learn")
"""Those whose version decides what a training or Lava computes."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination: what was looked at, what was found, and whether that is good."""

    what: str
    found: str
    good: bool


def examine(models: Path) -> tuple[Finding, ...]:
    """Examine the set-up; the last finding runs a tiny network in Lava (some seconds).

    Args:
        models: folder of exported networks.
    """
    findings = [_python(), *map(_package, PACKAGES), _processors(), _accelerator(), *_options()]
    nets = sorted(models.glob("*.net"))
    findings += [_attempt(f"model {net}", lambda net=net: _model(net)) for net in nets]  # type: ignore[misc]
    if not nets:
        findings.append(Finding("models", f"none in {models}: neuro-deploy export CONFIG writes one", True))
    if not extras.present("lava"):
        return (
            *findings,
            Finding("Lava self-test", f"not run: Lava is not installed, and {lava_python.VARIABLE} is not set", True),
        )
    if os.environ.get(lava_python.VARIABLE):
        findings.append(_attempt(f"Lava ({lava_python.VARIABLE})", _lava_python))
        if not findings[-1].good:
            return tuple(findings)
    return (*findings, _attempt("Lava self-test", _self_test))


def _attempt(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look(), True)
    except NeuroDeployError as error:
        return Finding(what, str(error), False)


def _lava_python() -> str:
    python = lava_python.ask(os.environ[lava_python.VARIABLE])
    return f"lava-nc {python.lava} in {python.program}, Python {python.python}"


def _python() -> Finding:
    note = "" if sys.version_info[:2] == (3, 10) else " (training and Lava need 3.10)"
    return Finding("Python", platform.python_version() + note, True)


def _package(name: str) -> Finding:
    try:
        return Finding(name, version(name), True)
    except PackageNotFoundError:
        return Finding(name, "missing: install neuro-deploy again", False)


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("processors", f"{usable} usable, {platform.machine()}", True)


def _accelerator() -> Finding:
    if not extras.present("torch"):
        return Finding("GPU", "unknown, torch is not installed", True)
    try:
        import torch
    except ImportError as error:
        return Finding("GPU", f"unknown, torch cannot be imported: {error}", False)
    found = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none (not needed)"
    return Finding("GPU", found, True)


def _options() -> Iterator[Finding]:
    """What only some parts need: good whether it is there or not."""
    for extra in dict.fromkeys(extras.EXTRAS.values()):
        missing = [package for package, of in extras.EXTRAS.items() if of == extra and not extras.present(package)]
        yield Finding(f"{extra} (optional)", extras.advice(missing[0]) if missing else "installed", True)
    for name in OPTIONAL:
        if (finding := _package(name)).good:
            yield finding
    yield Finding("loihi2 (optional)", loihi2.missing() or "Lava's extension for Loihi is installed", True)
    energy = cpu_energy()()
    found = energy.source if energy.value is not None else f"not available: {energy.note}"
    yield Finding("energy counters (optional)", found, True)


def _model(net: Path) -> str:
    network = load_network(net)
    size = sum(layer.size for layer in network.chain.layers)
    require_checkpoint(network)
    return f"{network.manifest.latency} layers, {size:,} neurons, its manifest and its checkpoint"


def _self_test() -> str:
    """One population with a tap line and a read-out, two samples, in stock Lava and in the integer reference."""
    fires = Population("s", 2, 100, 2048, np.array([20, -20]))
    answer = Population("readout", 2, THRESHOLD_MAX, 0, np.array([0, 2]), fires=False)
    projections = (
        Projection(INPUT, "s", np.array([[[60], [30]]])),
        Projection("s", "readout", np.array([[[10, -10], [-6, 8]], [[2, 4], [6, -8]]])),
    )
    chain = lower(Graph(1, {"s": fires, "readout": answer}, projections))
    about = Description("self_test", ("0", "1"), Encoder(message_bits=3), steps=6)
    network = Network.of(chain, about)
    encoded = np.array([[1, 2, 0, 3, 7, 1], [4, 0, 5, 0, 0, 2]], np.int32)[..., None]
    expected, found = (backend.run(network, encoded) for backend in (IntegerBackend(), LavaBackend()))
    result = compare(expected, found)
    if not result.equal:
        raise NeuroDeployError(f"Lava differs from the integer reference at {result.first}: reinstall with make distclean env")
    spikes = sum(row.spikes for row in result.rows)
    return f"{result.compared} values compared, {spikes} of them spikes, all equal ({found.startup + found.seconds:.1f} s)"
