"""Samples of one's own, and a network that was not trained here, through every command that runs a network."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Lava, run
from needs import missing
from nets import samples, tiny

import neuro_deploy as nd
from neuro_deploy.backends import lava
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.ir.network import Network
from neuro_deploy.verify.examples import carry
from neuro_deploy.verify.simulation import load_result

STEPS, NUMBER = 12, 5
ENCODED = samples(tiny(), NUMBER, STEPS)
LABELS = np.array([0, 1, 2, 0, 1])
FOREIGN = "foreign.net"
RUNNING = (
    f"check {FOREIGN}",
    f"simulate {FOREIGN}",
    f"simulate {FOREIGN} --backend fast",
    *([] if missing("matplotlib") else [f"stream {FOREIGN}", f"report {FOREIGN}"]),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a network that was lowered from a graph, and files of samples for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lava, "LavaBackend", Lava)
    nd.save(nd.lower(tiny(), STEPS, name="foreign", message_bits=3, scale=2.0), FOREIGN)
    np.savez("labelled.npz", samples=ENCODED / 2, labels=LABELS)
    np.savez("bare.npz", samples=ENCODED / 2)
    np.savez("encoded.npz", samples=ENCODED)
    np.save("bare.npy", (ENCODED / 2).astype(np.float32))
    return tmp_path


@pytest.mark.parametrize("data", ["labelled.npz", "bare.npz", "bare.npy", "encoded.npz --encoded"])
@pytest.mark.parametrize("command", RUNNING)
def test_a_network_of_others_goes_all_the_way(command: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*f"{command} --data {data}".split()) == 0
    shown, errors = capsys.readouterr()
    assert not errors
    assert "nan" not in shown.lower()


def test_the_same_samples_in_any_form_give_one_result(folder: Path) -> None:
    spikes = {}
    for data in ("labelled.npz", "bare.npy", "encoded.npz --encoded"):
        assert run(*f"simulate {FOREIGN} --backend integer --trace {data[:4]}.trace.npz --data {data}".split()) == 0
        with np.load(f"{data[:4]}.trace.npz") as saved:
            spikes[data] = {name: saved[name] for name in saved.files if name != "label"}
            assert ("label" in saved.files) == (data == "labelled.npz")
    first, *others = spikes.values()
    for other in others:
        assert first.keys() == other.keys()
        assert all(np.array_equal(first[name], other[name]) for name in first)


def test_accuracy_is_there_where_labels_are() -> None:
    trace = nd.run(nd.load(FOREIGN), ENCODED)
    assert run("simulate", FOREIGN, "--data", "labelled.npz") == 0
    assert load_result(Path("runs/foreign/simulation.json")).backends[0].accuracy == nd.accuracy(trace, LABELS)
    assert run("simulate", FOREIGN, "--data", "bare.npz") == 0
    assert load_result(Path("runs/foreign/simulation.json")).backends[0].accuracy is None


def carrying(labels: np.ndarray[Any, np.dtype[np.int64]] | None = LABELS) -> Network:
    network = carry(nd.load(FOREIGN), Samples(ENCODED, labels, ENCODED, "a test"))
    return nd.save(network, FOREIGN)


def test_a_file_carries_samples_and_their_answers(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(FOREIGN).read_bytes()
    carrying()
    assert Path(FOREIGN).read_bytes() == before
    found = nd.load(FOREIGN).examples()
    assert found is not None
    carried, readout = found
    assert np.array_equal(carried.encoded, ENCODED)
    assert carried.labels is not None
    assert np.array_equal(carried.labels, LABELS)
    assert np.array_equal(readout, nd.run(nd.load(FOREIGN), ENCODED).readout)
    for command in RUNNING:
        assert run(*command.split()) == 0
    assert "integer = its file: every read-out is the same" in capsys.readouterr().out


def test_an_answer_that_differs_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    carrying()
    change("readout", lambda rows: [[rows[0][0], rows[0][1] + 1, rows[0][2]], *rows[1:]])
    assert run("check", FOREIGN) == 1
    shown = capsys.readouterr().out
    assert "integer differs from its file, first at sample 0, readout" in shown
    assert "neuron 1" in shown


def test_without_data_and_without_samples_it_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    for command in RUNNING:
        refused(command, capsys, "foreign.net: it names no data set and carries no samples: give --data FILE.npz")


def change(name: str, how: Callable[[Any], Any]) -> None:
    path = Path(FOREIGN).with_suffix(".json")
    manifest = json.loads(path.read_text())
    manifest["examples"][name] = how(manifest["examples"][name])
    path.write_text(json.dumps(manifest))


def refused(command: str, capsys: pytest.CaptureFixture[str], *texts: str) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert run(*command.split()) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    for text in texts:
        assert text in errors
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "how", "text"),
    [
        ("encoded", lambda text: text[:40], "its examples are 30 bytes with 5 read-outs"),
        ("encoded", lambda text: "?" + text[1:], "examples.encoded"),
        ("encoded", lambda text: base64.b64encode(b"\x08" * 120).decode(), "holds 8, a graded spike carries 0 to 7"),
        ("readout", lambda rows: [], "examples.readout"),
        ("readout", lambda rows: rows[:-1], "with 4 read-outs"),
        ("readout", lambda rows: [row[:-1] for row in rows], "3 voltages each would fit"),
        ("readout", lambda rows: [[10**400, 0, 0], *rows[1:]], "examples.readout"),
        ("labels", lambda labels: labels[:-1], "labels of its examples are not 5 of 3 classes"),
        ("labels", lambda labels: [3, *labels[1:]], "labels of its examples are not 5 of 3 classes"),
        ("labels", lambda labels: [-1, *labels[1:]], "examples.labels"),
        ("labels", lambda labels: [10**400, *labels[1:]], "examples.labels"),
    ],
)
def test_damaged_examples(name: str, how: Callable[[Any], Any], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    carrying()
    change(name, how)
    for command in RUNNING[:2]:
        refused(command, capsys, text)


def array(**arrays: Any) -> Callable[[], None]:
    return lambda: np.savez("bad.npz", **arrays)


VALUES = ENCODED / 2
BAD = {
    "no samples": (array(x=VALUES), "it holds x: it must have an array 'samples' [samples, steps, channels]"),
    "nothing": (array(), "it holds nothing"),
    "two dimensions": (array(samples=VALUES[0]), "samples have shape [12, 2], the network reads [samples, 12, 2]"),
    "other steps": (array(samples=VALUES[:, :5]), "samples have shape [5, 5, 2], the network reads [samples, 12, 2]"),
    "other channels": (array(samples=VALUES[:, :, :1]), "samples have shape [5, 12, 1], the network reads [samples, 12, 2]"),
    "not one sample": (array(samples=VALUES[:0]), "at least one sample"),
    "objects": (array(samples=np.array([[1], [1, 2]], object)), "Python objects"),
    "objects as labels": (array(samples=VALUES, labels=np.array([{}] * 5)), "Python objects"),
    "texts": (array(samples=np.full((5, 12, 2), "1")), "an array of type <U1: it must hold numbers"),
    "complex numbers": (array(samples=VALUES * 1j), "an array of type complex128"),
    "dates": (array(samples=np.zeros((5, 12, 2), "M8[s]")), "it must hold numbers"),
    "not a number": (array(samples=np.where(VALUES[3, 4, 1] == VALUES, np.nan, VALUES)), "only finite values"),
    "infinity": (array(samples=VALUES + np.inf), "sample 0 has inf at step 0, channel 0: only finite values"),
    "beyond the encoder": (array(samples=VALUES + 4), "the encoder takes 0 to 3.5"),
    "below the encoder": (array(samples=-VALUES - 1), "the encoder takes 0 to 3.5"),
    "labels of another length": (array(samples=VALUES, labels=LABELS[:3]), "3 labels for 5 samples"),
    "labels of another class": (array(samples=VALUES, labels=LABELS + 1), "a label is 3, the network has classes 0 to 2"),
    "labels below zero": (array(samples=VALUES, labels=LABELS - 1), "a label is -1"),
    "labels that are fractions": (array(samples=VALUES, labels=LABELS / 2), "they must be integers"),
    "labels of two dimensions": (array(samples=VALUES, labels=LABELS[:, None]), "they must be integers [samples]"),
    "no archive": (lambda: Path("bad.npz").write_bytes(b"PK no archive"), "no .npz file, or damaged"),
    "an empty file": (lambda: Path("bad.npz").touch(), "no .npz file, or damaged"),
    "half an archive": (
        lambda: Path("bad.npz").write_bytes(Path("bare.npz").read_bytes()[:-200]),
        "no .npz file, or damaged",
    ),
    "a folder": (lambda: Path("bad.npz").mkdir(), "cannot be read"),
    "no such file": (lambda: None, "bad.npz: cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_samples(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, text = BAD[case]
    make()
    for command in RUNNING[:3]:
        refused(f"{command} --data bad.npz", capsys, "bad.npz: ", text)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (ENCODED + 1, "an encoded sample holds 8, a graded spike carries 0 to 7: encode the samples"),
        (ENCODED - 1, "an encoded sample holds -1"),
        (ENCODED.astype(np.uint64) + 2**63, "an encoded sample holds 92233720368547758"),
        (ENCODED / 1, "encoded samples are of type float64: they must be integers"),
        (ENCODED[:, 1:], "encoded samples have shape [5, 11, 2]"),
    ],
)
def test_bad_encoded_samples(values: np.ndarray[Any, Any], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("bad.npz", samples=values)
    for command in RUNNING:
        refused(f"{command} --data bad.npz --encoded", capsys, "bad.npz: ", text)


def test_encoded_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    for command in RUNNING:
        refused(f"{command} --encoded", capsys, "give --data FILE.npz too")


def test_more_samples_than_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for command in RUNNING[:4]:
        refused(f"{command} --data bare.npz --samples 6", capsys, "6 samples asked for, bare.npz has 5: ask for fewer")


def test_a_file_of_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    Path("samples.csv").write_text("1,2\n")
    refused(f"check {FOREIGN} --data samples.csv", capsys, "samples.csv: not a .npz or .npy file")
