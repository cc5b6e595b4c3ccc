"""Bad input through the command line: one line that says what and what to do, exit code 2, and nothing written."""

import errno
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import pytest
import torch
from commands import MODEL, run

from neuro_deploy.backends import lava
from neuro_deploy.training.archive import pack, unpack
from neuro_deploy.training.config import CONFIGS

NET = Path(MODEL)
MANIFEST = NET.with_suffix(".json")
CHECKPOINT = NET.with_suffix(".npz")
BEST = Path("runs/tiny/best.npz")
LAST = Path("runs/tiny/last.npz")
CONFIG = Path("tiny.toml")

Refused = Callable[..., None]


@pytest.fixture
def refused(project: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command, and see that it is refused in one line that holds all of some texts, and that no file changed."""

    def check(command: str, *texts: str) -> None:
        before = files(project)
        assert run(*command.split()) == 2
        shown, errors = capsys.readouterr()
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        assert errors.endswith("\n")
        assert "Traceback" not in shown + errors
        for text in texts:
            assert text in errors
        assert files(project) == before

    return check


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])


def change_net(place: str, values: Any) -> None:
    """Put something else into the NetX file, with a manifest that fits."""
    with h5py.File(NET, "r+") as file:
        del file[place]
        file[place] = values
    change_manifest("sha256", "net", hashlib.sha256(NET.read_bytes()).hexdigest())


def change_manifest(*keys_and_value: Any) -> None:
    *keys, last, value = keys_and_value
    manifest = json.loads(MANIFEST.read_text())
    part = manifest
    for key in keys:
        part = part[key]
    part[last] = value
    MANIFEST.write_text(json.dumps(manifest))


def without_key(key: str) -> None:
    manifest = json.loads(MANIFEST.read_text())
    del manifest[key]
    MANIFEST.write_text(json.dumps(manifest))


def change_checkpoint(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a checkpoint holds, with a manifest that fits."""
    values = unpack(path.read_bytes())
    change(values)
    path.write_bytes(pack(values))
    if path == CHECKPOINT:
        change_manifest("sha256", "checkpoint", hashlib.sha256(path.read_bytes()).hexdigest())


def put_nan(values: dict[str, Any]) -> None:
    next(value for value in values["weights"].values() if value.ndim == 2)[0, 0] = float("nan")


def put(place: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Change one value, named as in ``config.model.channels``."""

    def change(values: dict[str, Any]) -> None:
        *keys, last = place.split(".")
        for key in keys:
            values = values[key]
        values[last] = value

    return change


def another_architecture(values: dict[str, Any]) -> None:
    weights = values["weights"]
    key = next(key for key, value in weights.items() if value.ndim == 2)
    weights[key] = weights[key][:-1]


def fill(part: str, number: float) -> Callable[[dict[str, Any]], None]:
    """Put a number into every tensor whose name ends so."""

    def change(values: dict[str, Any]) -> None:
        for key, value in values["weights"].items():
            if key.endswith(part):
                value.fill_(number)

    return change


Damage = Callable[[], object]


def another_file() -> None:
    NET.write_text("not HDF5\n")
    change_manifest("sha256", "net", hashlib.sha256(NET.read_bytes()).hexdigest())


NETWORKS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "no file": (NET.unlink, (MODEL, "no such file")),
    "a text file": (lambda: NET.write_text("not HDF5\n"), (MODEL, "damaged, or", "copy or export it again")),
    "an empty file": (lambda: NET.write_bytes(b""), (MODEL, "damaged, or")),
    "half a file": (lambda: cut(NET, 0.5), (MODEL, "damaged, or")),
    "a text file with a manifest that fits": (another_file, (MODEL, "not a whole HDF5 file", "export or copy it again")),
    "a pipe": (lambda: (NET.unlink(), os.mkfifo(NET)), (MODEL, "not a file but a pipe", "name a NetX file")),
    "a manifest that is a pipe": (lambda: (MANIFEST.unlink(), os.mkfifo(MANIFEST)), (str(MANIFEST), "not a file but a pipe")),
    "a changed byte": (lambda: change_net_byte(), (MODEL,)),
    "a weight of 300": (
        lambda: change_net("layer/4/weight", np.full((19, 37), 300)),
        ("layer 4", "weight holds 300", "-256 to 255"),
    ),
    "a NaN as a weight": (lambda: change_net("layer/4/weight", np.full((19, 37), np.nan)), ("layer 4", "weight holds nan")),
    "no threshold": (lambda: change_net("layer/4/neuron/vThMant", np.zeros(0)), ("layer 4", "vThMant")),
    "no manifest": (MANIFEST.unlink, (str(MANIFEST), "No such file", "must stand beside")),
    "a manifest that is not JSON": (lambda: MANIFEST.write_text("{'"), (str(MANIFEST), "invalid JSON")),
    "half a manifest": (lambda: cut(MANIFEST, 0.5), (str(MANIFEST), "invalid JSON")),
    "a manifest of binary data": (lambda: MANIFEST.write_bytes(b"\xff\x00\n\n"), (str(MANIFEST), "export it again")),
    "a manifest that is a list": (lambda: MANIFEST.write_text("[]"), (str(MANIFEST), "export it again")),
    "a missing key": (lambda: without_key("gap"), (str(MANIFEST), "gap", "required")),
    "format version 99": (lambda: change_manifest("format_version", 99), (str(MANIFEST), "99", "reads 1")),
    "an unknown setting": (
        lambda: change_manifest("settings", "model", "colour", 3),
        (str(MANIFEST), "unknown key model.colour"),
    ),
    "an impossible setting": (lambda: change_manifest("settings", "model", "channels", 0), ("model.channels = 0", "1")),
    "an impossible scale": (lambda: change_manifest("input", "scale", 0), ("input.scale is 0", "greater than or equal to 0.0")),
    "a scale that is infinite": (lambda: MANIFEST.write_text(infinite_scale()), ("input.scale", "finite")),
    "another hash": (lambda: change_manifest("sha256", "net", "0" * 64), (MODEL, "SHA-256", "not of the same export")),
    "another number of layers": (lambda: change_manifest("latency", 3), ("latency 3", "12 layers")),
    "other steps": (lambda: change_manifest("steps", 65), ("its examples are 512 bytes", "520 bytes")),
    "an encoder that is too small": (lambda: change_manifest("input", "message_bits", 3), ("0 to 7",)),
    "a gap without an end": (lambda: change_manifest("gap", 10**13), ("gap is 10000000000000 silent steps", "export it again")),
    "no checkpoint": (CHECKPOINT.unlink, (str(CHECKPOINT), "no such file", "export again")),
    "half a checkpoint": (lambda: cut(CHECKPOINT, 0.5), (str(CHECKPOINT), "SHA-256")),
    "a checkpoint of another architecture": (
        lambda: change_checkpoint(CHECKPOINT, another_architecture),
        (str(CHECKPOINT), "another architecture", "(1 such tensors)"),
    ),
}


def change_net_byte() -> None:
    content = bytearray(NET.read_bytes())
    content[len(content) // 2] ^= 1
    NET.write_bytes(content)


def infinite_scale() -> str:
    return MANIFEST.read_text().replace('"scale": 1.0,\n    "offset"', '"scale": Infinity,\n    "offset"')


@pytest.mark.parametrize("case", NETWORKS)
@pytest.mark.parametrize("verb", ["simulate", "check"])
def test_networks(refused: Refused, verb: str, case: str) -> None:
    damage, texts = NETWORKS[case]
    damage()
    refused(f"{verb} {MODEL} --samples 2", *texts)


def test_settings_of_other_data(refused: Refused) -> None:
    change_manifest("classes", [f"word {index}" for index in range(10)])
    texts = ("10 classes (word 0, word 1, word 2, ...)", "digits, has 10 (0, 1, 2, ...)", "export it again")
    refused(f"simulate {MODEL} --samples 2", *texts)


HOSTILE = [
    *(
        (place, value)
        for place in ("channels", "steps", "config.model.channels", "config.model.kernel", "config.model.memory_order")
        for value in (-1, 0, 10**12)
    ),
    ("epoch", -1),
    ("accuracy", 1e308),
    ("config.encoder.bits", 10**12),
    ("config.encoder.scale", 1e308),
    ("config.encoder.offset", -1e308),
    ("config.model.blocks", 10**12),
    ("config.neuron.gain", 1e308),
    ("config.neuron.voltage_decay", 0),
    ("config.train.epochs", 10**12),
]
"""Settings that no checkpoint of ours holds; the message names the place and its limit."""

CHECKPOINTS: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "no training": (BEST.unlink, ("no such file", "train first")),
    "an empty file": (lambda: BEST.write_bytes(b""), ("not a checkpoint",)),
    "a text file": (lambda: BEST.write_text("weights\n"), ("not a checkpoint",)),
    "half a file": (lambda: cut(BEST, 0.5), ("not a checkpoint, or damaged",)),
    "a folder": (lambda: (BEST.unlink(), BEST.mkdir()), ("Is a directory",)),
    "a list": (lambda: BEST.write_bytes(b"[1]"), ("not a checkpoint",)),
    "another format": (lambda: change_checkpoint(BEST, lambda v: v.update(format=7)), ("format 7", "reads 2")),
    "a missing key": (lambda: change_checkpoint(BEST, lambda v: v.pop("classes")), ("classes is missing",)),
    "a value of another kind": (lambda: change_checkpoint(BEST, lambda v: v.update(weights=[1])), ("train again",)),
    "a NaN": (lambda: change_checkpoint(BEST, put_nan), ("has a NaN or an infinity", "lower rate")),
    "a negative variance": (lambda: change_checkpoint(BEST, fill("running_var", -1)), ("negative variance",)),
    "another architecture": (lambda: change_checkpoint(BEST, another_architecture), ("another architecture",)),
    "an unknown setting": (lambda: change_checkpoint(BEST, lambda v: v["config"].update(x=1)), ("unknown key config.x",)),
    "a pipe": (lambda: (BEST.unlink(), os.mkfifo(BEST)), ("not a file but a pipe", "name a checkpoint")),
    "a name twice": (lambda: change_checkpoint(BEST, lambda v: v.update(classes=["a"] * 10)), ("two classes have one name",)),
    **{
        f"{place} = {value}": (lambda place=place, value=value: change_checkpoint(BEST, put(place, value)), (place, "than"))
        for place, value in HOSTILE
    },
    "not a number of channels": (lambda: change_checkpoint(BEST, put("channels", math.nan)), ("channels = nan", "finite")),
    "not a number of a scale": (
        lambda: change_checkpoint(BEST, put("config.encoder.scale", math.nan)),
        ("encoder.scale = nan", "finite"),
    ),
    "a network that is too large": (
        lambda: change_checkpoint(BEST, put("config.model.channels", 4096)),
        ("its model has", "at most 67,108,864", "lower model.channels"),
    ),
    "a memory that is too large": (
        lambda: change_checkpoint(BEST, lambda v: v["config"]["model"].update(memory_order=512, memory_length=4096, blocks=32)),
        ("memory_length is 134,217,728, at most 16,777,216",),
    ),
    "other settings": (
        lambda: CONFIG.write_text(CONFIG.read_text().replace("channels = 6", "channels = 7")),
        ("model.channels is 7", "trained with 6", "train again"),
    ),
}


def test_a_checkpoint_that_is_a_pickle(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is read where it is named, with a line that says what it is, and found nowhere by itself."""
    values = unpack(BEST.read_bytes())
    torch.save(values | {"format": 1}, BEST.with_suffix(".pt"))
    found = NET.read_bytes(), MANIFEST.read_bytes(), CHECKPOINT.read_bytes()
    assert run("export", "tiny.toml", "--checkpoint", BEST.with_suffix(".pt")) == 0
    errors = capsys.readouterr().err
    assert "best.pt: a .pt file can run the code of whoever made it" in errors
    assert all(line.startswith(("note: ", "error: ")) for line in errors.splitlines())
    assert errors.count("\n") == 1
    assert (NET.read_bytes(), MANIFEST.read_bytes(), CHECKPOINT.read_bytes()) == found
    BEST.unlink()
    assert run("evaluate", "runs/tiny") == 2
    assert "runs/tiny/best.npz: no such file: train first; runs/tiny/best.pt is of an older version" in capsys.readouterr().err


def test_figures_that_cannot_be_written(refused: Refused) -> None:
    Path("runs/tiny/streaming.svg").mkdir()
    refused(f"stream {MODEL} --samples 2", "cannot write runs/tiny/streaming.svg", "choose another folder")


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_exports(refused: Refused, case: str) -> None:
    damage, texts = CHECKPOINTS[case]
    damage()
    refused("export tiny.toml", str(BEST), *texts)


@pytest.mark.parametrize(("number", "text"), [(1e38, "a quantised weight or bias is"), (3000, "bias")])
def test_biases_that_do_not_fit_the_chip(refused: Refused, number: float, text: str) -> None:
    change_checkpoint(BEST, fill("norm.bias", number))
    refused("export tiny.toml", text)


CONFIGURATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "an unknown key": ("bits = 5", "bits = 5\nbytes = 1", ("unknown key encoder.bytes",)),
    "an impossible value": ("bits = 5", "bits = 0", ("encoder.bits = 0", "greater than or equal to 1")),
    "a wrong type": ("bits = 5", "bits = 'five'", ("encoder.bits = 'five'", "integer")),
    "infinity": ("bits = 5", "bits = 5\nscale = inf", ("encoder.scale = inf", "finite")),
    "NaN": ("bits = 5", "bits = 5\noffset = nan", ("encoder.offset = nan", "finite")),
    "a rate that no float32 holds": ("batch", "rate = 1e39\nbatch", ("train.rate = 1e+39", "less than or equal to")),
    "a seed of 70 bits": ("batch", "seed = 1180591620717411303424\nbatch", ("train.seed",)),
    "a path that is none": (
        'name = "digits"',
        'name = "speech_commands"\nfolder = "a\\u0000b"',
        ("data.folder = 'a\\x00b'", "match pattern"),
    ),
    "no path": ('name = "digits"', 'name = "speech_commands"\nfolder = ""', ("data.folder = ''", "at least 1 character")),
    "not TOML": ("[encoder]", "[encoder", ("not TOML",)),
    "no name of the data": ('name = "digits"\n', "", ("data.name is missing",)),
    "no data": ('name = "digits"', 'name = "letters"', ("data.name = 'letters'", "digits")),
    "values that the encoder cannot carry": ("bits = 5", "bits = 3", ("the encoder takes 0 to 7", "rescale the data")),
    "a rate that is far too large": (
        "batch",
        "rate = 1e20\nbatch",
        ("a NaN or an infinity in epoch 1", "lower train.rate (now 1e+20)"),
    ),
}


@pytest.mark.parametrize("case", CONFIGURATIONS)
def test_configurations(refused: Refused, case: str) -> None:
    old, new, texts = CONFIGURATIONS[case]
    CONFIG.write_text(CONFIG.read_text().replace(old, new))
    refused("train tiny.toml", *texts)


COMMANDS: dict[str, tuple[str, ...]] = {
    "nonsense": ("nonsense", "--help"),
    "--nonsense": ("--nonsense", "--help"),
    "train": ("missing argument 'CONFIG'", "--help"),
    "train nothing": ("config nothing", "known configs: digits", ".toml"),
    "train none/nothing": ("config none/nothing", "known configs"),
    "train none.toml": ("config none.toml", "No such file"),
    "train netx_models": ("config netx_models", "known configs"),
    "train tiny.toml --resume --seed 1": ("other settings",),
    "train tiny.toml --seed -1": ("--seed", "-1", "greater than or equal to 0"),
    "train tiny.toml --seed 99999999999999999999": ("--seed", "less than or equal to"),
    "export nothing": ("config nothing",),
    "export digits": ("runs/digits/best.npz: no such file: train first",),
    "export tiny.toml --checkpoint none.npz": ("none.npz: no such file",),
    "export tiny.toml --output tiny.toml": ("cannot write tiny.toml/tiny",),
    "simulate": ("missing argument 'MODEL.net'",),
    "simulate none.net": ("none.net: no such file",),
    "simulate netx_models": ("netx_models: cannot read (Is a directory)", "name a NetX file"),
    f"simulate {MODEL} --samples 0": ("--samples", "0", "greater than or equal to 1"),
    f"simulate {MODEL} --samples 100000": ("100000 samples asked for", "digits, test split has 360"),
    f"simulate {MODEL} --samples few": ("--samples", "few", "valid integer"),
    f"simulate {MODEL} --lava-samples 0": ("--lava-samples", "0"),
    f"simulate {MODEL} --time-limit nan": ("--time-limit", "nan"),
    f"simulate {MODEL} --backend loihi": (
        "backend 'loihi' is unknown",
        "brian2loihi, fast, integer, lava, lava-fused, loihi2, sanafe, torch, torch-cpu, torch-gpu",
    ),
    f"simulate {MODEL} --brian-samples 0": ("--brian-samples", "0", "greater than or equal to 1"),
    f"simulate {MODEL} --backend brian2loihi --samples 100000": ("100000 samples asked for",),
    f"simulate {MODEL} --backend loihi2 --samples 1": ("loihi2: Lava's extension for Loihi", "is not installed", "use lava"),
    f"simulate {MODEL} --backend loihi2 --fused": ("--fused needs --backend lava",),
    f"simulate {MODEL} --backend torch-cpu --samples 8": ("--samples does not apply to --backend torch-cpu", "omit it"),
    f"simulate {MODEL} --backend torch-cpu --trace f.npz": ("--trace does not apply to --backend torch-cpu",),
    f"simulate {MODEL} --backend torch-gpu --jobs 2": ("--jobs does not apply to --backend torch-gpu",),
    f"simulate {MODEL} --backend torch-cpu --cluster dask://x:1": ("--cluster does not apply to --backend torch-cpu",),
    "simulate none.net --backend torch-cpu": ("none.net: no such file",),
    f"simulate {MODEL} --fused": ("--fused needs --backend lava",),
    f"simulate {MODEL} --backend fast --fused": ("--fused needs --backend lava",),
    "train tiny.toml --device cuda": ("device cuda: torch finds no GPU",),
    f"simulate {MODEL} --trace f.npz": ("--trace needs --backend",),
    f"simulate {MODEL} --backend integer --samples 1 --trace tiny.toml/f.npz": ("cannot write tiny.toml/f.npz",),
    f"simulate {MODEL} --backend integer --samples 1 --trace netx_models": ("cannot write netx_models",),
    f"simulate {MODEL} --backend integer --samples 1 --trace /dev/null": ("cannot write /dev/null",),
    f"simulate {MODEL} --backend lava --samples 1 --time-limit 0.1": ("no sample finished within 0.1 s", "were ended"),
    "stream none.net": ("none.net: no such file",),
    f"stream {MODEL} --backend loihi": ("backend 'loihi' is unknown", "fast, integer, lava"),
    f"stream {MODEL} --backend torch-cpu": ("backend 'torch-cpu' is unknown",),
    f"stream {MODEL} --samples 100000": ("100000 samples asked for", "digits, test split has 360"),
    "check none.net": ("none.net: no such file",),
    f"check {MODEL} --samples 100000": ("100000 samples asked for",),
    "report nothing": ("config nothing",),
    "report digits": ("netx_models/digits.net: no such file",),
    "report tiny.toml --samples 100000": ("100000 samples asked for",),
    "report tiny.toml --table nothing": ("cost table 'nothing' is unknown",),
    "report tiny.toml --table nothing.toml": ("nothing.toml", "No such file"),
    "compare": ("Missing argument".lower()[:3],),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(refused: Refused, command: str) -> None:
    refused(command, *COMMANDS[command])
    assert not Path("/dev/null").is_file()


def full(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "command",
    [
        "train tiny.toml",
        "export tiny.toml",
        f"simulate {MODEL} --backend integer --samples 1 --trace f.npz",
        f"simulate {MODEL} --backend integer --samples 1 --trace new/folder/f.npz",
        f"stream {MODEL} --samples 1",
    ],
)
def test_a_full_disk(refused: Refused, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full)
    refused(command, "cannot write", "No space left on device", "make room")


def test_a_full_temporary_folder(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "save", full)
    refused(f"simulate {MODEL} --backend lava --samples 1", "No space left on device", "TMPDIR")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(refused: Refused) -> None:
    NET.parent.chmod(0o500)
    try:
        refused("export tiny.toml", "cannot write", "Permission denied")
    finally:
        NET.parent.chmod(0o700)


STATES: dict[str, tuple[Damage, tuple[str, ...]]] = {
    "none": (LAST.unlink, ("no such file", "without --resume")),
    "half": (lambda: cut(LAST, 0.5), ("damaged",)),
    "foreign": (lambda: LAST.write_bytes(BEST.read_bytes()), ("without --resume",)),
    "of other settings": (lambda: change_checkpoint(LAST, lambda v: v["config"].update(name="b")), ("other settings",)),
    "without its optimizer": (lambda: change_checkpoint(LAST, lambda v: v.pop("optimizer")), ("without --resume",)),
}


@pytest.mark.parametrize("case", STATES)
def test_resumed_trainings(refused: Refused, case: str) -> None:
    damage, texts = STATES[case]
    damage()
    refused("train tiny.toml --resume", str(LAST), *texts)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("training.jsonl", '{"epoch": 1'),
        ("training.jsonl", '{"epoch": 1}'),
        ("simulation.json", "{"),
        ("simulation.json", "[]"),
        ("simulation.json", '{"format_version": 9}'),
        ("simulation.json", '{"format_version": 1}'),
    ],
)
def test_reports(refused: Refused, name: str, content: str) -> None:
    path = Path("runs/tiny") / name
    path.write_text(content + "\n")
    refused("report tiny.toml", str(path), "again")


DEEP_JSON, DEEP_TOML = '{"a":' * 50_000 + "1" + "}" * 50_000, "x = " + "[" * 9000 + "]" * 9000


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("deep.toml", DEEP_TOML, "train deep.toml"),
        ("deep.toml", DEEP_TOML, "report tiny.toml --table deep.toml"),
        ("deep.json", DEEP_JSON, "compare deep.json deep.json"),
        ("runs/tiny/simulation.json", DEEP_JSON, "report tiny.toml"),
        ("pipe.toml", None, "train pipe.toml"),
        ("pipe.toml", None, "report tiny.toml --table pipe.toml"),
        ("pipe.json", None, "compare pipe.json pipe.json"),
        ("runs/tiny/simulation.json", None, "report tiny.toml"),
    ],
)
def test_texts_without_end(refused: Refused, name: str, content: str | None, command: str) -> None:
    if content is None:
        Path(name).unlink(missing_ok=True)
        os.mkfifo(name)
    else:
        Path(name).write_text(content)
    refused(command, name)


def test_an_extra_that_is_missing(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brian2_loihi", None)
    refused(
        f"simulate {MODEL} --backend brian2loihi --samples 1",
        "brian2_loihi is not installed: ",
        "uv pip install --python .venv/bin/python -e '.[emulators]'",
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_missing(refused: Refused) -> None:
    refused(f"simulate {MODEL} --backend torch-gpu", "torch-gpu: torch finds no GPU on this machine: use torch-cpu")


@pytest.mark.parametrize("backend", ["torch-cpu", "torch-gpu"])
def test_a_machine_to_be_timed_without_the_model(refused: Refused, backend: str) -> None:
    CHECKPOINT.unlink()
    refused(f"simulate {MODEL} --backend {backend}", str(CHECKPOINT), "no such file", "export again")


def test_a_lava_that_dies(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os, sys; print('no memory', file=sys.stderr, flush=True); os.abort()"
    monkeypatch.setattr(lava, "_WORKER", ("-c", script))
    refused(f"check {MODEL} --samples 1", "the worker ended with status -6", "no memory")


def test_a_message_tells_a_terminal_nothing(refused: Refused) -> None:
    """It quotes names out of files of others, and one could clear the screen or write backwards."""
    text = MANIFEST.read_text()
    MANIFEST.write_text(text.replace("{", '{"\\u001b[2J\\u009b\\u202e\\u2028x": 1,', 1))
    refused(f"simulate {MODEL}", r"\x1b[2J\x9b\u202e x")


def test_a_real_process_prints_no_traceback_either(project: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "neuro_deploy.cli", "report", "no\nthing"],
        env=os.environ | {"PYTHONPATH": str(CONFIGS.parent.parent)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: config no thing: cannot read ")
    assert ended.stderr.count("\n") == 1
