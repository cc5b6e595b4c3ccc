"""What lies where in a folder of recordings: the clips with their words, speakers and splits."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neuro_deploy.errors import DatasetError

Split = Literal["train", "validation", "test"]

VALIDATION_LIST, TESTING_LIST = "validation_list.txt", "testing_list.txt"

HASH_SHARES = 10.0, 10.0
"""Percent of the speakers in validation and test where a folder has no lists; as the data set's authors chose."""


@dataclass(frozen=True)
class Clip:
    """A recording: its file, what is said, by whom, and what it is for."""

    path: Path
    word: str
    speaker: str
    split: Split


def speech_commands(folder: Path, words: Sequence[str] = ()) -> tuple[Clip, ...]:
    """The clips of a folder in the layout of Speech Commands: ``WORD/SPEAKER_nohash_NUMBER.wav`` and two lists.

    Without the lists, speakers are split by a hash of their names, as the README of Speech Commands says. Folders whose names begin
    with an underscore or a dot hold no words.

    Args:
        folder: of the data set.
        words: those to take, in this order; all, sorted, if none are given.

    Raises:
        DatasetError: no such folder, no words, a word without clips, or a list that names a file that is missing.
    """
    found = sorted(p.name for p in _children(folder) if p.is_dir() and p.name[0] not in "._")
    missing = [word for word in words if word not in found]
    if missing:
        raise DatasetError(f"{folder}: no folder for {', '.join(missing)}; it has {', '.join(found) or 'no words'}")
    chosen = tuple(words) or tuple(found)
    by_lists = (folder / VALIDATION_LIST).is_file() or (folder / TESTING_LIST).is_file()
    listed: dict[str, Split] = dict.fromkeys(_list(folder / VALIDATION_LIST), "validation")
    listed |= dict.fromkeys(_list(folder / TESTING_LIST), "test")
    clips = []
    for word in chosen:
        paths = sorted(p for p in _children(folder / word) if p.suffix == ".wav" and not p.name.startswith("."))
        if not paths:
            raise DatasetError(f"{folder / word}: no .wav files; each word needs some")
        for path in paths:
            speaker = path.stem.split("_nohash_")[0]
            split = listed.pop(f"{word}/{path.name}", "train") if by_lists else _hashed(speaker)
            clips.append(Clip(path, word, speaker, split))
    lost = [name for name in listed if name.split("/")[0] in chosen]
    if lost:
        raise DatasetError(f"{folder}: {lost[0]} is in the lists and not in the folder ({len(lost)} such): fetch it again")
    if not clips:
        raise DatasetError(f"{folder}: no words: a folder for each word with its .wav files is needed")
    return tuple(clips)


DIGITS_TEST_TAKES = range(0, 5)
"""The official test split of the Free Spoken Digit Dataset."""

DIGITS_VALIDATION_TAKES = range(5, 10)
"""Of the official training split, held out to choose the best epoch by."""


def spoken_digits(folder: Path, test_speaker: str | None = None) -> tuple[Clip, ...]:
    """The clips of the Free Spoken Digit Dataset: ``recordings/DIGIT_SPEAKER_TAKE.wav``.

    Args:
        folder: of the data set.
        test_speaker: who alone is tested, and not heard in training; the official split by takes if not given.

    Raises:
        DatasetError: no such folder, no recordings, or no such speaker.
    """
    clips = []
    for path in sorted(p for p in _children(folder / "recordings") if p.suffix == ".wav"):
        name = re.fullmatch(r"(\d)_(.+)_(\d+)", path.stem)
        if name is None:
            raise DatasetError(f"{path}: the name is not DIGIT_SPEAKER_TAKE.wav: remove it")
        digit, speaker, take = name[1], name[2], int(name[3])
        tested = take in DIGITS_TEST_TAKES if test_speaker is None else speaker == test_speaker
        split: Split = "test" if tested else "validation" if take in DIGITS_VALIDATION_TAKES else "train"
        clips.append(Clip(path, digit, speaker, split))
    speakers = sorted({clip.speaker for clip in clips})
    if not clips:
        raise DatasetError(f"{folder}: no recordings/*.wav: fetch it again")
    if test_speaker is not None and test_speaker not in speakers:
        raise DatasetError(f"{folder}: no speaker {test_speaker}; it has {', '.join(speakers)}")
    return tuple(clips)


def _list(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a list of clips, one WORD/FILE.wav a line") from error


def _hashed(speaker: str) -> Split:
    """The split of a speaker, by the formula in the README of Speech Commands."""
    largest = 2**27 - 1
    percent = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % (largest + 1) * 100 / largest
    validation, test = HASH_SHARES
    return "validation" if percent < validation else "test" if percent < validation + test else "train"


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder}: {error.strerror}; name a folder with recordings, or fetch the data set") from error
