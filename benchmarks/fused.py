"""Steps a second of a NetX network in stock Lava and fused, with and without a record of every spike.

Run from the repository's folder: ``python benchmarks/fused.py --model netx_models/digits.net``. The variants take turns, so that a
busy machine troubles all of them alike; prints JSON with medians. A record counts when it is complete and in this process.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends.common import prepare
from neuro_deploy.ir.network import Network
from neuro_deploy.netx import content, load_network

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lava.lib.dl.netx import hdf5
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    from neuro_deploy.backends.lava_worker import PySource, Source, sink_for
    from neuro_deploy.fused import FusedRunCfg, Record

WARM_UP = 20
"""Steps before the clock starts: stock Lava prepares its weights in the first."""

VARIANTS = ("stock", "fused", "fused, free running")


def measure(variant: str, recorded: bool, network: Network, rows: NDArray[np.int32], folder: Path) -> tuple[float, Any]:
    """Seconds a step, and the spikes of all layers if recorded."""
    manifest = network.manifest
    path = folder / "network.net"
    path.write_bytes(content(network))
    net = hdf5.Network(net_config=str(path), input_message_bits=manifest.input.message_bits)
    config, record = _configure(variant, recorded, net, rows, folder)
    net.run(condition=RunSteps(WARM_UP), run_cfg=config)
    begin = time.perf_counter()
    net.run(condition=RunSteps(len(rows) - WARM_UP))
    spikes = record() if recorded else None
    seconds = time.perf_counter() - begin
    net.stop()
    return seconds / (len(rows) - WARM_UP), spikes


def _configure(variant: str, recorded: bool, net: Any, rows: NDArray[np.int32], folder: Path) -> tuple[Any, Any]:
    if variant == "fused, free running":
        record = Record.of(net, len(rows)) if recorded else None
        return FusedRunCfg(net, record=record, inputs=rows, free_running=True), lambda: record and record.spikes.copy()
    np.save(folder / "rows.npy", rows)
    source = Source(folder / "rows.npy", rows.shape[1:])
    source.s_out.connect(net.inp)
    models: dict[Any, Any] = {source: PySource}
    if variant == "fused":
        record = Record.of(net, len(rows)) if recorded else None
        config = FusedRunCfg(net, record=record, exception_proc_model_map=models)
        return config, lambda: record and record.spikes.copy()
    file = folder / "spikes.npy"
    if recorded:
        np.save(file, np.zeros((len(rows), sum(layer.out.size for layer in net.layers)), np.uint8))
        sink, model = sink_for([layer.out for layer in net.layers], file)
        models[sink] = model
    return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models), lambda: np.load(file)


def inputs(network: Network, samples: int) -> NDArray[np.int32]:
    """Random samples as they are injected, one after the other."""
    shape = (samples, network.manifest.steps, network.manifest.input.channels)
    encoded = np.random.default_rng(0).integers(0, 2**network.manifest.input.message_bits, shape).astype(np.int32)
    injected = prepare(network, encoded)
    return injected.reshape(-1, injected.shape[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("netx_models/digits.net"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stock-samples", type=int, default=2)
    parser.add_argument("--fused-samples", type=int, default=40)
    arguments = parser.parse_args()
    network = load_network(arguments.model)
    rows = inputs(network, max(arguments.stock_samples, arguments.fused_samples))
    period = network.manifest.steps + network.manifest.latency + network.manifest.gap
    per_second: dict[tuple[str, bool], list[float]] = {}
    loads, mismatches = [], 0
    for _ in range(arguments.repeats):
        loads.append(os.getloadavg()[0])
        for recorded in (False, True):
            reference = None
            for variant in VARIANTS:
                samples = arguments.stock_samples if variant == "stock" else arguments.fused_samples
                with tempfile.TemporaryDirectory() as folder:
                    seconds, spikes = measure(variant, recorded, network, rows[: samples * period], Path(folder))
                per_second.setdefault((variant, recorded), []).append(1 / seconds)
                if recorded:
                    reference = spikes if reference is None else reference
                    common = min(len(reference), len(spikes))
                    mismatches += int(np.count_nonzero(reference[:common] != spikes[:common]))
    print(json.dumps(_summary(network, per_second, loads, mismatches, arguments.repeats), indent=2))


def _summary(
    network: Network, per_second: dict[tuple[str, bool], list[float]], loads: list[float], mismatches: int, repeats: int
) -> dict[str, Any]:
    rows = []
    for (variant, recorded), values in sorted(per_second.items(), key=lambda item: item[0][1]):
        ratios = [value / stock for value, stock in zip(values, per_second["stock", recorded], strict=True)]
        rows.append(
            {
                "variant": variant,
                "recorded": recorded,
                "steps_per_second": round(statistics.median(values), 1),
                "lowest": round(min(values), 1),
                "highest": round(max(values), 1),
                "times_stock": round(statistics.median(ratios), 1),
            }
        )
    neurons = sum(layer.size for layer in network.chain.layers)
    settings = {"neurons": neurons, "layers": network.chain.latency, "repeats": repeats}
    machine = {"cpus": os.cpu_count(), "load_average": [round(load, 1) for load in loads]}
    return {**settings, **machine, "mismatches": mismatches, "rows": rows}


if __name__ == "__main__":
    main()
