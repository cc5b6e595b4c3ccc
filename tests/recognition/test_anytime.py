"""Accuracy before a sample's end: by hand, against shorter samples run from rest, and with recordings of known length."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import commands as words
from archives import tone, wav
from commands import inside, run
from nets import tiny

import neuro_deploy as nd
from neuro_deploy.audio.front_end import first_sound
from neuro_deploy.audio.recordings import covered_steps, file_frames
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.errors import InputError, ModelFileError
from neuro_deploy.files import sha256
from neuro_deploy.ir.inputs import encode, fingerprint, inject
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_chain
from neuro_deploy.lowering import lower
from neuro_deploy.netx import load_network, save_network
from neuro_deploy.recognition.answers import rule
from neuro_deploy.recognition.anytime import PARTS, AtFraction, over_fractions, over_thresholds, stepwise_readouts
from neuro_deploy.report.figures.streaming import streaming as figure
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.config import load, parse
from neuro_deploy.training.data import load_clips, load_data
from neuro_deploy.training.data_settings import DigitsData, SpeechCommandsData
from neuro_deploy.training.deploy import describe, to_graph
from neuro_deploy.training.models.lmuformer import build

SHIPPED = Path("netx_models/digits.net").resolve()
SPEC = FrontEndSpec(seconds=0.5, bins=8)

RIGHT_FROM = np.array([1, 4, 7, 10])
"""Steps, of 10, from which the answers of four samples by hand are right."""


def by_hand() -> tuple[np.ndarray, np.ndarray]:
    """Voltages [4, 10, 2] that grow by 10 a step, first for class 1, later for class 0; labels are 0."""
    voltages = np.zeros((4, 10, 2), np.int64)
    for sample, first in enumerate(RIGHT_FROM):
        for step in range(1, 11):
            voltages[sample, step - 1, int(step < first)] = 10 * step
    return voltages, np.zeros(4, np.int64)


def at(found: tuple[AtFraction, ...], fraction: float) -> AtFraction:
    (point,) = (point for point in found if point.fraction == pytest.approx(fraction))
    return point


def test_a_fraction_ends_at_the_step_that_it_reaches() -> None:
    found = over_fractions(*by_hand(), np.full(4, 10))
    assert [point.fraction for point in found] == pytest.approx(np.arange(1, PARTS + 1) / PARTS)
    assert at(found, 0.05) == AtFraction(0.05, 1, 0.25), "half a step is rounded up to one"
    assert at(found, 0.3).accuracy == 0.25
    assert at(found, 0.35).accuracy == 0.5
    assert at(found, 0.7) == AtFraction(0.7, 7, 0.75), "0.7 * 10 is 7, also where floating point says more"
    assert at(found, 0.9).accuracy == 0.75
    assert found[-1] == AtFraction(1.0, 10, 1.0)


def test_a_fraction_of_a_recording_is_of_its_own_length() -> None:
    found = over_fractions(*by_hand(), np.array([1, 4, 5, 10]))
    assert found[-1] == AtFraction(1.0, 5.0, 0.75), "the third recording ends before its answer is right"
    assert at(found, 0.5) == AtFraction(0.5, (1 + 2 + 3 + 5) / 4, 0.25)


def test_a_confidence_ends_each_sample_where_it_is_reached() -> None:
    voltages, labels = by_hand()
    logit = 10  # a voltage of 10 a step is a logit of 1 a step: shares of 0.73, 0.88, 0.953, 0.982 ...
    early, sure, whole = over_thresholds(voltages, labels, logit, thresholds=(0.7, 0.96))
    assert (early.threshold, early.accuracy, early.steps, early.early) == (0.7, 0.25, 1.0, 1.0)
    assert (sure.threshold, sure.accuracy, sure.steps, sure.share) == (0.96, 0.5, 4.0, 0.4)
    assert (whole.threshold, whole.accuracy, whole.steps, whole.share, whole.early) == (None, 1.0, 10.0, 1.0, 0.0)
    waited, _ = over_thresholds(voltages, labels, logit, np.array([1, 2, 8, 10]), thresholds=(0.7,))
    assert (waited.accuracy, waited.steps, waited.early) == (0.75, (1 + 2 + 8 + 10) / 4, 0.75), (
        "nothing is decided before a sound"
    )


def test_the_shipped_network_hears_what_shorter_samples_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, number = load_network(SHIPPED), 6
    test = load_data(DigitsData(name="digits")).test
    samples, labels = test.samples[:number], test.labels[:number]
    with inside(tmp_path):
        assert run("stream", SHIPPED, "--samples", number) == 0
    folder = tmp_path / "runs/digits"
    values = json.loads((folder / "streaming.json").read_text())
    assert values["format_version"] == 1
    assert (values["config"], values["samples"], values["steps"], values["classes"]) == ("digits", number, 64, 10)
    assert values["backend"] == "fast"
    assert values["net_sha256"] == sha256(SHIPPED)
    assert values["data_sha256"] == fingerprint(samples, labels)
    assert values["own_sound"] is None

    manifest = network.manifest
    encoded = encode(samples, manifest.input)
    whole = IntegerBackend().run(network, encoded).accuracy(labels)
    assert values["all_steps"][-1]["accuracy"] == values["exits"][-1]["accuracy"] == whole
    assert values["exits"][-1]["threshold"] is None
    assert values["exits"][-1]["steps"] == 64
    answers = set()
    for part in (4, 9, 13):
        steps = int(np.ceil(part * 64 / PARTS))
        *_, last = run_chain(network.chain, inject(encoded[:, :steps], manifest.input, manifest.latency))
        assert last.voltages is not None
        voltages = last.voltages[:, steps + manifest.latency - 1, manifest.readout.place]
        accuracy = float((voltages.argmax(axis=1) == labels).mean())
        assert values["all_steps"][part - 1] == {"fraction": part / PARTS, "steps": steps, "accuracy": pytest.approx(accuracy)}
        answers.add(accuracy)
    assert len(answers | {whole}) > 2, "an accuracy that stands still proves nothing"
    shown = capsys.readouterr().out
    assert f"digits: {number} samples of 64 steps on fast" in shown
    assert "of the recording" not in shown
    assert (folder / "streaming.svg").read_text().startswith("<?xml")


def test_samples_run_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network = load_network(SHIPPED)
    encoded = network.signature.encode(load_data(DigitsData(name="digits")).test.samples[:5])
    whole = stepwise_readouts(network, IntegerBackend(), encoded)
    monkeypatch.setattr("neuro_deploy.recognition.anytime.TOGETHER", 2)
    assert np.array_equal(stepwise_readouts(network, IntegerBackend(), encoded), whole)


LENGTHS = {"cat": 0.1, "dog": 0.3, "owl": 0.8}


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpeechCommandsData:
    """Words of different lengths and rates."""
    monkeypatch.setenv("NEURO_DEPLOY_DATA", str(tmp_path / "root"))
    files = words(dict.fromkeys(LENGTHS, 500.0), speakers=9)
    for name in [name for name in files if name.endswith(".wav")]:
        word, speaker = name.split("/")[0], int(name.split("/")[1][:8], 16)
        rate = (16000, 8000, 22050)[speaker % 3]
        files[name] = wav(tone(400 + 20 * speaker, LENGTHS[word] + 0.007 * speaker, rate), rate)
    files["testing_list.txt"] = "".join(f"{word}/{s:08x}_nohash_0.wav\n" for word in LENGTHS for s in (5, 6, 8)).encode()
    for name, content in files.items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return SpeechCommandsData(name="speech_commands", folder=str(tmp_path / "own"), front_end=SPEC)


def test_clips_are_in_the_order_of_the_samples(recorded: SpeechCommandsData) -> None:
    data, clips = load_data(recorded), load_clips(recorded, "test")
    assert len(clips) == len(data.test) == 9
    assert [clip.word for clip in clips] == [data.classes[label] for label in data.test.labels]
    for clip, sample in zip(clips, data.test.samples, strict=True):
        assert np.array_equal(file_frames(clip.path, SPEC), sample)
    assert load_clips(DigitsData(name="digits"), "test") == []


FLOOR = np.log(np.finfo(np.float32).eps)
"""A frame of silence, in all bands."""


def test_after_its_own_steps_a_recording_is_silence(recorded: SpeechCommandsData) -> None:
    clips, samples = load_clips(recorded, "test"), load_data(recorded).test.samples
    covered = [covered_steps(clip.path, SPEC) for clip in clips]
    for frames, steps in zip(samples, covered, strict=True):
        np.testing.assert_allclose(frames[steps:], FLOOR, rtol=1e-6)
        assert frames[steps - 1].max() > FLOOR + 1, "its own sound is no silence"
    assert min(covered) < SPEC.steps / 2
    assert max(covered) == SPEC.steps


def test_a_recording_covers_one_step_at_least(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    path.write_bytes(wav(np.ones(3, np.float32)))
    assert covered_steps(path, SPEC) == 1
    path.write_bytes(wav(np.ones(2 * SPEC.hop, np.float32)))
    assert covered_steps(path, SPEC) == 2
    path.write_bytes(wav(np.ones(2 * SPEC.hop + 1, np.float32)))
    assert covered_steps(path, SPEC) == 3
    path.write_text("no sound")
    with pytest.raises(InputError, match=r"short\.wav: not a recording"):
        covered_steps(path, SPEC)


def test_recordings_are_also_measured_without_their_padding(
    recorded: SpeechCommandsData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "words.net"
    untrained(recorded, model)
    with inside(tmp_path):
        assert run("stream", model, "--backend", "integer", "--samples", 8) == 0
    values = json.loads((tmp_path / "runs/words/streaming.json").read_text())
    network, test = load_network(model), load_data(recorded).test
    voltages = stepwise_readouts(network, IntegerBackend(), network.signature.encode(test.samples[:8]))
    own = np.array([covered_steps(clip.path, SPEC) for clip in load_clips(recorded, "test")[:8]])
    assert values["own_sound"] == [vars(point) for point in over_fractions(voltages, test.labels[:8], own)]
    assert values["own_sound"] != values["all_steps"]
    exits = over_thresholds(voltages, test.labels[:8], network.manifest.readout.logit or 0, first_sound(test.samples[:8]))
    assert values["exits"] == [vars(point) for point in exits]
    assert values["own_sound"][-1]["steps"] == own.mean() < SPEC.steps
    assert "of the recording" in capsys.readouterr().out


def untrained(settings: SpeechCommandsData, path: Path) -> None:
    config = parse(
        {
            "name": "words",
            "data": settings.model_dump(),
            "encoder": {"bits": 3, "scale": 0.5, "offset": -12.0},
            "model": {"channels": 6, "memory_channels": 2, "memory_order": 3, "memory_length": 5, "mixer_ratio": 2},
            "neuron": {"gain": 4.0},
            "train": {"epochs": 1, "quantised_epochs": 1},
        },
        "the test",
    )
    torch.manual_seed(0)
    weights = build(config, SPEC.bins, len(LENGTHS)).state_dict()
    checkpoint = Checkpoint(config, tuple(LENGTHS), SPEC.bins, SPEC.steps, weights, 1, 0.0)
    save_network(Network.of(lower(to_graph(checkpoint)), describe(checkpoint)), path, checkpoint.to_bytes())


def test_the_figure_has_both_curves_and_names_every_confidence() -> None:
    exits = [(0.5, 2.0, 0.5), (0.7, 4.0, 0.8), (0.9, 4.1, 0.8), (0.99, 9.9, 0.9), (None, 10.0, 0.9)]
    left, right = figure([(0.5, 0.25), (1.0, 0.75)], [(0.5, 0.5), (1.0, 1.0)], exits, 10, 4).axes
    curves = {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in left.lines}
    assert curves["of all steps"] == ([50, 100], [25, 75])
    assert curves["of the recording alone"] == ([50, 100], [50, 100])
    assert set(curves["chance"][1]) == {25}
    assert list(right.lines[0].get_xdata()) == [2, 4, 4.1, 9.9, 10]
    assert [text.get_text() for text in right.texts] == ["0.5", "0.7 to 0.9", "0.99 to the end"]
    assert right.get_xlabel() == "mean steps until the exit, of 10"
    left, right = figure([(1.0, 0.75)], None, [(0.5, 10.0, 0.9), (None, 10.0, 0.9)], 10, 4).axes
    assert [str(line.get_label()) for line in left.lines] == ["of all steps", "chance"]
    assert [text.get_text() for text in right.texts] == ["0.5 to the end"]


@pytest.mark.usefixtures("recordings")
def test_clips_of_speech_commands_fit_its_samples() -> None:
    settings = load("speech_commands_12").data
    assert isinstance(settings, SpeechCommandsData)
    data, clips = load_data(settings), load_clips(settings, "test")
    assert [data.classes[label] for label in data.test.labels] == [clip.word for clip in clips]
    short = 0
    for index in range(len(clips)):
        steps = covered_steps(clips[index].path, settings.front_end)
        short += steps < data.steps
        np.testing.assert_allclose(data.test.samples[index, steps:], FLOOR, rtol=1e-6)
    for index in range(0, len(clips), 50):
        assert np.array_equal(file_frames(clips[index].path, settings.front_end), data.test.samples[index])
    assert 0 < short < len(clips)


def test_a_network_that_does_not_say_what_a_confidence_is() -> None:
    with pytest.raises(ModelFileError, match=r"network: its manifest does not define a confidence \(readout.logit\)"):
        rule(nd.lower(tiny(), 12), None, None)
