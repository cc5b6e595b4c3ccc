"""Recordings become frames: those of Kaldi's formulas, the same however they are cut, whatever the file."""

import errno
import io
import json
import os
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from archives import tone, wav
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuro_deploy.audio.containers import LOOK, container
from neuro_deploy.audio.front_end import FrontEnd, clip_frames, first_sound
from neuro_deploy.audio.recordings import HELD, Clip, covered_steps, file_frames, read_clip
from neuro_deploy.errors import InputError, ModelFileError
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.manifest import READABLE, FrontEndSpec, InputSpec
from neuro_deploy.netx import load_network
from neuro_deploy.netx.network import _read_manifest

SPEC = FrontEndSpec()
SMALL = FrontEndSpec(seconds=0.2, bins=16)
ENCODER = InputSpec(channels=16, frames=1, constant_channel=16, message_bits=4, scale=1.0, offset=-12.0, clip=True)


def noise(samples: int, seed: int = 0, channels: int | None = None) -> NDArray[np.float32]:
    shape = (samples,) if channels is None else (samples, channels)
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def plain_frames(waveform: NDArray[np.float32], spec: FrontEndSpec) -> NDArray[np.float64]:
    """Kaldi's definition in a few lines of NumPy, double precision."""
    size = 1 << (spec.window - 1).bit_length()
    edges = np.linspace(mel(spec.low_hz), mel(spec.high_hz), spec.bins + 2)
    lines = mel(np.arange(size // 2) * spec.rate / size)
    low, middle, high = (edges[i : i + spec.bins, None] for i in range(3))
    bank = np.maximum(0, np.minimum((lines - low) / (middle - low), (high - lines) / (high - middle)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.window) / (spec.window - 1))
    frames = []
    for step in range(spec.steps):
        part = waveform[step * spec.hop :][: spec.window].astype(float)
        part = part - part.mean()
        part = part - spec.preemphasis * np.concatenate([part[:1], part[:-1]])
        power = np.abs(np.fft.rfft(part * window, size)[: size // 2]) ** 2
        frames.append(np.log(np.maximum(bank @ power, np.finfo(np.float32).eps)))
    return np.array(frames)


@pytest.mark.parametrize(
    "spec",
    [SPEC, FrontEndSpec(rate=8000, high_hz=3800, bins=20, hop_ms=10.0), FrontEndSpec(window_ms=12.3, hop_ms=3.3, bins=8)],
)
def test_the_frames_are_those_of_the_formulas(spec: FrontEndSpec) -> None:
    waveform = noise(spec.rate) + np.float32(0.3)
    found = clip_frames(waveform, spec)
    assert found.shape == (spec.steps, spec.bins)
    np.testing.assert_allclose(found, plain_frames(waveform, spec), atol=2e-3)


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    st.sampled_from([16000, 8000, 44100, 192000]),
    st.integers(1, 9000),
    st.sampled_from([None, 1, 2, 8]),
)
def test_a_clip_in_pieces_gives_the_same_bits(cuts: list[int], rate: int, samples: int, channels: int | None) -> None:
    waveform = noise(samples, samples, channels)
    front_end, found, begin = FrontEnd(SMALL, rate), [], 0
    for size in cuts:
        found.append(front_end.accept(waveform[begin : begin + size]))
        begin += size
    found += [front_end.accept(waveform[begin:]), front_end.finish()]
    pieces = np.concatenate(found)
    whole = clip_frames(waveform, SMALL, rate)
    assert whole.shape == (SMALL.steps, SMALL.bins)
    assert np.array_equal(pieces[: SMALL.steps], whole)
    encoded = encode(whole[None], ENCODER)
    assert np.array_equal(encode(pieces[None, : SMALL.steps], ENCODER), encoded)
    assert 0 <= encoded.min() <= encoded.max() <= 15


def test_a_frame_comes_as_soon_as_its_window_is_heard() -> None:
    front_end = FrontEnd(SPEC, 16000)
    assert len(front_end.accept(noise(SPEC.window - 1))) == 0
    assert len(front_end.accept(noise(1))) == 1
    assert len(front_end.accept(noise(SPEC.hop - 1))) == 0
    assert len(front_end.accept(noise(1))) == 1


def test_the_encoder_clips_only_where_it_says_so() -> None:
    values = np.array([[[-20.0], [-11.4], [30.0]]])
    spec = InputSpec(channels=1, frames=1, constant_channel=1, message_bits=4, scale=1.0, offset=-12.0, clip=True)
    assert encode(values, spec).ravel().tolist() == [0, 1, 15]
    with pytest.raises(InputError, match="the encoder takes -12 to 3"):
        encode(values, spec.model_copy(update={"clip": False}))
    with pytest.raises(InputError, match="only finite values"):
        encode(np.full((1, 1, 1), np.nan), spec)


def save(folder: Path, content: bytes, name: str = "a.wav") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 192000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_any_rate_and_depth_gives_nearly_the_same_frames(tmp_path: Path, rate: int, subtype: str) -> None:
    spec = FrontEndSpec(bins=12, high_hz=3000.0)
    sweep = sum(tone(hertz, 1.0, rate) for hertz in (220, 440, 880, 1760)) / 2
    found = file_frames(save(tmp_path, wav(np.asarray(sweep, np.float32), rate, subtype)), spec)
    expected = clip_frames(np.asarray(sum(tone(hertz, 1.0) for hertz in (220, 440, 880, 1760)) / 2, np.float32), spec)
    middle = slice(2, -2)  # the resampler's filter begins and ends in silence
    loud = expected[middle] > -1
    assert loud.mean() > 0.2
    assert np.abs(found[middle] - expected[middle])[loud].max() < 0.3


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    waveform = noise(16000, channels=channels)
    path = save(tmp_path, wav(waveform, subtype="FLOAT"))
    assert np.array_equal(file_frames(path, SPEC), clip_frames(waveform.mean(axis=1, dtype=np.float32), SPEC))


def test_a_long_recording_is_read_as_far_as_it_is_needed(tmp_path: Path) -> None:
    long = np.concatenate([noise(48000), np.full(16000 * 60, np.nan, np.float32)])
    path = save(tmp_path, wav(long, subtype="FLOAT"))
    assert np.array_equal(file_frames(path, SPEC), clip_frames(noise(48000), SPEC))


def test_clipped_and_truncated_recordings_are_read(tmp_path: Path) -> None:
    clipped = np.clip(noise(16000) * 50, -1, 1)
    assert np.isfinite(read_clip(save(tmp_path, wav(clipped)), SPEC).frames).all()
    half = wav(noise(16000))[:16044]
    assert np.array_equal(
        file_frames(save(tmp_path, half), SPEC)[:30], file_frames(save(tmp_path, wav(noise(16000))), SPEC)[:30]
    )


BAD = {
    "empty": (b"", "an empty file"),
    "text": (b"hello\n" * 100, "not a recording, or damaged"),
    "a header that ends": (wav(noise(1000))[:20], "not a recording, or damaged"),
    "no samples": (wav(noise(0)), "a recording of no samples"),
    "silent": (wav(0 * noise(16000)), "silence"),
    "one sample": (wav(noise(1), 192000), "0.0052 ms of sound, shorter than one window of 25 ms"),
    "NaN": (
        wav(np.where(np.arange(9000) == 77, np.nan, noise(9000)).astype(np.float32), subtype="FLOAT"),
        "sample 77 is not a finite",
    ),
    "floats at the scale of 16 bits": (
        wav(np.where(np.arange(9000) == 77, 12345, noise(9000)).astype(np.float32), subtype="FLOAT"),
        "sample 77 is 12345, 8 at most are possible: scale it to -1 to 1",
    ),
    "kilohertz for hertz": (wav(noise(16000), 16), "16 samples a second, 1000 to 384000 are possible"),
    "a rate beyond every microphone's": (wav(noise(16000), 2_000_000), "2000000 samples a second"),
    "a rate of 0": (wav(noise(16000))[:24] + bytes(4) + wav(noise(16000))[28:], "not a recording, or damaged"),
    "channels that cancel": (
        wav(np.stack((noise(16000), -noise(16000)), axis=1)),
        "its channels cancel each other where they are averaged: give one of them",
    ),
    "no samples, and a chunk behind": (wav(noise(0)) + b"LIST\4\0\0\0INFO", "a recording of no samples"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_recording_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    content, message = BAD[kind]
    with pytest.raises(InputError) as caught:
        read_clip(save(tmp_path, content), SPEC)
    assert str(caught.value).startswith(str(tmp_path / "a.wav"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_one_clear_line(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.wav", tmp_path):
        with pytest.raises(InputError, match=r"cannot be read|empty"):
            file_frames(path, SPEC)


def test_silence_is_a_sample_of_a_data_set(tmp_path: Path) -> None:
    frames = file_frames(save(tmp_path, wav(0 * noise(100))), SPEC)
    assert np.array_equal(frames, np.full((61, 40), np.log(np.finfo(np.float32).eps), np.float32))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bins": 2}, "bins\n.*greater than or equal to 3"),
        ({"rate": 8000}, "end at 4000 Hz at most"),
        ({"low_hz": 900.0, "high_hz": 800.0}, "they must rise"),
        ({"seconds": 0.01}, "0.01 s is shorter than a window of 25 ms"),
    ],
)
def test_an_impossible_front_end_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrontEndSpec(**values)


def test_a_manifest_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = Path("netx_models/digits.json")
    values = json.loads(path.read_text())
    assert values["format_version"] in READABLE
    values["format_version"] = 1
    values.pop("front_end", None)
    values["input"].pop("clip", None)
    values.pop("examples", None)
    (tmp_path / "old.json").write_text(json.dumps(values))
    old = _read_manifest(tmp_path / "old.json")
    assert old.front_end is None
    assert not old.input.clip
    assert load_network(path.with_suffix(".net")).manifest.layers == old.layers
    values["front_end"] = {"rate": 8000}
    (tmp_path / "old.json").write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="front_end"):
        _read_manifest(tmp_path / "old.json")


@pytest.mark.parametrize("onset", [0, 1, 350, 400, 656, 5000, 15_599, 15_700])
def test_the_first_frame_with_sound_is_the_first_that_is_no_silence(onset: int) -> None:
    sound = np.zeros(16_000, np.float32)
    sound[onset:] = 0.5 * np.random.default_rng(0).standard_normal(16_000 - onset)
    front_end = FrontEnd(FrontEndSpec(), 16_000)
    assert front_end.first_sound is None
    frames = np.concatenate([front_end.accept(sound[:300]), front_end.accept(sound[300:]), front_end.finish()])
    loud = (frames > np.log(np.finfo(np.float32).eps) + 1e-3).any(axis=1)
    assert front_end.first_sound == int(loud.argmax()) + 1 == first_sound(frames[None])[0]


def test_a_first_frame_with_sound_is_found_at_any_rate() -> None:
    front_end = FrontEnd(FrontEndSpec(), 8000)
    front_end.accept(np.zeros(4000, np.float32))
    front_end.accept(np.full(100, 2.0**-16, np.float32))
    assert front_end.first_sound is None
    front_end.accept(np.full(1600, 0.1, np.float32))
    # Sample 4100 is sample 8200 of the frames' rate; the window of the frame at 31 * 256 = 7936 is the first to reach it, and that
    # before it the first to reach what the resampler's filter makes of it.
    assert front_end.first_sound in (31, 32)


def test_sound_that_no_frame_reaches_is_none() -> None:
    front_end = FrontEnd(FrontEndSpec(), 16_000)
    front_end.accept(np.zeros(15_760, np.float32))
    front_end.accept(np.ones(240, np.float32))
    assert front_end.first_sound is None


def test_sound_after_the_first_seconds_is_said(tmp_path: Path) -> None:
    short, long = noise(16_000), noise(32_000)
    pause = np.concatenate((short, np.zeros_like(short)))
    assert read_clip(save(tmp_path, wav(short)), SPEC).remarks == read_clip(save(tmp_path, wav(pause)), SPEC).remarks == ()
    broken = np.concatenate((pause, np.zeros_like(short), np.full_like(short, np.nan)))
    assert read_clip(save(tmp_path, wav(broken, subtype="FLOAT")), SPEC).remarks == ()
    for later in (long, np.concatenate((pause, np.zeros(100_000, np.float32), short))):
        clip = read_clip(save(tmp_path, wav(later)), SPEC)
        assert np.array_equal(clip.frames, file_frames(save(tmp_path, wav(later)), SPEC))
        assert clip.remarks == ("only its first 1 s are recognised, and there is sound after them: cut it into such pieces",)


@pytest.mark.parametrize(("second", "said"), [(-0.95, True), (-0.5, False), (0.0, False), (1.0, False)])
def test_channels_that_nearly_cancel_are_said(tmp_path: Path, second: float, said: bool) -> None:
    both = np.stack((noise(16_000), np.float32(second) * noise(16_000)), axis=1)
    remarks = read_clip(save(tmp_path, wav(both)), SPEC).remarks
    assert [remark.startswith("its 2 channels nearly cancel each other") for remark in remarks] == [True] * said


def test_independent_channels_do_not_cancel(tmp_path: Path) -> None:
    assert read_clip(save(tmp_path, wav(noise(16_000, channels=8))), SPEC).remarks == ()


def through_a_pipe(content: bytes, folder: Path) -> Clip:
    """What is read of a recording that another thread writes into a named pipe."""
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=lambda: (folder / "pipe").write_bytes(content))
    writer.start()
    try:
        return read_clip(folder / "pipe", SPEC)
    finally:
        writer.join()
        (folder / "pipe").unlink()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU", "W64"])
def test_a_pipe_is_read_like_a_file(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / "file", noise(16_000), 16_000, format=kind)
    clip, content = read_clip(tmp_path / "file", SPEC), (tmp_path / "file").read_bytes()
    found = through_a_pipe(content, tmp_path)
    assert np.array_equal(found.frames, clip.frames)
    assert (found.first_sound, found.remarks) == (clip.first_sound, clip.remarks)
    assert container(content[:LOOK]) == kind


def test_a_bad_pipe_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an empty pipe, not a recording"):
        through_a_pipe(b"", tmp_path)
    with pytest.raises(InputError, match="not a recording, or damaged"):
        through_a_pipe(noise(4000).tobytes(), tmp_path)


def test_no_more_of_a_pipe_is_held_than_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HELD >= 60 * 8 * 4 * 16_000, "a minute of eight channels"
    monkeypatch.setattr("neuro_deploy.audio.recordings.HELD", 40_000)
    content = wav(noise(16_000))
    assert np.array_equal(
        through_a_pipe(content[:40_000], tmp_path).frames[:60], file_frames(save(tmp_path, content), SPEC)[:60]
    )


def unfinished(kind: str, size: int) -> bytes:
    """A recording whose header says that size of its samples, as a recorder leaves it that was stopped or wrote into a pipe."""
    buffer = io.BytesIO()
    soundfile.write(buffer, noise(8000), 16_000, format=kind, subtype="PCM_16", endian="FILE")
    content = bytearray(buffer.getvalue())
    name, order, width, most = SIZES[kind]
    if name:
        at = content.index(name) + 4
        content[at : at + width] = (size & most).to_bytes(width, order)
        if kind == "RF64":
            at = content.index(b"ds64") + 16
            content[at : at + 8] = size.to_bytes(8, order)
    else:
        content[8:12] = size.to_bytes(4, order)
    return bytes(content)


SIZES: dict[str, tuple[bytes, Literal["little", "big"], int, int]] = {
    "WAV": (b"data", "little", 4, 0xFFFFFFFF),
    "RF64": (b"data", "little", 4, 0xFFFFFFFF),
    "AIFF": (b"SSND", "big", 4, 0xFFFFFFFF),
    "CAF": (b"data", "big", 8, 0xFFFFFFFFFFFFFFFF),
    "AU": (b"", "big", 4, 0xFFFFFFFF),
}


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("size", [0, -1])
def test_a_size_of_nothing_is_not_believed(tmp_path: Path, kind: str, size: int) -> None:
    expected = clip_frames(np.round(noise(8000) * 32768).astype(np.float32) / 32768, SPEC)
    content = unfinished(kind, size & 0xFFFFFFFF if kind != "CAF" else size & 0xFFFFFFFFFFFFFFFF)
    np.testing.assert_allclose(file_frames(save(tmp_path, content), SPEC)[:31], expected[:31], atol=0.05)


@pytest.mark.parametrize("count", [0, 12_345, (1 << 36) - 1])
def test_flac_is_read_to_its_end_whatever_its_header_says(tmp_path: Path, count: int) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, noise(8000), 16_000, format="FLAC")
    expected = file_frames(save(tmp_path, buffer.getvalue()), SPEC)
    content = bytearray(buffer.getvalue())
    content[21:26] = ((content[21] >> 4) << 36 | count).to_bytes(5, "big")  # 36 bits of the stream's first block
    path = save(tmp_path, bytes(content))
    assert np.array_equal(file_frames(path, SPEC), expected)
    assert covered_steps(path, SPEC) == 32  # of 256 samples


def test_raw_samples_are_no_container() -> None:
    rng = np.random.default_rng(0)
    for level in (0, 1, 40, 3000, 32_767):
        for _ in range(50):
            samples = (level * rng.uniform(-1, 1, LOOK // 2)).astype("<i2")
            assert container(samples.tobytes()) is None
    assert container(b"") is container(b"RI") is None
    assert container(np.full(LOOK // 2, -1025, "<i2").tobytes()) is None  # each a frame's synchronisation


BEGINNINGS = {
    "text": b"<html><head><title>Not found</title></head></html>\n",
    "ZIP": b"PK\3\4" + bytes(50),
    "MP4": bytes(3) + b"\x20ftypM4A " + bytes(50),
    "AAC": 9 * (b"\xff\xf1\x50\x80\x40\x1f\xfc" + bytes(0x200 - 7)),
    "NumPy": b"\x93NUMPY\1\0",
}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_other_files_are_told_from_raw_samples(kind: str) -> None:
    assert container(BEGINNINGS[kind][:LOOK]) == kind


@pytest.mark.parametrize("offset", [0, 5000])
def test_a_failing_disk_is_no_damaged_recording(
    tmp_path: Path, offset: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() + (size or 0) > len(content) - 30_000 + offset:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    content = wav(noise(16_000))
    path = save(tmp_path, content)
    monkeypatch.setattr("neuro_deploy.audio.recordings._seekable", lambda stream, path: Failing(content))
    with pytest.raises(InputError, match=r"a\.wav: cannot be read \(Input/output error\): the disk or the network"):
        read_clip(path, SPEC)
    assert capfd.readouterr().err == ""


def test_mutated_recordings_are_read_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each by a few bytes, most of them in its header: frames, or one line, and nothing else is printed."""
    rng, found = np.random.default_rng(0), []
    for kind, subtype in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("CAF", "PCM_16"), ("FLAC", "PCM_16")):
        buffer = io.BytesIO()
        soundfile.write(buffer, noise(8000), 16_000, format=kind, subtype=subtype)
        for _ in range(40):
            content = bytearray(buffer.getvalue())
            begin, size = int(rng.integers(64)), int(rng.integers(1, 5))
            content[begin : begin + size] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", rng.bytes(4)])[
                :size
            ]
            path = save(tmp_path, bytes(content))
            try:
                assert read_clip(path, SPEC).frames.shape == (SPEC.steps, SPEC.bins)
                found.append("")
            except InputError as error:
                found.append(str(error))
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in found if message)
    assert 0.2 < found.count("") / len(found) < 0.8
    assert capfd.readouterr().err == ""
