"""Stock Lava and the fused process model on the shipped network, with and without a record of every spike."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import shipped
from benchmarks.fused import VARIANTS
from benchmarks.fused import measure as run_lava
from benchmarks.measure import Comparison, Section, Settings, alternate, require
from neuro_deploy.backends.common import prepare
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain


def measure(settings: Settings) -> Section:
    """Steps a second."""
    network, encoded = shipped.load(settings.model)
    samples = {"stock": 1 if settings.quick else 2, "fused": 10 if settings.quick else 40}
    injected = prepare(network, encoded[: max(samples.values())])
    period, rows = injected.shape[1], injected.reshape(-1, injected.shape[2])
    counts = {variant: samples["stock" if variant == "stock" else "fused"] for variant in VARIANTS}
    expected = _expected(network, injected[:1])
    comparisons = []
    for recorded in (False, True):
        measurements = {v: _measurement(v, recorded, network, rows[: counts[v] * period], expected) for v in VARIANTS}
        title = "Lava, all spikes recorded" if recorded else "Lava, nothing recorded"
        values = alternate(measurements, settings.repeats)
        comparisons.append(Comparison(title, "steps/s", "stock", values, higher_is_better=True))
    notes = [
        f"Steps timed: {counts['stock'] * period - 20} stock, {counts['fused'] * period - 20} fused; start-up is not in it.",
        "The record of each run, in this process when the clock stops, was compared with the integer semantics: the same.",
        "Free running: without Lava's command before each step; reads its input itself.",
    ]
    return Section(comparisons, facts=shipped.facts(network), notes=notes)


def _expected(network: Network, injected: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Spikes of all layers [steps, neurons] in the first sample."""
    return np.concatenate([run.sent[0] for run in run_chain(network.chain, injected)], axis=1)


def _measurement(
    variant: str, recorded: bool, network: Network, rows: NDArray[np.int32], expected: NDArray[np.uint8]
) -> Callable[[], float]:
    def once(rows: NDArray[np.int32] = rows) -> float:
        with tempfile.TemporaryDirectory() as folder:
            a_step, spikes = run_lava(variant, recorded, network, rows, Path(folder))
        if recorded:
            require(_same(spikes, expected), f"{variant} Lava and the integer semantics")
        return 1 / a_step

    if recorded:
        once(rows[: len(expected)])  # equal before anything is timed
    return once


def _same(spikes: Any, expected: NDArray[np.uint8]) -> bool:
    return np.array_equal(np.asarray(spikes)[: len(expected)], expected)
