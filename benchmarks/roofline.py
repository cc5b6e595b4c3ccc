"""What the batch engine asks of the memory, against what the memory gives.

Two looks at it, both from a run and this machine's own rates (:mod:`benchmarks.engine`):

* bytes a second of the engine, beside a triad ``a[i] = b[i] + s * c[i]`` (24 bytes an element) over working sets from the first
  cache to the memory;
* the seconds that its bytes would take in three plain loops, one each for weights, states and records: the roof. The engine reaches a
  percentage of it.

The bytes are those that a run has to touch: weights and targets of all events, states of the neurons that get one, the record of
every spike; not what a processor may keep in registers or what the engine writes for its own use.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks import shipped
from benchmarks.engine import bandwidths, bytes_touched, plain_plans, triad
from benchmarks.measure import Comparison, Curve, Section, Settings, Spread, alternate, longer, require, seconds
from neuro_deploy import engine
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.engine import LayerPlan

SAMPLES = 64

_TRAFFIC = 1 << 28
"""Bytes that one measurement of a triad moves at least."""

_KIB = 1 << 10


def measure(settings: Settings) -> Section:
    """Bytes a second of the engine on one core and on all, of the triad, and the share of the roof."""
    network, encoded = shipped.load(settings.model)
    encoded = encoded[:SAMPLES]
    trace = IntegerBackend().run(network, encoded)
    backends = {_cores(count): FastBackend(count) for count in sorted({1, engine.THREADS})}
    for backend in backends.values():
        require(shipped.equal(backend.run(network, encoded), trace), "fast and integer")
    runs = {name: longer(partial(shipped.run_seconds, backend, network, encoded)) for name, backend in backends.items()}
    times = alternate(runs, settings.repeats)
    plans = plain_plans(network.chain, trace.input)
    touched = bytes_touched(trace, plans)
    total, events = sum(touched.values()), shipped.synaptic_events(trace, network.chain)
    rates = {f"fast, {name}": [total / 1e9 / value for value in values] for name, values in times.items()}
    facts: dict[str, Any] = {f"bytes a sample, {kind}": amount / len(encoded) for kind, amount in touched.items()}
    facts |= {"synaptic events a sample": events / len(encoded), "working set KiB": working_set(plans) / _KIB}
    facts |= _roof(touched, Spread.of(times["1 core"]).median)
    curves = [_bandwidth(name, backend.threads or 1, settings) for name, backend in backends.items()]
    for curve, name in zip(curves, backends, strict=True):
        facts |= _shares(curve, facts["working set KiB"], Spread.of(rates[f"fast, {name}"]).median, name)
    comparison = Comparison("batch engine, bytes", "GB/s", "fast, 1 core", rates, higher_is_better=True)
    notes = [
        "Bytes are counted from the run: what it has to touch. The roof is their time in plain loops of weights, states and records.",
        "The working set is the largest layer with its synapses; it is shared by all events of a block of samples.",
    ]
    return Section([comparison], curves, facts, notes)


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def _roof(touched: dict[str, int], took: float) -> dict[str, float]:
    """How near one core comes to the time of the three plain loops."""
    plain = bandwidths(touched["records"])
    roof = sum(touched[kind] / plain[kind] for kind in touched)
    return {f"GB/s of a plain loop, {kind}": rate / 1e9 for kind, rate in plain.items()} | {
        "ms of the roof, 1 core": 1000 * roof,
        "ms of the engine, 1 core": 1000 * took,
        "% of the roof, 1 core": 100 * roof / took,
    }


def _shares(curve: Curve, kilobytes: float, rate: float, cores: str) -> dict[str, float]:
    """The engine's bytes a second beside the triad's."""
    medians = [Spread.of(values).median for values in curve.values]
    there = float(np.interp(np.log(kilobytes), np.log(curve.x), medians))
    return {
        f"GB/s of the engine, {cores}": rate,
        f"GB/s of the triad at this working set, {cores}": there,
        f"GB/s of the triad in memory, {cores}": medians[-1],
        f"% of the triad at this working set, {cores}": 100 * rate / there,
        f"% of the triad in memory, {cores}": 100 * rate / medians[-1],
    }


def _bandwidth(name: str, threads: int, settings: Settings) -> Curve:
    """GB/s of all cores together over the working set of each, in KiB."""
    largest = 16 if settings.quick else 18
    sizes = [1 << power for power in range(4, largest + 1, 2)]
    values = []
    with ThreadPoolExecutor(threads) as executor:
        for size in sizes:
            length = size * _KIB // 24
            rounds = max(1, _TRAFFIC // (24 * length))
            arrays = [[np.ones(length) for _ in "abc"] for _ in range(threads)]

            def run(rounds: int, arrays: Any = arrays) -> None:
                list(executor.map(lambda three: triad(*three, rounds), arrays))

            run(1)  # compiles, and makes the pages
            moved = 24 * length * rounds * threads / 1e9
            values.append([moved / seconds(partial(run, rounds)) for _ in range(settings.repeats)])
    return Curve("working set of a core, KiB", f"triad, {name}", sizes, values, "GB/s", fitted=False)


def working_set(plans: tuple[LayerPlan, ...]) -> int:
    """Bytes that a block of samples goes through again and again: synapses, sums and states of the largest layer."""
    return max(
        sum(array.nbytes for rows in (plan.forward, plan.recurrent) for array in rows) + plan.sums.nbytes + 17 * plan.sums.size
        for plan in plans
    )
