"""Recognition in files and in streams, against whole samples on the chain and against each other."""

import io
import itertools
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import commands
import nets
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.engine.stepper import Stepper
from neuro_deploy.errors import BackendError, ConfigError, InputError
from neuro_deploy.ir.graph import INPUT, Graph
from neuro_deploy.ir.inputs import encode, inject
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.lowering import lower
from neuro_deploy.netx import load_network, save_network
from neuro_deploy.recognition.answers import Rule, rule
from neuro_deploy.recognition.files import recognise, recordings
from neuro_deploy.recognition.stream import listen

SPEC = FrontEndSpec(rate=8000, seconds=0.4, bins=3, high_hz=4000)


def hearing(folder: Path) -> Network:
    """A network on three mel bands, with taps and a skip."""
    rng = np.random.default_rng(0)
    populations = [nets.population(rng, "s0", 5, threshold=200, bias=100), nets.population(rng, "s1", 4), nets.readout(3)]
    projections = (
        nets.projection(rng, INPUT, "s0", 3, 5, 3, 60),
        nets.projection(rng, "s0", "s1", 2, 4, 5, 250),
        nets.projection(rng, "s0", "out", 1, 3, 5),
        nets.projection(rng, "s1", "out", 1, 3, 4),
    )
    graph = Graph(SPEC.bins, {population.name: population for population in populations}, projections)
    about = replace(nets.about(graph, SPEC.steps), front_end=SPEC, logit=64 * 300)
    about = replace(about, encoder=about.encoder.model_copy(update={"clip": True, "scale": 0.5, "offset": -14.0}))
    save_network(Network.of(lower(graph), about), folder / "net.net", b"checkpoint")
    return load_network(folder / "net.net")


def noise(seconds: float, seed: int) -> NDArray[np.int16]:
    """A burst that swells and fades, so that its read-out moves."""
    count = round(SPEC.rate * seconds)
    swell = np.sin(np.linspace(0, 3 * np.pi, count)) ** 2
    return (6000 * swell * np.random.default_rng(seed).standard_normal(count)).clip(-32768, 32767).astype(np.int16)


def refuse(error: InputError) -> None:
    raise error


def expected(network: Network, rules: Rule, path: Path, first: int = 1) -> tuple[str, int]:
    """Word and step, not before the first, of ever longer pieces of the sample that are run from rest, each to its end."""
    manifest = network.manifest
    encoded = encode(file_frames(path, SPEC)[None], manifest.input)
    for steps in range(first, manifest.steps + 1):
        *_, last = run_chain(network.chain, inject(encoded[:, :steps], manifest.input, manifest.latency))
        assert last.voltages is not None
        logits = last.voltages[0, steps + manifest.latency - 1] / rules.logit
        shares = np.exp(logits) / np.exp(logits).sum()
        if shares.max() >= rules.threshold or steps == manifest.steps:
            return manifest.classes[int(shares.argmax())], steps
    raise AssertionError


def test_a_chain_step_by_step_is_the_chain() -> None:
    graph = nets.tiny()
    chain = lower(graph)
    rng = np.random.default_rng(0)
    injected = rng.integers(0, 8, (1, 30, chain.input_size)).astype(np.int64)
    *_, last = run_chain(chain, injected)
    assert last.voltages is not None
    stepper = Stepper.of(chain, 7, 30)
    for _ in range(2):  # from rest, then from rest again
        stepper.rest()
        for step in range(30):
            stepper.advance(step + 1)
            stepper.receive(injected[0, step])
            assert np.array_equal(stepper.v[stepper.layers[-1]], last.voltages[0, step])
    assert np.unique(last.voltages).size > 5


def test_numbers_beyond_32_bits_are_refused_step_by_step() -> None:
    chain = lower(nets.tiny())
    with pytest.raises(
        BackendError, match=r"step by step: layer 0: the synaptic current can reach \d+, .* exact below 2\*\*29"
    ):
        Stepper.of(chain, 2**24, 30)


@pytest.mark.parametrize("threshold", [None, 0.5, 0.9])
def test_files_and_stream_give_what_shorter_samples_give(tmp_path: Path, threshold: float | None) -> None:
    network = hearing(tmp_path)
    rules = rule(network, threshold)
    sounds = [noise(SPEC.seconds, seed) for seed in range(3)]
    paths = [tmp_path / f"{index}.wav" for index in range(3)]
    for path, sound in zip(paths, sounds, strict=True):
        soundfile.write(path, sound, SPEC.rate)
    found = list(recognise(network, IntegerBackend(), SPEC, rules, recordings([tmp_path], refuse), refuse))
    assert [answer.file for answer in found] == list(map(str, paths))
    assert [(answer.word, answer.step) for answer in found] == [expected(network, rules, path) for path in paths]
    assert all(answer.latency == answer.step + network.manifest.latency for answer in found)
    if threshold == 0.5:
        assert any(answer.step < SPEC.steps for answer in found), "nothing was decided early"
    heard = list(listen(network, SPEC, rules, io.BytesIO(np.concatenate(sounds).astype("<i2").tobytes())))
    assert heard == [replace(a, file="-", start=index * SPEC.seconds) for index, a in enumerate(found)]


def test_the_end_of_a_stream_is_followed_by_silence(tmp_path: Path) -> None:
    network = hearing(tmp_path)
    short = noise(SPEC.seconds / 2, 0)
    soundfile.write(tmp_path / "short.wav", short, SPEC.rate)
    (found,) = recognise(network, IntegerBackend(), SPEC, rule(network), [tmp_path / "short.wav"], refuse)
    assert list(listen(network, SPEC, rule(network), io.BytesIO(short.tobytes()))) == [replace(found, file="-")]


def test_silent_samples_of_a_stream_are_passed_over(tmp_path: Path) -> None:
    network = hearing(tmp_path)
    sound = noise(SPEC.seconds, 0)
    (alone,) = listen(network, SPEC, rule(network), io.BytesIO(sound.tobytes()))
    stream = np.concatenate((np.zeros_like(sound), sound, np.zeros_like(sound)))
    assert list(listen(network, SPEC, rule(network), io.BytesIO(stream.tobytes()))) == [replace(alone, start=SPEC.seconds)]


@pytest.mark.parametrize("silent", [0.05, 0.123, 0.3])
def test_nothing_is_decided_before_there_is_sound(tmp_path: Path, silent: float) -> None:
    network = hearing(tmp_path)
    rules = rule(network, 0.33)  # reached by three classes that are even
    sound = noise(SPEC.seconds, 0)
    sound[: round(silent * SPEC.rate)] = 0
    soundfile.write(tmp_path / "late.wav", sound, SPEC.rate)
    frames = file_frames(tmp_path / "late.wav", SPEC)
    first = int((frames > frames.min()).any(axis=1).argmax()) + 1
    _, early = expected(network, rules, tmp_path / "late.wav")
    assert early < first, "a network that waits by itself proves nothing"
    (answer,) = listen(network, SPEC, rules, io.BytesIO(sound.tobytes()))
    assert (answer.word, answer.step) == expected(network, rules, tmp_path / "late.wav", first)
    assert answer.latency == answer.step + network.manifest.latency
    (found,) = recognise(network, IntegerBackend(), SPEC, rules, [tmp_path / "late.wav"], refuse)
    assert found == replace(answer, file=str(tmp_path / "late.wav"))


def test_sound_after_the_last_frame_is_not_heard(tmp_path: Path) -> None:
    network = hearing(tmp_path)
    sound = np.zeros(round(SPEC.rate * SPEC.seconds), np.int16)
    sound[-1] = 9000
    assert (SPEC.steps - 1) * SPEC.hop + SPEC.window < len(sound)
    with pytest.raises(InputError, match=r"-: silence in the first 0\.4 s"):
        list(listen(network, SPEC, rule(network), io.BytesIO(sound.tobytes())))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 ms of sound"),
        (bytes(4000), "silence"),
        (noise(0.01, 0).tobytes(), "10 ms"),
        (b"\x01\x02\x03", "within a sample"),
    ],
)
def test_a_stream_without_sound_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    network = hearing(tmp_path)
    with pytest.raises(InputError, match=message):
        list(listen(network, SPEC, rule(network), io.BytesIO(content)))


def test_only_the_words_asked_for_are_answered(tmp_path: Path) -> None:
    network = hearing(tmp_path)
    for words in (["class 2"], ["class 2", "class 0"]):
        (answer,) = listen(network, SPEC, rule(network, words=words), io.BytesIO(noise(SPEC.seconds, 0).tobytes()))
        assert answer.word in words
        assert (answer.score == 1) == (len(words) == 1)
    for words, message in ((["dog"], "'dog'"), (["class 1"] * 2, "each word once"), ([], "at least one")):
        with pytest.raises(ConfigError, match=message):
            rule(network, words=words)


def test_bad_files_are_named_and_the_others_answered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = hearing(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.wav").write_text("no sound at all")
    soundfile.write(tmp_path / "good.wav", noise(SPEC.seconds, 1), SPEC.rate)
    soundfile.write(tmp_path / "silent.wav", np.zeros(4000), SPEC.rate)
    names = ["folder", "text.wav", "good.wav", "silent.wav", "none.wav"]
    assert commands.run("classify", network.file.path, *(tmp_path / name for name in names), "--json") == 2
    output = capfd.readouterr()
    (answer,) = json.loads(output.out)
    assert answer["file"] == str(tmp_path / "good.wav")
    assert answer["word"] in network.manifest.classes
    errors = output.err.splitlines()
    assert len(errors) == 4
    for name in set(names) - {"good.wav"}:
        assert sum(str(tmp_path / name) in line and line.startswith("error: ") for line in errors) == 1


@pytest.mark.parametrize("whole", [0, 1, 2])
def test_an_error_in_a_stream_leaves_a_closed_list(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    network = hearing(tmp_path)
    content = noise(SPEC.seconds * whole, 0).tobytes() + b"\x01\x02\x03"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert commands.run("classify", network.file.path, "-", "--json") == 2
    output = capfd.readouterr()
    assert [answer["start"] for answer in json.loads(output.out)] == [SPEC.seconds * index for index in range(whole)]
    assert output.err.startswith("error: -: the stream ends within a sample")
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3"])
def test_a_file_on_a_stream_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    network, file = hearing(tmp_path), io.BytesIO()
    soundfile.write(file, noise(SPEC.seconds, 0), SPEC.rate, format=kind)
    file.seek(0)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
    assert commands.run("classify", tmp_path / "net.net", "-", "--json") == 2
    output = capfd.readouterr()
    assert json.loads(output.out) == []
    assert output.err.startswith(f"error: -: what comes is {kind}, not raw samples: give ")
    assert output.err.count("\n") == 1
    assert network.manifest.classes


def test_what_is_not_recognised_is_said_and_a_bad_file_ends_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hearing(tmp_path)
    nan = np.full(4000, np.nan, np.float32)
    sounds = {"first": noise(SPEC.seconds, 0), "long": noise(3, 0), "nan": nan, "last": noise(SPEC.seconds, 1)}
    for name, sound in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound / 32768, SPEC.rate, subtype="FLOAT")
    files = [tmp_path / f"{name}.wav" for name in sounds]
    assert commands.run("classify", tmp_path / "net.net", *files, "--json") == 2
    output = capfd.readouterr()
    assert [Path(answer["file"]).stem for answer in json.loads(output.out)] == ["first", "long", "last"]
    said = output.err.splitlines()
    assert (
        said[0]
        == f"note: {files[1]}: only its first 0.4 s are recognised, and there is sound after them: cut it into such pieces"
    )
    assert said[1:] == [f"error: {files[2]}: sample 0 is not a finite number: repair the recording"]


def test_a_stream_where_nothing_compiles_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Stepper) -> None:
        raise OSError("no such compiler")

    monkeypatch.setattr(Stepper, "compile", fails)
    with pytest.raises(BackendError, match=r"-: the engine cannot be compiled here \(OSError: no such compiler\): recognise"):
        next(listen(hearing(tmp_path), SPEC, rule(hearing(tmp_path)), io.BytesIO(noise(1, 0).tobytes())))


def test_a_stream_without_end_takes_no_more_memory(tmp_path: Path) -> None:
    network, sound = hearing(tmp_path), io.BytesIO(noise(120 * SPEC.seconds, 0).tobytes())
    answers = listen(network, SPEC, rule(network, 0.5), sound)
    list(itertools.islice(answers, 20))  # compiles
    tracemalloc.start()
    try:
        assert sum(1 for _ in answers) >= 95
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def test_a_closed_standard_input_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hearing(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    assert commands.run("classify", tmp_path / "net.net", "-") == 2
    assert capfd.readouterr().err == "error: -: 0 ms of sound, shorter than one window of 25 ms\n"
