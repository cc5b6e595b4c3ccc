"""Recordings as training data: their splits, their kept frames, their variations, and the whole way to a checked chain."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from archives import commands, tone, wav
from scipy.stats import beta

from neuro_deploy.audio.front_end import clip_frames
from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.errors import DatasetError, InputError
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower
from neuro_deploy.netx import load_network, save_network
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.config import Config, TrainSettings, load, parse
from neuro_deploy.training.data import load_data
from neuro_deploy.training.data.augmentation import add_background, augmentation, equalise, mask, mix, resize, shift
from neuro_deploy.training.data_settings import AugmentSettings, SpeechCommandsData, SpokenDigitsData
from neuro_deploy.training.deploy import Evaluator, describe, to_graph
from neuro_deploy.training.log import Epoch
from neuro_deploy.training.loop import Progress, Trainer
from neuro_deploy.training.loss import mean_rate, objective, right_answers
from neuro_deploy.training.models.lmuformer import build
from neuro_deploy.training.models.network import Output
from neuro_deploy.training.sweep import combinations
from neuro_deploy.workbench.progress import watch_frames

WORDS = {"high": 1500.0, "low": 300.0, "middle": 700.0}
SPEC = FrontEndSpec(seconds=0.2, bins=8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of words, and a data root beside it."""
    monkeypatch.setenv("NEURO_DEPLOY_DATA", str(tmp_path / "root"))
    for name, content in commands(WORDS).items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "own"


def settings(folder: Path, **values: object) -> SpeechCommandsData:
    return SpeechCommandsData.model_validate({"name": "speech_commands", "folder": str(folder), "front_end": SPEC} | values)


def test_a_folder_becomes_three_splits_of_frames(folder: Path) -> None:
    data = load_data(settings(folder))
    assert (data.classes, data.steps, data.channels) == (("high", "low", "middle"), SPEC.steps, 8)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [12, 3, 3]
    expected = {
        file_frames(folder / word / "00000005_nohash_0.wav", SPEC).tobytes(): label for label, word in enumerate(data.classes)
    }
    assert {s.tobytes(): int(label) for s, label in zip(data.test.samples, data.test.labels, strict=True)} == expected
    assert load_data(settings(folder, words=("low", "high"))).classes == ("low", "high")


@pytest.mark.parametrize("terminal", [False, True])
def test_the_command_line_shows_how_far_frames_are(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    if terminal:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(watch_frames(iter(range(2345)), 2345)) == list(range(2345))
    output = capfd.readouterr()
    assert output.out == ""
    if terminal:
        assert "computing frames" in output.err
        assert "100%" in output.err
    else:
        assert output.err == "note: computing the frames of 2,345 recordings ...\n"


def test_what_is_missing_or_damaged_is_named(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"run 'neuro-deploy data fetch speech_commands', or set NEURO_DEPLOY_DATA"):
        load_data(SpeechCommandsData(name="speech_commands"))
    with pytest.raises(DatasetError, match="no folder for loud"):
        load_data(settings(folder, words=("low", "loud")))
    (folder / "low" / "00000002_nohash_0.wav").write_bytes(b"text")
    with pytest.raises(InputError, match=r"low/00000002_nohash_0.wav: not a recording"):
        _ = load_data(settings(folder)).train
    (folder / "testing_list.txt").write_text("")
    (folder / "low" / "00000002_nohash_0.wav").write_bytes(wav(tone(50)))
    with pytest.raises(DatasetError, match="no clips for the test split"):
        load_data(settings(folder))


def test_one_speaker_of_the_spoken_digits_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURO_DEPLOY_DATA", str(tmp_path))
    (tmp_path / "free_spoken_digits" / "recordings").mkdir(parents=True)
    for digit, who, take in [(d, w, t) for d in (0, 1) for w in ("ann", "bob") for t in (0, 5, 10, 11)]:
        path = tmp_path / "free_spoken_digits" / "recordings" / f"{digit}_{who}_{take}.wav"
        path.write_bytes(wav(tone(200 + 300 * digit + take), 8000))
    spec = FrontEndSpec(rate=8000, high_hz=4000, seconds=0.2, bins=6)
    official = load_data(SpokenDigitsData(name="spoken_digits", front_end=spec))
    assert [len(part) for part in (official.train, official.validation, official.test)] == [8, 4, 4]
    left_out = load_data(SpokenDigitsData(name="spoken_digits", front_end=spec, test_speaker="ann"))
    assert [len(part) for part in (left_out.train, left_out.validation, left_out.test)] == [6, 2, 8]
    assert left_out.classes == ("0", "1")


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


FRAMES = torch.randn(6, 20, 8, generator=random(9))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def test_without_augmentation_nothing_changes_and_nothing_is_drawn() -> None:
    generator = random()
    samples, labels = augmentation(AugmentSettings(), 3)(FRAMES, LABELS, generator)
    assert samples is FRAMES
    assert labels is LABELS
    assert torch.equal(generator.get_state(), random().get_state())


ALL_VARIATIONS = {
    "shift": 3,
    "stretch": 0.1,
    "warp": 0.1,
    "loudness": 2.0,
    "equaliser": 1.5,
    "background": 0.5,
    "noise": 0.5,
    "mask_frames": 5,
    "mask_bins": 3,
    "mixup": 1.0,
}


def test_all_variations_together_are_reproducible_and_leave_the_samples_alone() -> None:
    augment = augmentation(AugmentSettings(**ALL_VARIATIONS), 3)
    before = FRAMES.clone()
    samples, shares = augment(FRAMES, LABELS, random(1))
    assert torch.equal(FRAMES, before)
    assert samples.shape == FRAMES.shape
    assert torch.equal(samples, augment(FRAMES, LABELS, random(1))[0])
    assert not torch.equal(samples, augment(FRAMES, LABELS, random(2))[0])
    torch.testing.assert_close(shares.sum(1), torch.ones(6))


def test_a_shifted_sample_is_the_sample_elsewhere() -> None:
    moved = shift(FRAMES.repeat(20, 1, 1), 2, random())
    found = {
        next(offset for offset in range(-2, 3) if torch.equal(moved[i], FRAMES[i % 6].roll(offset, 0)))
        for i in range(len(moved))
    }
    assert found == {-2, -1, 0, 1, 2}


def test_a_resized_sample_is_longer_about_its_middle_and_higher_about_its_lowest_band() -> None:
    times, bands = torch.arange(21.0) - 10, torch.arange(9.0)
    slope = (times[:, None] + 100 * bands).repeat(50, 1, 1)  # of which every value between two is known
    resized = resize(slope, 0.2, 0.1, random())
    duration = 6 / (resized[:, 13, 0] - resized[:, 7, 0])
    height = 4 / ((resized[:, 10, 4] - resized[:, 10, 0]) / 100)
    expected = times[None, 6:15, None] / duration[:, None, None] + 100 * bands[:7] / height[:, None, None]
    torch.testing.assert_close(resized[:, 6:15, :7], expected, rtol=1e-4, atol=1e-2)
    assert resized.max() <= slope.max() + 1e-3  # beyond its edge a sample has the value of its edge
    for change, largest in ((duration, 0.2), (height, 0.1)):
        logarithm = change.log() / largest
        assert logarithm.min() < -0.8
        assert logarithm.max() > 0.8
        assert logarithm.abs().max() < 1.001


def test_another_loudness_is_another_power_of_the_whole_sample() -> None:
    changed = augmentation(AugmentSettings(loudness=2.0), 3)(FRAMES.repeat(50, 1, 1), LABELS.repeat(50), random())[0]
    change = changed - FRAMES.repeat(50, 1, 1)
    torch.testing.assert_close(change, change[:, :1, :1].expand_as(change), rtol=0, atol=1e-5)
    assert 1.9 < -change.min() < 2.001
    assert 1.9 < change.max() < 2.001


def test_another_microphone_changes_neighbouring_bands_alike() -> None:
    frames = torch.randn(200, 7, 41)
    change = equalise(frames, 1.5, random()) - frames
    assert torch.allclose(change, change[:, :1], atol=1e-5)  # the same at all times
    assert change.abs().max() <= 1.5 + 1e-5
    nodes = change[:, 0, ::10]
    assert nodes.std() == pytest.approx(1.5 / 3**0.5, rel=0.05)
    assert abs(torch.corrcoef(nodes[:, :2].T)[0, 1]) < 0.2
    assert torch.allclose(change[:, 0, 5], (nodes[:, 0] + nodes[:, 1]) / 2, atol=1e-5)


def test_a_background_is_steady_and_up_to_30_decibels_fainter_than_the_sample() -> None:
    frames = torch.randn(400, 60, 9, generator=random(1)).double()
    changed = add_background(frames, 0.5, random())
    chosen = (changed != frames).any(2).any(1)
    assert 0.4 < chosen.double().mean() < 0.6
    added = (changed[chosen].exp() - frames[chosen].exp()).log()
    power = frames[chosen].exp().mean((1, 2)).log()
    decibels = 10 / np.log(10) * (added[:, :, 4].median(1).values - power)  # the middle band, which the slope turns about
    assert -31 < decibels.min() < -28
    assert -2 < decibels.max() < 1
    slope = added.median(1).values[:, -1] - added.median(1).values[:, 0]
    assert 3.5 < slope.abs().max() < 4.5
    assert (added.std(1) - 0.5).abs().max() < 0.2


@pytest.mark.parametrize("axis", [1, 2])
def test_a_mask_is_one_band_of_the_mean(axis: int) -> None:
    masked = mask(FRAMES.repeat(20, 1, 1), 4, axis, random())
    widths = set()
    for i, sample in enumerate(masked):
        changed = (sample != FRAMES[i % 6]).all(2 - axis)
        where = changed.nonzero().flatten()
        assert torch.equal(changed, (sample != FRAMES[i % 6]).any(2 - axis))
        assert where.numel() == 0 or where[-1] - where[0] + 1 == where.numel()
        band = sample.movedim(axis - 1, 0)[where]
        torch.testing.assert_close(band, FRAMES[i % 6].mean().expand_as(band))
        widths.add(where.numel())
    assert widths == {0, 1, 2, 3, 4}


def test_a_mixture_has_the_power_of_the_mixed_waveforms() -> None:
    """Of two tones far apart, which have nothing to do with each other."""
    first, second = tone(300, 1.0), tone(2500, 1.0)
    frames = torch.from_numpy(np.stack([clip_frames(first, FrontEndSpec()), clip_frames(second, FrontEndSpec())]))
    mixed, shares = mix(frames, torch.eye(2), 1.0, random(3))
    share = float(shares[0, 0])
    assert 0.2 < share < 0.8
    expected = clip_frames(np.float32(share) * first + np.float32(1 - share) * second, FrontEndSpec())
    loud = expected > -6
    assert loud.sum() > 200
    assert np.abs(mixed[0].numpy() - expected)[loud].mean() < 0.05


def test_shares_of_mixtures_are_of_the_beta_distribution() -> None:
    count = 4000
    _, shares = mix(torch.zeros(count, 1, 1), torch.eye(count), 1.0, random())
    largest = shares.max(1).values
    expected = beta(10, 10).expect(lambda share: max(share, 1 - share))
    assert abs(float(largest.mean()) - expected) < 0.01
    _, shares = mix(torch.zeros(count, 1, 1), torch.eye(count), 0.25, random())
    assert abs(float((shares.max(1).values < 1).float().mean()) - 0.25) < 0.03


def output(logits: torch.Tensor, **spikes: torch.Tensor) -> Output:
    return Output(logits, spikes, None)


def test_the_rate_term_is_the_squared_excess() -> None:
    train = TrainSettings(epochs=1, quantised_epochs=0, smoothing=0.0)
    limited = train.model_copy(update={"target_rate": 0.1, "rate_weight": 0.5})
    spikes = torch.zeros(2, 5, 10)
    spikes[:, :2] = 1  # 0.4 spikes per neuron and step; the mean with the silent population is 0.2
    found = output(torch.zeros(2, 3), a=spikes, b=torch.zeros(2, 5, 4))
    assert float(mean_rate(found.spikes, 2)) == pytest.approx(0.2)
    plain = objective(found, LABELS[:2], train, 2)
    assert float(plain) == pytest.approx(np.log(3))
    assert float(objective(found, LABELS[:2], limited, 2) - plain) == pytest.approx(0.5)
    quiet = limited.model_copy(update={"target_rate": 0.25})
    assert float(objective(found, LABELS[:2], quiet, 2)) == float(plain)


def test_labels_may_be_shares() -> None:
    train = TrainSettings(epochs=1, quantised_epochs=0)
    logits = torch.randn(6, 3, generator=random())
    shares = torch.nn.functional.one_hot(LABELS, 3).float()
    torch.testing.assert_close(objective(output(logits), shares, train, 6), objective(output(logits), LABELS, train, 6))
    assert right_answers(logits, shares) == right_answers(logits, LABELS)


def test_the_answers_of_a_teacher_are_a_share_of_what_is_learnt() -> None:
    logits, answers = torch.randn(6, 3, generator=random(1)), torch.randn(6, 3, generator=random(2)).softmax(1)
    alone, half, whole = (
        TrainSettings(epochs=1, quantised_epochs=0, teachers=("t.pt",), teacher_share=share) for share in (1e-9, 0.5, 1.0)
    )
    labels = float(objective(output(logits), LABELS, alone, 6))
    taught = float(objective(output(logits), LABELS, whole, 6, answers))
    expected = -(answers * logits.log_softmax(1)).sum(1).mean()
    assert taught == pytest.approx(float(expected))
    assert labels == pytest.approx(float(objective(output(logits), LABELS, alone, 6, answers)), rel=1e-6)
    assert float(objective(output(logits), LABELS, half, 6, answers)) == pytest.approx((labels + taught) / 2)


def tiny(folder: Path, **train: object) -> Config:
    return parse(
        {
            "name": "tiny",
            "data": settings(folder, augment=AugmentSettings(shift=1, mixup=0.5)).model_dump(),
            "encoder": {"bits": 3, "scale": 0.5, "offset": -12.0},
            "model": {"channels": 6, "memory_channels": 2, "memory_order": 3, "memory_length": 5, "mixer_ratio": 2},
            "neuron": {"gain": 4.0},
            "train": {"epochs": 1, "quantised_epochs": 1, "batch": 6, "target_rate": 0.1, "rate_weight": 0.1} | train,
        },
        "the test",
    )


def test_from_recordings_to_a_checked_chain(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(tiny(folder), tmp_path / "run")
    trainer.run(Progress())
    trained = trainer.checkpoint(trainer.history[-1])
    save_network(Network.of(lower(to_graph(trained)), describe(trained)), tmp_path / "tiny.net", trained.to_bytes())
    network = load_network(tmp_path / "tiny.net")
    assert network.manifest.front_end == SPEC
    assert network.manifest.input.clip
    frames = file_frames(folder / "low" / "00000005_nohash_0.wav", network.manifest.front_end)[None]
    encoded = encode(frames, network.manifest.input)
    trace = IntegerBackend().run(network, encoded)
    populations, readout = Evaluator(trained)(encoded)
    assert np.array_equal(trace.readout, readout)
    assert all(np.array_equal(trace.populations[name], spikes) for name, spikes in populations.items())
    assert sum(int(spikes.sum()) for spikes in populations.values()) > 50


def epochs(phase: str, *losses: float) -> list[Epoch]:
    return [Epoch(0, phase, 0.0, 0.0, 0.0, loss, {}, 0.0) for loss in losses]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (epochs("real", 3, 2, 2.5), (False, 0, False)),
        (epochs("real", 3, 2, 2.5, 2), (True, 4, False)),
        (epochs("real", 3, 2, 2.5, 2) + epochs("quantised", 5, 4, 6), (True, 4, False)),
        (epochs("real", 3, 2, 2.5, 2) + epochs("quantised", 4, 5, 6), (True, 4, True)),
        (epochs("real", 5, 4, 3, 2, 1), (True, 5, False)),
        (epochs("real", 5, 4, 3, 2, 1) + epochs("quantised", 5, 4, 3, 2), (True, 5, True)),
    ],
)
def test_a_phase_ends_when_its_loss_stays(
    folder: Path, tmp_path: Path, history: list[Epoch], expected: tuple[bool, int, bool]
) -> None:
    trainer = Trainer(tiny(folder, epochs=5, quantised_epochs=4, patience=2), tmp_path)
    trainer.history, trainer.done = history, len(history)
    assert (*trainer._phase(), trainer._finished()) == expected


def test_a_sweep_reaches_into_the_front_end(folder: Path, tmp_path: Path) -> None:
    found = combinations(tiny(folder), ["data.front_end.bins=4,6", "data.augment.mixup=0"], tmp_path)
    assert [item.config.front_end and item.config.front_end.bins for item in found] == [4, 6]


@pytest.mark.slow
def test_the_size_of_the_paper_trains_a_step_and_computes_the_same_as_a_chain(tmp_path: Path) -> None:
    config = load("speech_commands")
    spec = config.front_end
    assert spec is not None
    assert (spec.steps, spec.bins) == (128, 128)
    torch.manual_seed(0)
    network = build(config, spec.bins, 35)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert abs(parameters - 1_690_000) < 20_000
    frames = torch.randint(0, 2**config.encoder.bits, (4, spec.steps, spec.bins)).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    before = network.maps["head"].weight.clone()
    objective(network(frames), torch.tensor([0, 1, 2, 3]), config.train, 4).backward()
    optimizer.step()
    assert not torch.equal(before, network.maps["head"].weight)
    trained = Checkpoint(config, tuple(map(str, range(35))), spec.bins, spec.steps, network.state_dict(), 1, 0.0)
    save_network(Network.of(lower(to_graph(trained)), describe(trained)), tmp_path / "paper.net", trained.to_bytes())
    deployed = load_network(tmp_path / "paper.net")
    encoded = frames[:1].numpy().astype(np.int32)
    trace = IntegerBackend().run(deployed, encoded)
    populations, readout = Evaluator(trained)(encoded)
    assert np.array_equal(trace.readout, readout)
    assert all(np.array_equal(trace.populations[name], spikes) for name, spikes in populations.items())
    assert sum(int(spikes.sum()) for spikes in populations.values()) > 1000
