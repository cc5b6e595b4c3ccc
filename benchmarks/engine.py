"""How fast the batch engine is: against the integer backend, in synaptic events a second, and against what the machine can do.

    python benchmarks/engine.py [--net netx_models/digits.net] [--samples 360] [--repeats 5] [--json FILE]

Repetitions alternate between the things compared, so that a busy machine disturbs both; medians with the lowest and the highest.
Single-core figures are in seconds of processor time, which other programs do not lengthen by waiting (but by shared caches).

The roofline is the time that the bytes which a run has to touch would take at the measured rates of three plain loops:
weights added to sums, states read and written (both in cache), and records written to fresh memory.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from neuro_deploy import engine
from neuro_deploy.backends import Backend
from neuro_deploy.backends.common import prepare
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.engine import LayerPlan
from neuro_deploy.engine.rows import Rows
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import count
from neuro_deploy.netx import load_network
from neuro_deploy.training.config import parse
from neuro_deploy.training.data import load_data

STATE_BYTES = 2 * (4 + 8 + 8) + 1
"""Of a neuron's update: sum, current and voltage read and written, the spike written."""


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def cpu_seconds(work: Callable[[], Any], repeats: int) -> list[float]:
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return seconds


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def add_rows(sums: NDArray[np.int32], weights: NDArray[np.int16]) -> None:
    for row in range(weights.shape[0]):
        for i in range(weights.shape[1]):
            sums[i] += weights[row, i]


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def triad(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], times: int) -> None:
    for k in range(times):
        for i in range(a.size):
            a[i] = b[i] + (3.0 + k) * c[i]


def bandwidths(record_bytes: int) -> dict[str, float]:
    """Bytes a second on one core: weights added from the second cache, a triad in the first, a fill of fresh memory."""
    weights, sums = np.ones((2000, 256), np.int16), np.zeros(256, np.int32)
    a, b, c = (np.ones(1000) for _ in range(3))

    def add() -> None:
        for _ in range(50):
            add_rows(sums, weights)

    return {
        "weights": 50 * weights.nbytes / min(cpu_seconds(add, 7)),
        "states": 20_000 * 3 * a.nbytes / min(cpu_seconds(lambda: triad(a, b, c, 20_000), 7)),
        "records": record_bytes / min(cpu_seconds(lambda: np.empty(record_bytes, np.uint8).fill(1), 5)),
    }


def plain_plans(chain: Chain, injected: NDArray[np.int32]) -> tuple[LayerPlan, ...]:
    """The layers of a network of this project, laid out."""
    plans = engine.make_plan(chain, int(injected.max()), injected.shape[1])
    return tuple(plan for plan in plans if isinstance(plan, LayerPlan))


def weight_bytes(rows: Rows, events: NDArray[np.int64]) -> int:
    """Of the weights and targets that events, counted by their source, read."""
    blocks, singles = np.diff(rows.first_block), np.diff(rows.first_single)
    return int(events @ (blocks * (16 * rows.block_weight.itemsize + 4) + singles * (rows.single_weight.itemsize + 4)))


def bytes_touched(trace: Trace, plans: tuple[LayerPlan, ...]) -> dict[str, int]:
    assert trace.layers is not None
    events = np.count_nonzero(trace.input, axis=(0, 1))
    touched = {"weights": 0, "states": 0, "records": sum(layer.nbytes for layer in trace.layers)}
    arriving = trace.input.any(axis=2)
    for plan, spikes in zip(plans, trace.layers, strict=True):
        own = np.count_nonzero(spikes, axis=(0, 1))
        touched["weights"] += weight_bytes(plan.forward, events)
        if plan.recurrent.first_block.size > 1:
            touched["weights"] += weight_bytes(plan.recurrent, own)
        # Only the steps at which something arrives: a lower bound, voltages that still leak are updated too.
        touched["states"] += int(arriving.sum()) * plan.sums.size * STATE_BYTES
        events, arriving = own, spikes.any(axis=2)
    return touched


def measure(net: Path, samples: int, repeats: int) -> dict[str, Any]:
    network = load_network(net)
    data = load_data(parse(network.manifest.settings or {}, "the manifest").data).test
    encoded = encode(data.samples[:samples], network.manifest.input)
    backends: dict[str, Backend] = {"integer": IntegerBackend(), "fast": FastBackend()}
    seconds: dict[str, list[float]] = {name: [] for name in backends}
    traces = {name: backend.run(network, encoded[:2]) for name, backend in backends.items()}
    for _ in range(repeats):
        for name, backend in backends.items():
            traces.pop(name)  # its memory is free again before the next is made
            traces[name] = backend.run(network, encoded)
            seconds[name].append(traces[name].seconds)
    trace = traces["fast"]
    assert trace.layers is not None
    assert (traces["integer"].readout == trace.readout).all()

    injected = prepare(network, encoded)
    plans = plain_plans(network.chain, injected)
    when = network.manifest.steps + network.manifest.latency - 1
    sizes = [layer.size for layer in network.chain.layers]

    def once() -> None:
        records = [np.empty((*injected.shape[:2], size), np.uint8) for size in sizes]
        engine.run_chain(plans, injected, records, np.empty((len(injected), sizes[-1]), np.int64), when, 1)

    core = cpu_seconds(once, repeats)
    counts = count(trace, network.chain).totals
    synops = (counts.compute_synops or 0) + (counts.relay_synops or 0)
    touched = bytes_touched(trace, plans)
    rates = bandwidths(touched["records"])
    roof = {name: touched[name] / rates[name] for name in touched}
    return {
        "network": net.name,
        "samples": len(encoded),
        "threads": engine.THREADS,
        "load": os.getloadavg()[0],
        "samples_per_second": {name: spread([len(encoded) / s for s in values]) for name, values in seconds.items()},
        "speedup": spread([a / b for a, b in zip(seconds["integer"], seconds["fast"], strict=True)]),
        "synaptic_events": synops,
        "events_per_second_one_core": spread([synops / s for s in core]),
        "seconds_one_core": spread(core),
        "bytes_touched": touched,
        "bytes_per_second": rates,
        "roofline_seconds": roof | {"sum": sum(roof.values())},
        "times_the_roofline": statistics.median(core) / sum(roof.values()),
    }


def show(result: dict[str, Any]) -> None:
    def line(what: str, values: dict[str, float], scale: float, unit: str) -> None:
        low, middle, high = (values[key] / scale for key in ("min", "median", "max"))
        print(f"{what:<24}{middle:10.2f} {unit:<14}({low:.2f} to {high:.2f})")

    print(f"{result['network']}: {result['samples']} samples, {result['threads']} threads, load {result['load']:.1f}")
    for name, values in result["samples_per_second"].items():
        line(name, values, 1, "samples/s")
    line("fast over integer", result["speedup"], 1, "times")
    line("one core", result["events_per_second_one_core"], 1e9, "1e9 events/s")
    line("one core", result["seconds_one_core"], 1, "s")
    for name, seconds in result["roofline_seconds"].items():
        if name in result["bytes_touched"]:
            amount, rate = result["bytes_touched"][name] / 1e6, result["bytes_per_second"][name] / 1e9
            print(f"roofline: {name:<14}{seconds:10.3f} s = {amount:,.0f} MB at {rate:.1f} GB/s")
    print(
        f"{'roofline: sum':<24}{result['roofline_seconds']['sum']:10.3f} s; one core takes {result['times_the_roofline']:.1f} times it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", type=Path, default=Path("netx_models/digits.net"))
    parser.add_argument("--samples", type=int, default=360)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = measure(arguments.net, arguments.samples, arguments.repeats)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
