"""The command line from training to report, as a user runs it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import MODEL, Lava, labels, reference, run

from neuro_deploy import extras
from neuro_deploy.backends import lava
from neuro_deploy.cli.evaluation import _short
from neuro_deploy.ir.inputs import fingerprint
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import count
from neuro_deploy.netx import load_network
from neuro_deploy.training.config import load
from neuro_deploy.training.data import load_data
from neuro_deploy.verify.check import compare
from neuro_deploy.verify.simulation import load_result
from neuro_deploy.workbench import doctor

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "neuro_deploy.cli")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same everywhere; test_backends_brian2loihi.py has the optional emulator in the check."""
    there = extras.present
    monkeypatch.setattr(extras, "present", lambda package: package not in ("brian2_loihi", "sanafe") and there(package))


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_from_training_to_simulation(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All backends in one run, Lava itself among them."""
    assert run("simulate", MODEL, "--samples", 5, "--lava-samples", 2) == 0
    shown = capsys.readouterr().out
    trace = reference(5)
    network = load_network(Path(MODEL))
    counts = count(trace, network.chain).totals
    assert counts.relay_spikes is not None
    assert counts.compute_synops is not None
    assert all(counts.rates.values()), "a silent population proves nothing"
    per_sample = [f"{number / 5:,.0f}" for number in (counts.compute_spikes, counts.relay_spikes, counts.compute_synops)]
    steps = str(64 + network.manifest.latency + network.manifest.gap)
    backends = ["integer", "torch", "fast", "lava-fused", "lava"]
    table = [row for row in rows(shown) if row and row[0] in backends and len(row) == 9]
    assert table[0][:6] == ["integer", "5", f"{100 * trace.accuracy(labels(5)):.2f}", *per_sample]
    assert [row[0] for row in table] == backends
    assert [row[1] for row in table] == ["5", "5", "5", "5", "2"]
    assert [row[7] for row in table] == [steps, "64", steps, steps, steps]
    assert table[1][3] == per_sample[0]
    assert table[1][4:7] == ["-", "-", "-"]
    assert table[2][1:7] == table[3][1:7] == table[0][1:7]
    for name in backends[1:]:
        assert f"{name} = integer: every spike and every read-out is the same" in shown
    assert "The same model with real-valued weights: " in shown

    path = Path("runs/tiny/simulation.json")
    values = json.loads(path.read_text())
    assert list(values) == [
        "format_version",
        "config",
        "net_sha256",
        "data_sha256",
        "neurons",
        "unquantised_accuracy",
        "backends",
        "comparisons",
        "equal",
        "versions",
    ]
    assert values["format_version"] == 2
    assert values["config"] == "tiny"
    test = load_data(load("tiny.toml").data).test
    assert values["data_sha256"] == fingerprint(test.samples[:5], test.labels[:5])
    assert values["net_sha256"] == hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    # s0 s1 s2 s3 p m h a z of 6 neurons, u of 2, b of 12, and the read-out's 10
    assert values["neurons"] == [9 * 6 + 2 + 12 + 10, sum(layer.size for layer in network.chain.layers)]
    assert 0 <= values["unquantised_accuracy"] <= 1
    assert values["equal"] is True
    assert set(values["versions"]) == {"neuro-deploy", "lava-nc", "lava-dl", "torch", "numpy"}
    integer, torch, fast, fused, stock = values["backends"]
    assert integer["counts"] == fast["counts"] == fused["counts"] == vars(counts)
    assert integer["accuracy"] == trace.accuracy(labels(5)) == torch["accuracy"]
    assert integer["steps"] == 5 * int(steps)
    assert stock["counts"] == vars(count(reference(2), network.chain).totals)
    assert stock["seconds"] > 0
    assert stock["startup"] > 0
    for comparison, samples in zip(values["comparisons"], (5, 5, 5, 2), strict=True):
        assert comparison["samples"] == samples
        assert comparison["readouts"] == samples * 10
        assert comparison["first"] is None
        assert comparison["readout_mismatches"] == sum(row["mismatches"] for row in comparison["rows"]) == 0
    ours = compare(reference(2), reference(2))
    assert values["comparisons"][3]["rows"] == [vars(row) for row in ours.rows]
    assert load_result(path).equal


def test_every_backend_saves_the_same_spikes(project: Path) -> None:
    backends = {"integer": ["integer"], "torch": ["torch"], "fast": ["fast"], "lava": ["lava"], "fused": ["lava", "--fused"]}
    for name, arguments in backends.items():
        assert run("simulate", MODEL, "--backend", *arguments, "--samples", 3, "--trace", f"{name}.npz") == 0
    traces = {name: dict(np.load(f"{name}.npz")) for name in backends}
    network = load_network(Path(MODEL))
    manifest = network.manifest
    steps = manifest.steps + manifest.latency + manifest.gap
    expected: dict[str, tuple[object, tuple[int, ...]]] = {
        "input": (np.int32, (3, steps, manifest.input.frames * manifest.input.channels + 1)),
        "readout": (np.int64, (3, 10)),
        "label": (np.int64, (3,)),
    }
    for index, layer in enumerate(network.chain.layers):
        expected[f"layer/{index}"] = (np.uint8, (3, steps, layer.size))
        for segment in layer.segments:
            if segment.role == "compute":
                expected[f"population/{segment.name}"] = (np.uint8, (3, manifest.steps, segment.size))
    assert sum(name.startswith("population/") for name in expected) == 11
    without_layers = {name: value for name, value in expected.items() if not name.startswith("layer/")}
    for backend, arrays in traces.items():
        found = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        assert found == (without_layers if backend == "torch" else expected)
        for name, array in arrays.items():
            assert np.array_equal(array, traces["integer"][name]), (backend, name)
    trace = reference(3)
    assert np.array_equal(traces["lava"]["input"], trace.input)
    assert np.array_equal(traces["lava"]["readout"], trace.readout)
    assert np.array_equal(traces["lava"]["label"], labels(3))
    for name, spikes in trace.populations.items():
        assert spikes.any(), name
        assert np.array_equal(traces["lava"][f"population/{name}"], spikes)


def flip_a_weight(layer: int) -> None:
    """Change the sign of the largest weight of a layer's first neuron."""
    with h5py.File(MODEL, "r+") as file:
        weight = file[f"layer/{layer}/weight"]
        values = weight[()]
        column = np.abs(values[0]).argmax()
        assert values[0, column]
        values[0, column] *= -1
        weight[...] = values


def fix_the_hash() -> None:
    path = Path(MODEL).with_suffix(".json")
    manifest = json.loads(path.read_text())
    manifest["sha256"]["net"] = hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("verb", ["check", "simulate"])
def test_one_flipped_weight_is_found(
    project: Path, verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava, "LavaBackend", Lava)
    true = reference(4).populations["p"]
    flip_a_weight(layer=4)
    fix_the_hash()
    damaged = reference(4).populations["p"]
    sample, step, neuron = np.argwhere(true != damaged)[0]
    assert run(verb, MODEL, "--samples", 4, "--lava-samples", 1) == 1
    shown, errors = capsys.readouterr()
    values = f"expected {damaged[sample, step, neuron]}, found {true[sample, step, neuron]}"
    assert f"torch differs from integer, first at sample {sample}, p, step {step}, neuron {neuron}: {values}" in shown
    assert "lava = integer" in shown
    assert errors == ""
    if verb == "simulate":
        assert json.loads(Path("runs/tiny/simulation.json").read_text())["equal"] is False
    else:
        assert ["torch", "p", f"{true.size:,}", str(damaged.sum()), str((true != damaged).sum())] in rows(shown)


def test_check_shows_every_population(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lava, "LavaBackend", Lava)
    assert run("check", MODEL, "--samples", 2, "--lava-samples", 1) == 0
    table = rows(capsys.readouterr().out)
    trace = reference(2)
    for name, spikes in trace.populations.items():
        assert ["torch", name, f"{spikes.size:,}", f"{spikes.sum():,}", "0"] in table
        assert ["lava", name, f"{spikes[:1].size:,}", f"{spikes[:1].sum():,}", "0"] in table
    assert trace.layers is not None
    for index, layer in enumerate(trace.layers):
        values = layer[:1]
        assert ["lava", "layer", f"{index},", "all", "neurons", f"{values.size:,}", f"{values.sum():,}", "0"] in table


def test_doctor_finds_nothing_amiss(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    shown = capsys.readouterr().out
    assert "values compared" in shown
    assert " no " not in shown
    for package in (*doctor.PACKAGES, *doctor.OPTIONAL, *(f"{extra} (optional)" for extra in extras.EXTRAS.values())):
        assert package in shown
    assert "brian2_loihi is not installed: " in shown
    assert "loihi2 (optional)" in shown
    assert "energy counters (optional)" in shown


@pytest.mark.parametrize("suffix", [".net", ".json", ".npz"])
def test_doctor_finds_a_damaged_model(
    project: Path, suffix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_self_test", lambda: "not run")
    path = Path(MODEL).with_suffix(suffix)
    path.write_bytes(path.read_bytes()[:-5])
    assert run("doctor") == 1
    bad = [row for row in rows(capsys.readouterr().out) if row and row[0] == "no"]
    assert [row[:3] for row in bad] == [["no", "model", MODEL]]


def test_doctor_reports_a_self_test_that_differs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Lava):
        def __init__(self) -> None:
            pass

        def run(self, *arguments: object) -> Trace:
            trace = super().run(*arguments)  # type: ignore[arg-type]
            trace.populations["s"][0, 0, 0] ^= 1
            return trace

    monkeypatch.setattr(doctor, "LavaBackend", Wrong)
    assert run("doctor") == 1
    assert "Lava differs from the integer reference at sample 0, s, step 0, neuron 0" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"neuro-deploy {version('neuro-deploy')}\n"


def test_a_notebooks_plotting_backend_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    assert run("--version") == 0
    assert os.environ["MPLBACKEND"] == "agg"


def test_help_lists_the_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # a line may end after a hyphen
    assert "integer, torch, fast, lava-fused, lava, brian2loihi, sanafe, loihi2, torch-cpu, torch-gpu." in shown


def test_without_arguments_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    shown, errors = capsys.readouterr()
    assert "doctor" in shown
    assert errors == ""


def test_a_training_can_be_resumed_when_it_is_done(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("runs/tiny/best.npz").read_bytes()
    assert run("train", "tiny.toml", "--resume") == 0
    assert "of 2" in capsys.readouterr().out
    assert Path("runs/tiny/best.npz").read_bytes() == before


def test_an_interrupted_training_says_how_to_go_on(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuro_deploy.training.loop import Trainer

    epoch = Trainer._epoch

    def interrupted(self: Trainer, *arguments: object) -> object:
        if self.done:
            raise KeyboardInterrupt
        return epoch(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    assert run("train", "tiny.toml", "--seed", 3) == 130
    shown, errors = capsys.readouterr()
    assert "epoch   1/2" in shown
    assert errors == "note: stopped after epoch 1 of 2; continue with: neuro-deploy train tiny.toml --resume --seed 3\n"
    monkeypatch.undo()
    monkeypatch.chdir(project)
    assert run("train", "tiny.toml", "--resume", "--seed", 3) == 0
    assert "epoch   2/2" in capsys.readouterr().out
    assert run("export", "tiny.toml") == 0
    assert load_network(Path(MODEL)).manifest.settings["train"]["seed"] == 3


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, its name short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


def test_ctrl_c_ends_lava_and_leaves_nothing(
    project: Path, temporary: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    seen: list[str] = []

    def interrupt() -> None:
        until = time.monotonic() + 60
        while len(seen) < 3 and time.monotonic() < until:  # Lava has a process for each of its parts
            time.sleep(0.05)
            seen[:] = workers(temporary)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    assert run("simulate", MODEL, "--backend", "lava", "--samples", 300) == 130
    thread.join()
    assert len(seen) > 2
    assert capsys.readouterr() == ("", "note: stopped by SIGINT\n")
    assert workers(temporary) == []
    assert list(temporary.iterdir()) == []


def workers(folder: Path) -> list[str]:
    """Processes that have the folder in their arguments."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in line.read_bytes():
                found.append(line.parent.name)
        except OSError:  # it has ended meanwhile
            pass
    return found


def test_nobody_reads_the_output_any_more(project: Path) -> None:
    """As in ``neuro-deploy ... | head -1``."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run([*COMMAND, "report", "tiny.toml"], env=ENVIRONMENT, stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(write)
    assert ended.returncode == 141
    assert ended.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_the_output_goes_to_a_full_disk(project: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([*COMMAND, "report", "tiny.toml"], env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: [Errno 28] No space left on device")
    assert ended.stderr.count(b"\n") == 1


def test_models_are_compared_on_samples_of_any_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = load_data(load("tiny.toml").data).test
    np.savez("all.npz", samples=test.samples, labels=test.labels)
    np.savez("bare.npz", samples=test.samples[:7])
    own, of_file, bare = (
        run_json("evaluate", "runs/tiny", *data, capsys=capsys) for data in ((), ("--data", "all.npz"), ("--data", "bare.npz"))
    )
    assert own | {"validation": None} == of_file
    assert bare["test"] is None
    assert bare["synops"] > 0
    assert run("evaluate", "runs/tiny", "--encoded") == 2
    assert "give --data FILE.npz too" in capsys.readouterr().err
    assert run("evaluate", "runs/tiny", "--data", "bare.npz", "--figure", "f.svg") == 2
    assert "it has no labels" in capsys.readouterr().err


def run_json(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(*arguments, "--json") == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("digits", "digits"),
        ("lr=0.01", "lr=0.01"),
        ("v1.5", "v1.5"),
        ("digits,train.rate=0.003,model.memory=False", "memory=False"),
        ("=", "="),
    ],
)
def test_the_label_of_a_run_in_a_figure(folder: str, label: str) -> None:
    assert _short(folder) == label
