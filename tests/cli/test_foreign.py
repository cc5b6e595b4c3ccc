"""NetX files of others through the command line: looked at, adopted, run, and refused where something is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netx_files
import numpy as np
import pytest
from commands import Lava, run
from needs import needs
from netx_files import FileLayer

from neuro_deploy.backends import lava
from neuro_deploy.loihi import limits
from neuro_deploy.netx import load_network

LIF = {"type": b"CUBA", "iDecay": 4096, "vDecay": 128, "vThMant": 20}
SDNN = {"type": b"SDNN", "vThMant": 1}
STEPS = 9


def dense(rng: np.random.Generator, inputs: int, size: int, **neuron: Any) -> FileLayer:
    return FileLayer(2 * rng.integers(-20, 30, (size, inputs)), neuron=LIF | neuron)


def conv(rng: np.random.Generator, **changes: Any) -> FileLayer:
    extra = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    return FileLayer(2 * rng.integers(-9, 20, (3, 2, 3, 3)), neuron=LIF, extra=extra | changes, kind="conv", shape=(3, 5, 4))


def flatten() -> FileLayer:
    return FileLayer(np.array(0), kind="flatten", shape=(1,))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a plain network, a convolution and a sigma-delta network, and samples for each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lava, "LavaBackend", Lava)
    rng = np.random.default_rng(0)
    netx_files.write(tmp_path / "plain.net", [dense(rng, 6, 8), dense(rng, 8, 3)])
    netx_files.write(tmp_path / "conv.net", [conv(rng), flatten(), dense(rng, 60, 3)])
    delta = FileLayer(np.array(64), neuron=SDNN, kind="input", shape=(2, 5, 4))
    hidden, last = (FileLayer(rng.integers(-3, 4, shape), neuron=SDNN) for shape in ((7, 40), (3, 7)))
    netx_files.write(tmp_path / "sdnn.net", [delta, flatten(), hidden, last])
    spikes = (rng.random((5, STEPS, 4, 5, 2)) < 0.4).astype(np.int64)
    np.savez("plain.npz", samples=spikes[..., :3, 0, :].reshape(5, STEPS, -1)[..., :6], labels=np.array([0, 1, 2, 0, 1]))
    np.savez("conv.npz", samples=spikes)
    np.savez("sdnn.npz", samples=rng.random((5, STEPS, 4, 5, 2)))
    return tmp_path


OPTIONS = {"plain": "", "conv": " --input-shape 4,5,2", "sdnn": ""}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_is_run_and_checked_with_samples_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*f"simulate {name}.net --data {name}.npz{OPTIONS[name]}".split()) == 0
    assert run(*f"check {name}.net --data {name}.npz{OPTIONS[name]}".split()) == 0
    shown, errors = capsys.readouterr()
    assert not errors
    assert "fast = integer: every spike and every read-out is the same" in shown
    assert ("accuracy" in shown) is True
    result = json.loads(Path(f"runs/{name}/simulation.json").read_text())
    counts = result["backends"][0]["counts"]
    assert counts["compute_spikes"] > 0
    assert (counts["graded"] > 0) is (name == "sdnn")
    assert counts["packets"] > 0


@pytest.mark.parametrize("name", OPTIONS)
def test_after_adoption_no_option_is_needed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(f"{name}.net").read_bytes()
    assert run(*f"adopt {name}.net --steps {STEPS}{OPTIONS[name]}".split()) == 0
    assert run(*f"check {name}.net --data {name}.npz".split()) == 0
    assert Path(f"{name}.net").read_bytes() == before
    network = load_network(Path(f"{name}.net"))
    assert [segment.name for layer in network.chain.segments for segment in layer] == [
        f"layer{index}" for index in range(len(network.chain.layers))
    ]
    capsys.readouterr()
    assert run(*f"adopt {name}.net --steps 3{OPTIONS[name]}".split()) == 2
    assert capsys.readouterr().err == f"error: {name}.json is there: give --force to replace it\n"
    assert load_network(Path(f"{name}.net")).manifest.steps == STEPS
    assert run(*f"adopt {name}.net --steps 3 --force{OPTIONS[name]}".split()) == 0
    assert load_network(Path(f"{name}.net")).manifest.steps == 3


def test_a_manifest_can_be_edited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("adopt", "plain.net", "--steps", STEPS) == 0
    manifest = json.loads(Path("plain.json").read_text())
    manifest["classes"] = ["a", "b", "c"]
    manifest["layers"][0]["populations"][0] |= {"name": "hidden", "source": "hidden"}
    Path("plain.json").write_text(json.dumps(manifest))
    assert run("check", "plain.net", "--data", "plain.npz") == 0
    assert "hidden" in capsys.readouterr().out


@pytest.mark.parametrize("name", OPTIONS)
def test_inspection_needs_no_data(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*f"inspect {name}.net --json{OPTIONS[name]}".split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["format_version"] == 1
    assert found["violations"] == []
    assert found["latency"] == 2
    kinds = {"plain": ["LIF", "LIF"], "conv": ["LIF", "LIF"], "sdnn": ["delta", "sigma-delta", "sigma-delta"]}
    assert [layer["type"] for layer in found["layers"]] == kinds[name]
    assert found["backends"]["integer"] is None
    assert (found["backends"]["brian2loihi"] is None or "brian2" in found["backends"]["brian2loihi"]) is (name == "plain")
    for layer in found["layers"]:
        for weights in layer["weights"]:
            assert sum(weights["histogram"]) == weights["stored"] - round(weights["zeros"] * weights["stored"])
            assert 0 < weights["bits"] <= 8
    assert run(*f"inspect {name}.net{OPTIONS[name]}".split()) == 0
    assert "no rule of the chip is violated" in capsys.readouterr().out


def test_inspection_counts_the_synapses_of_a_convolution_at_each_place(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    layer = conv(rng)
    layer.weight[:] = 2
    netx_files.write(Path("ones.net"), [layer])
    assert run("inspect", "ones.net", "--json", "--input-shape", "4,5,2") == 0
    inner, border = sum(3 - (x in (0, 3)) for x in range(4)), sum(3 - (y in (0, 4)) for y in range(5))
    assert json.loads(capsys.readouterr().out)["synapses"] == 3 * 2 * inner * border


def test_violations_are_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    netx_files.write(Path("bad.net"), [dense(rng, 6, 8, vThMant=0), dense(rng, 8, 3, vDecay=4096)])
    assert run("inspect", "bad.net") == 1
    shown = capsys.readouterr().out
    assert "violated: layer 0 (layer0): threshold 0 is outside 1..131071" in shown
    assert "violated: layer 1 (layer1): voltage decay 4096 is outside 0..4095" in shown


def test_what_could_happen_is_a_note_and_no_violation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    monkeypatch.setattr(limits, "CHIP_CORES", 1)
    monkeypatch.setattr(limits, "CORE_COMPARTMENTS", 2)
    netx_files.write(Path("wide.net"), [dense(rng, 6, 8, iDecay=1), dense(rng, 8, 3)])
    assert run("inspect", "wide.net") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "6 cores of Loihi 1" in shown
    assert "note: Loihi 1: 6 cores exceed the chip's 1: use a smaller network" in shown
    assert "note: with the worst input, layer 0 (layer0): neuron" in shown


def test_what_acts_otherwise_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    layer = dense(np.random.default_rng(0), 6, 3)
    layer.weight[0, :2] = 255, -3
    layer.extra["delay"] = np.full(6, 70)
    netx_files.write(Path("odd.net"), [layer])
    assert run("check", "odd.net", "--data", "plain.npz") == 0
    assert capsys.readouterr().err.splitlines() == [
        "note: odd.net: layer 0: 1 of 18 values of weight act as others: 255 at [0, 0] acts as 254",
        "note: odd.net: layer 0: delay of 70 steps: Lava has at most 62 and cuts it there",
    ]


def test_odd_weights_that_need_a_ninth_bit_are_a_violation(capsys: pytest.CaptureFixture[str]) -> None:
    layer = dense(np.random.default_rng(0), 6, 3)
    layer.weight[0, :2] = 5, -4
    netx_files.write(Path("odd.net"), [layer])
    assert run("inspect", "odd.net") == 0
    layer.weight[0, 2] = 130
    netx_files.write(Path("odd.net"), [layer])
    assert run("inspect", "odd.net") == 1
    assert "violated: layer 0 (layer0): 1 odd weights, the first is 5: beside others" in capsys.readouterr().out


def edited(change: Callable[[h5py.File], None], name: str = "conv.net") -> Callable[[], None]:
    def apply() -> None:
        with h5py.File(name, "a") as file:
            change(file)

    return apply


def put(place: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if place in file:
            del file[place]
        if value is not None:
            file[place] = value

    return change


def pointer() -> None:
    Path("conv.net").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")


def many_synapses() -> None:
    """A layer of half a million neurons, each with 1,458 synapses."""
    weight = np.ones((3, 2, 27, 27), np.int64)
    extra = {"stride": 1, "padding": 13, "dilation": 1, "groups": 1}
    netx_files.write(Path("conv.net"), [FileLayer(weight, neuron=LIF, extra=extra, kind="conv", shape=(3, 400, 400))])


BAD = {
    "no type": (edited(put("layer/0/type", None)), "", "conv.net: layer 0: dataset 'type' is missing"),
    "a pointer of Git LFS": (pointer, "", "a pointer of Git LFS (68 bytes), not the file itself: fetch it with 'git lfs pull'"),
    "shapes that do not chain": (
        edited(put("layer/2/weight", np.ones((3, 59)))),
        "",
        "layer 2: weight has 59 columns and the layer before has 60 neurons",
    ),
    "weights that are no integers": (edited(put("layer/0/weight", np.full((3, 2, 3, 3), 0.5))), "", "weight holds 0.5"),
    "a weight beyond 8 bits": (edited(put("layer/2/weight", np.full((3, 60), 300))), "", "weight holds 300"),
    "a convolution larger than its input": (
        edited(put("layer/0/padding", 0)),
        " --input-shape 2,2,2",
        "a kernel of [3, 3] is larger than its input of [2, 2]",
    ),
    "another shape than the convolution's": (edited(put("layer/0/shape", [3, 5, 5])), "", "shape is [3, 5, 5], and the"),
    "no shape of the input": (lambda: None, "none", "give --input-shape W,H,C"),
    "a shape that is none": (lambda: None, " --input-shape 4,5", "--input-shape 4,5: give width, height and channels"),
    "an unknown neuron": (edited(put("layer/0/neuron/type", b"ALIF")), "", "neuron type 'ALIF' is not supported"),
    "a threshold beyond 17 bits": (edited(put("layer/0/neuron/vThMant", 1 << 17)), "", "vThMant holds 131072"),
    "a negative delay": (edited(put("layer/2/delay", -1)), "", "layer 2: delay holds -1"),
    "a pool layer": (edited(put("layer/1/type", b"pool")), "", "layer 1: layer type 'pool' does not run in Lava"),
    "no flatten layer": (edited(put("layer/1/type", b"input")), "", "layer 1: an input layer after other layers"),
    "a hundred million synapses": (many_synapses, " --input-shape 400,400,2", "synapses up to here, at most 100,000,000"),
    "stride of three axes": (edited(put("layer/0/stride", [1, 1, 1])), "", "stride has 3 values"),
    "groups that do not divide": (edited(put("layer/0/groups", 2)), "", "in 2 groups does not fit 2 input channels"),
}


@pytest.mark.parametrize("verb", ["inspect", "adopt", "check"])
@pytest.mark.parametrize("case", BAD)
def test_bad_files(case: str, verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, options, message = BAD[case]
    change()
    before = sorted(path.name for path in folder.iterdir())
    options = {"": OPTIONS["conv"], "none": ""}.get(options, options)
    needed = {"inspect": "", "adopt": " --steps 9", "check": " --data conv.npz"}[verb]
    assert run(*f"{verb} conv.net{needed}{options}".split()) == 2
    shown, errors = capsys.readouterr()
    assert not shown
    assert message in errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert sorted(path.name for path in folder.iterdir()) == before


def samples(**arrays: Any) -> None:
    np.savez("bad.npz", **arrays)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("plain", np.ones((2, STEPS)), "samples have shape [2, 9], not [samples, steps, channels]"),
        ("plain", np.ones((2, STEPS, 5)), "shape [2, 9, 5], the network reads [samples, 9, 6] and at least one"),
        ("conv", np.ones((2, STEPS, 5, 4, 2)), "the network reads [samples, 9, 40] or [samples, 9, 4, 5, 2]"),
        (
            "plain",
            np.full((2, STEPS, 6), 0.1),
            "this network reads integers; multiply the data, and the first layer's threshold",
        ),
        ("plain", np.full((2, STEPS, 6), 7), "counts every value that is not 0 as 1: give --message-bits 3, or spikes"),
        ("plain", np.full((2, STEPS, 6), -1), "sample 0 has -1 at step 0, channel 0: the encoder takes 0 to 1"),
        ("sdnn", np.full((2, STEPS, 40), 1e9), "sample 0 has 1e+09 at step 0"),
        ("sdnn", np.full((2, STEPS, 40), np.nan), "only finite values"),
    ],
)
def test_samples_that_do_not_fit(name: str, values: Any, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    samples(samples=values)
    assert run(*f"simulate {name}.net --data bad.npz --backend fast{OPTIONS[name]}".split()) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_both_a_manifest_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("adopt", "plain.net", "--steps", STEPS) == 0
    for command in ("check plain.net --data plain.npz --message-bits 3", "inspect plain.net --message-bits 3"):
        assert run(*command.split()) == 2
        assert "plain.json" in capsys.readouterr().err


def test_neither_a_manifest_nor_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", "plain.net") == 2
    assert "for a file of another project give --data, or 'adopt' it" in capsys.readouterr().err
    assert run("simulate", "plain.net", "--message-bits", 3) == 2
    assert "they are for samples of --data" in capsys.readouterr().err
    assert run("simulate", "none.net", "--data", "plain.npz") == 2
    assert capsys.readouterr().err == "error: none.net: no such file; name a NetX file (.net)\n"


def test_a_backend_that_cannot_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*f"simulate conv.net --data conv.npz --backend brian2loihi{OPTIONS['conv']}".split()) == 2
    assert "layer 0 (conv) has a convolution, which only integer, fast" in capsys.readouterr().err


@needs("matplotlib", "jinja2")
@pytest.mark.parametrize("name", OPTIONS)
def test_a_report_has_what_has_a_meaning(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*f"report {name}.net --data {name}.npz{OPTIONS[name]}".split()) == 0
    found = json.loads(Path(f"runs/{name}/report.json").read_text())
    energies = {energy["table"]: energy["total"] for energy in found["energies"]}
    assert (energies["horowitz-45nm"]["value"] is None) is (name == "sdnn")
    assert (energies["loihi1-sanafe"]["value"] is None) is (name == "sdnn")
    if name == "sdnn":
        note = "not in the table: graded messages of neurons, sigma-delta neurons (layer0, layer1, layer2)"
        assert energies["loihi1-sanafe"]["note"] == note
        assert all(row["bits"] > 1 for row in found["counts"])
        (loihi,) = (row for row in found["backends"] if row["name"] == "loihi1-sanafe (modelled)")
        assert (loihi["quantities"]["latency"]["value"], loihi["quantities"]["latency"]["note"]) == (None, note)
        assert found["backends"][0]["quantities"]["graded"]["value"] > 0
    else:
        assert "graded" not in found["backends"][0]["quantities"]
    assert found["memories"] == []
    assert (found["answers"]["right"] is None) is (name != "plain")
    page = Path(f"runs/{name}/report.html").read_text()
    assert ("graded messages" in page) is (name == "sdnn")
    assert run("compare", f"runs/{name}/report.json", f"runs/{name}/report.json") == 0
    assert "nan" not in page.lower().replace("nanoj", "")
    assert "Legendre memory" not in page
    assert "Cost of the overhead" not in page
    assert ("Energy by component" in page) is (name != "sdnn")
