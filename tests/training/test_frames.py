"""Frames of recordings are computed once, kept, and never stale; only the split that is asked for is read."""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from archives import commands, tone, wav

from neuro_deploy.errors import DatasetError
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.training.data import Data, load_data, recordings, unwatched
from neuro_deploy.training.data_settings import SpeechCommandsData

SPEC = FrontEndSpec(seconds=0.2, bins=8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of words, and a data root beside it."""
    monkeypatch.setenv("NEURO_DEPLOY_DATA", str(tmp_path / "root"))
    for name, content in commands({"high": 1500.0, "low": 300.0}).items():
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "own"


class Watched:
    """Counts the clips whose frames are computed."""

    def __init__(self) -> None:
        self.totals: list[int] = []

    def __call__(self, frames: Iterable[np.ndarray], total: int) -> Iterator[np.ndarray]:
        for frame in frames:
            assert frame.shape[0] == SPEC.steps
            self.totals.append(total)
            yield frame


def data(folder: Path, watch: object = unwatched, **values: object) -> Data:
    found = {"name": "speech_commands", "folder": str(folder), "front_end": SPEC} | values
    return load_data(SpeechCommandsData.model_validate(found), watch)


def first(folder: Path) -> np.ndarray:
    """Frames of the one clip of ``low`` that is tested with."""
    split = data(folder, words=("low",)).test
    return np.array(split.samples[0])


def kept(folder: Path) -> list[Path]:
    return sorted((folder.parent / "root" / recordings.CACHE).glob("*.npy"))


def test_only_the_split_that_is_asked_for_is_read_and_only_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    watched = Watched()
    found = data(folder, watched)
    assert (found.steps, found.channels, found.classes) == (SPEC.steps, 8, ("high", "low"))
    assert watched.totals == []
    (folder / "low" / "00000000_nohash_0.wav").write_bytes(b"a damaged clip to learn from does not harm a test")
    assert found.test.samples.shape == (2, SPEC.steps, 8)
    assert found.test is found.test
    assert watched.totals == [2] * 2
    assert len(data(folder, watched).validation) == 2
    again = data(folder, watched)
    assert np.array_equal(found.test.samples, again.test.samples)
    assert watched.totals == [2] * 4, "the second time there is nothing to compute"
    assert data(folder, watched, front_end=SPEC.model_copy(update={"bins": 5})).test.samples.shape[2] == 5
    assert capfd.readouterr() == ("", ""), "nothing is shown unless somebody watches"


def test_a_clip_that_was_changed_in_place_is_computed_again(folder: Path) -> None:
    clip, before = folder / "low" / "00000005_nohash_0.wav", first(folder)
    changed, times = wav(tone(400.0)), clip.stat()
    assert len(changed) == times.st_size
    clip.write_bytes(changed)
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))  # as after a copy that keeps times
    assert not np.array_equal(first(folder), before)


def test_clips_that_changed_places_are_computed_again(folder: Path) -> None:
    paths = [folder / word / "00000005_nohash_0.wav" for word in ("low", "high")]
    for path in paths:
        os.utime(path, ns=(1, 1))
    before = first(folder)
    for source, target in zip((*paths, folder / "between"), (folder / "between", *paths), strict=True):
        source.rename(target)
    assert not np.array_equal(first(folder), before)


def test_clips_behind_links_that_lead_elsewhere_are_computed_again(folder: Path, tmp_path: Path) -> None:
    clip = folder / "low" / "00000005_nohash_0.wav"
    clip.rename(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(wav(tone(400.0)))
    for name in ("a.wav", "b.wav"):
        os.utime(tmp_path / name, ns=(1, 1))
    clip.symlink_to(tmp_path / "a.wav")
    before = first(folder)
    clip.unlink()
    clip.symlink_to(tmp_path / "b.wav")
    assert not np.array_equal(first(folder), before)


def test_another_folder_of_the_same_name_has_frames_of_its_own(folder: Path, tmp_path: Path) -> None:
    before = first(folder)
    other = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, other)
    clip = other / "low" / "00000005_nohash_0.wav"
    times = clip.stat()
    clip.write_bytes(wav(tone(400.0)))
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not np.array_equal(first(other), before)
    folder.rename(tmp_path / "away")
    other.rename(folder)
    assert not np.array_equal(first(folder), before)


@pytest.mark.parametrize("left", [0, 5, 100, 200, -1], ids=str)
def test_kept_frames_that_were_cut_off_are_computed_again(folder: Path, left: int) -> None:
    before = first(folder)
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert np.array_equal(first(folder), before)
    assert path.read_bytes() == whole


def test_kept_frames_that_are_something_else_are_computed_again(folder: Path) -> None:
    before = first(folder)
    (path,) = kept(folder)
    for content in (np.zeros((1, 2, 3), np.float32), before[None].astype(np.float64), np.array([{}], object)):
        np.save(path, content, allow_pickle=True)
        assert np.array_equal(first(folder), before)
    for content in (b"PK\x03\x04", b"\x93NUMPY\x01\x00\x04\x00{a:\n", b"text"):
        path.write_bytes(content)
        assert np.array_equal(first(folder), before)


def test_a_data_root_that_cannot_be_written_is_no_obstacle(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder.parent / "root").write_bytes(b"not a folder")
    watched = Watched()
    for _ in range(2):
        assert len(data(folder, watched).test) == 2
    assert watched.totals == [2] * 4
    assert caplog.text.count("frames are not kept, and computed again the next time: cannot write") == 2


def test_a_clip_that_is_gone_is_named(folder: Path) -> None:
    found = data(folder)
    (folder / "low" / "00000005_nohash_0.wav").unlink()
    with pytest.raises(DatasetError, match=r"low/00000005_nohash_0.wav: cannot be read \(No such file or directory\)"):
        _ = found.test
