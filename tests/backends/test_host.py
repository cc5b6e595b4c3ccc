"""Timing on this machine: what is measured, and what each number says of itself."""

from itertools import count, cycle
from pathlib import Path

import numpy as np
import pytest
from commands import MODEL, run

from neuro_deploy.backends import host
from neuro_deploy.backends.host import BATCH, Host, HostModel, measure
from neuro_deploy.ir.inputs import encode
from neuro_deploy.measure.energy.counters import Stop
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.netx import load_network
from neuro_deploy.training.config import load
from neuro_deploy.training.data import load_data
from neuro_deploy.training.deploy import load_evaluator
from neuro_deploy.workbench.hosts import load_models

SHIPPED = Path(__file__).parents[2] / "netx_models" / "digits.net"


def test_medians_and_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock whose runs take 1, 2 and 9 s in turn, and a counter of 100 J."""
    monkeypatch.setattr(host, "SECONDS", 20.0)
    ticks = (now for start, length in zip(count(0, 100), cycle([1.0, 2.0, 9.0])) for now in (start, start + length))
    monkeypatch.setattr(host.time, "perf_counter", lambda: next(ticks))

    def energy() -> Stop:
        return lambda: Quantity(100.0, "J", "measured", "a counter")

    monkeypatch.setitem(host.HOSTS, "torch-cpu", Host("cpu", energy))  # type: ignore[arg-type]
    shapes: list[tuple[int, ...]] = []
    model = HostModel(
        "a model", lambda frames: shapes.append(frames.shape) or frames, lambda f: shapes.append(f.shape) or f, "b"
    )
    stream, batch = measure("torch-cpu", [model], np.ones((3, 7, 2), np.int32))
    # 1 + 2 + 9 + 1 + 2 + 9 reach 20 s, in six runs; the next six go on where the clock is
    assert (stream.mode, batch.mode) == ("streaming, batch 1", "batch 256")
    assert (stream.latency.value, stream.throughput.value) == (2.0, 0.5)
    assert (batch.latency.value, batch.throughput.value) == (2.0, 128.0)
    assert (stream.energy.value, batch.energy.value) == (100 / 6, 100 / 6 / 256)
    assert shapes == [(7, 2)] * 8 + [(BATCH, 7, 2)] * 8
    assert stream.latency == Quantity(2.0, "s", "measured", "wall clock, median of 6 runs", "b")
    assert (stream.model, stream.device) == ("a model", "torch-cpu")


def test_both_forms_of_the_shipped_model_answer_like_the_chip() -> None:
    """What is timed is the model: one sample step by step, and a batch, give the read-outs of the evaluation pass."""
    network = load_network(SHIPPED)
    encoded = encode(load_data(load("digits").data).test.samples[:4], network.manifest.input)
    spiking, dense = load_models(network.checkpoint, "cpu")
    _, readout = load_evaluator(network.checkpoint)(encoded)
    frames = encoded.astype(np.float32)
    batch = spiking.batch(frames)
    scale = readout / batch
    np.testing.assert_allclose(scale, scale.mean(), rtol=1e-5)
    np.testing.assert_allclose(np.stack([spiking.stream(sample) for sample in frames]), batch, rtol=1e-5)
    np.testing.assert_allclose(np.stack([dense.stream(sample) for sample in frames]), dense.batch(frames), rtol=1e-3, atol=1e-4)
    assert "untrained" in dense.note
    assert "untrained" not in spiking.note


def test_a_table_of_this_machine(project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "SECONDS", 0.0)

    def energy() -> Stop:
        return lambda: Quantity(None, "J", "measured", "a counter", "none found")

    monkeypatch.setitem(host.HOSTS, "torch-cpu", Host("cpu", energy))  # type: ignore[arg-type]
    assert run("simulate", MODEL, "--backend", "torch-cpu") == 0
    shown = capsys.readouterr().out
    table = [line.split() for line in shown.splitlines() if line.lstrip().startswith("torch-cpu")]
    assert [row[1:3] for row in table] == [["Spiking", "LMUFormer"]] * 2 + [["LMUFormer", "streaming,"], ["LMUFormer", "batch"]]
    assert all(row[-2:] == ["not", "available"] for row in table)
    assert all(float(row[-3].replace(",", "")) > 0 and float(row[-4].replace(",", "")) > 0 for row in table)
    assert "Energy: a counter: none found" in shown
    assert "untrained weights" in shown
