"""What lies where in a folder of recordings: the clips with their words, speakers and splits.

Names are compared as Unicode's composed form (NFC), so a list that was made on another system names the same clips. What is left
out is named in the log: a clip that is missed in silence may be one that should have been tested with.
"""

import hashlib
import logging
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from neuro_deploy.errors import DatasetError
from neuro_deploy.files import reason, remedy
from neuro_deploy.ir.chain import one_line

_log = logging.getLogger(__name__)

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_Kind = Literal["folder", "file", "other"]

VALIDATION_LIST, TESTING_LIST = "validation_list.txt", "testing_list.txt"

NO_WORDS = "_background_noise_"
"""Folder of Speech Commands without words, which is left out as a matter of course."""

SUFFIX = ".wav"
"""Of a clip, in capitals or not."""

HASH_SHARES = 10.0, 10.0
"""Percent of the speakers in validation and test where a folder has no lists; as the data set's authors chose."""

SHOWN = 5
"""As many names are shown of what is left out."""


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
    with an underscore hold no words; what begins with a dot is hidden.

    Args:
        folder: of the data set.
        words: those to take, in this order; all, sorted, if none are given.

    Raises:
        DatasetError: no such folder, no words, a word that is given twice or has no clips, two folders for one word, or a list that
            cannot be read, that has something else than clips, or that names a clip that is missing.
    """
    inside = _visible(folder)
    found = _word_folders(folder, [path for path, kind in inside if kind == "folder" and path.name[0] != "_"])
    left_out = [path for path, kind in inside if not _expected(path, kind)]
    chosen = [composed(word) for word in words] or sorted(found)
    if twice := [word for word, times in Counter(chosen).items() if times > 1]:
        raise DatasetError(f"words: {twice[0]} is given more than once: name each word once")
    missing = [word for word in chosen if word not in found]
    if missing:
        raise DatasetError(f"{folder}: no folder for {', '.join(missing)}; it has {', '.join(sorted(found)) or 'no words'}")
    listed = _lists(folder, found)
    clips, unused = [], set(listed or ())
    for word in chosen:
        paths, others = _recordings(found[word])
        left_out += others
        if not paths:
            raise DatasetError(f"{found[word]}: no {SUFFIX} files; each word needs some")
        for path in paths:
            name, speaker = f"{word}/{composed(path.name)}", composed(path.stem).split("_nohash_")[0]
            split = _hashed(speaker) if listed is None else listed.get(name, "train")
            unused.discard(name)
            clips.append(Clip(path, word, speaker, split))
    # Capitals are compared apart: a list that spells a word otherwise must not put its clips into training.
    alike = {word.casefold() for word in chosen}
    lost = sorted(name for name in unused if name.split("/")[0].casefold() in alike)
    if lost:
        raise DatasetError(
            f"{folder}: {lost[0]} is in the lists and not in the folder ({len(lost)} such): correct the lists, or fetch it again"
        )
    if not clips:
        raise DatasetError(f"{folder}: no words: a folder for each word with its {SUFFIX} files is needed")
    _say(folder, "no WORD/FILE.wav", left_out)
    return tuple(clips)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): file systems and programs differ in how they write an accent."""
    return unicodedata.normalize("NFC", name)


DIGITS_TEST_TAKES = range(0, 5)
"""The official test split of the Free Spoken Digit Dataset."""

DIGITS_VALIDATION_TAKES = range(5, 10)
"""Of the official training split, held out to choose the best epoch by."""


def spoken_digits(folder: Path, test_speaker: str | None = None) -> tuple[Clip, ...]:
    """The clips of the Free Spoken Digit Dataset: ``recordings/DIGIT_SPEAKER_TAKE.wav``.

    Args:
        folder: of the data set.
        test_speaker: the only one in the test split, and absent from training; the official split by takes if not given.

    Raises:
        DatasetError: no such folder, no recordings, or no such speaker.
    """
    clips = []
    paths, left_out = _recordings(folder / "recordings")
    for path in paths:
        name = re.fullmatch(r"([0-9])_(.+)_([0-9]+)", composed(path.stem))
        if name is None:
            raise DatasetError(f"{path}: the name is not DIGIT_SPEAKER_TAKE{SUFFIX}: remove it")
        digit, speaker, take = name[1], name[2], int(name[3])
        tested = take in DIGITS_TEST_TAKES if test_speaker is None else speaker == composed(test_speaker)
        split: Split = "test" if tested else "validation" if take in DIGITS_VALIDATION_TAKES else "train"
        clips.append(Clip(path, digit, speaker, split))
    speakers = sorted({clip.speaker for clip in clips})
    if not clips:
        raise DatasetError(f"{folder}: no recordings/*{SUFFIX}: fetch it again")
    if test_speaker is not None and composed(test_speaker) not in speakers:
        raise DatasetError(f"{folder}: no speaker {test_speaker}; it has {', '.join(speakers)}")
    _say(folder, f"no {SUFFIX} files", left_out)
    return tuple(clips)


def _word_folders(folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """The folders by their words."""
    found: dict[str, Path] = {}
    places: dict[Path, str] = {}
    for path in paths:
        word = composed(path.name)
        try:
            one_line(word).encode()
        except UnicodeEncodeError:
            raise DatasetError(f"{folder}: the name of the folder {path.name!r} is not UTF-8: rename it") from None
        except ValueError as error:
            raise DatasetError(f"{folder}: the folder {path.name!r} has {error}: rename it") from None
        same = word if word in found else places.get(path.resolve())
        if same is not None:
            raise DatasetError(
                f"{folder}: {word} and {same} are one folder, or one word written in two ways: remove one of them"
            )
        found[word] = path
        places[path.resolve()] = word
    return found


def _recordings(folder: Path) -> tuple[list[Path], list[Path]]:
    """The clips in a folder, sorted, and what else it holds."""
    paths: list[Path] = []
    others: list[Path] = []
    for path, kind in _visible(folder):
        (paths if kind == "file" and path.suffix.lower() == SUFFIX else others).append(path)
    return sorted(paths, key=lambda path: (composed(path.name), path.name)), others


def _lists(folder: Path, words: Mapping[str, Path]) -> dict[str, Split] | None:
    """The splits of the clips that the lists name, WORD/FILE.wav; None where there are no lists."""
    validation, test = _list(folder / VALIDATION_LIST), _list(folder / TESTING_LIST)
    if validation is None and test is None:
        return None
    for path, names in ((folder / VALIDATION_LIST, validation), (folder / TESTING_LIST, test)):
        if names and not any(name.split("/")[0] in words for name in names):
            raise DatasetError(
                f"{path}: none of its {len(names):,} clips is of a word of the folder, as {names[0]}: correct the list"
            )
    listed: dict[str, Split] = dict.fromkeys(validation or (), "validation")
    twice = [name for name in test or () if name in listed]
    if twice:
        raise DatasetError(f"{folder}: {twice[0]} is in both lists ({len(twice)} such): take it out of one of them")
    listed |= dict.fromkeys(test or (), "test")
    known = {word.casefold() for word in words}
    absent = [name for name in listed if name.split("/")[0].casefold() not in known]
    _say(folder, "in the lists, of words without a folder", [folder / name for name in absent])
    return listed


def _list(path: Path) -> list[str] | None:
    """The clips in a list, WORD/FILE.wav; None where there is no such list."""
    if not os.path.lexists(path):
        return None
    try:
        if path.exists() and not path.is_file():
            raise OSError(None, "it is no file")
        # A file's name may be no UTF-8 at all; it is then the same bytes in the list.
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({reason(error)}): {remedy(error, 'repair it, or remove it')}") from error
    # A list that was put together of several may have a byte order mark before any line.
    lines = enumerate(text.replace("\ufeff", "").split("\n"), start=1)
    return [_entry(path, number, line) for number, line in lines if line.strip()]


def _entry(path: Path, number: int, line: str) -> str:
    """A line of a list as WORD/FILE.wav, whether it begins with ``./`` or not, and with the slashes of any system."""
    name = composed(line.strip()).replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or len(parts) != 2 or ".." in parts or Path(parts[1]).suffix.lower() != SUFFIX:
        raise DatasetError(f"{path}, line {number}: {name!r}: not a clip as WORD/FILE{SUFFIX}: correct the list")
    return "/".join(parts)


def _hashed(speaker: str) -> Split:
    """The split of a speaker, by the formula in the README of Speech Commands."""
    largest = 2**27 - 1
    percent = int(hashlib.sha1(os.fsencode(speaker)).hexdigest(), 16) % (largest + 1) * 100 / largest
    validation, test = HASH_SHARES
    return "validation" if percent < validation else "test" if percent < validation + test else "train"


def _expected(path: Path, kind: _Kind) -> bool:
    """Whether something beside the words is what a data set may have there: its lists and papers, and background noise."""
    if kind == "folder":
        return path.name[0] != "_" or path.name == NO_WORDS
    return path.name in (VALIDATION_LIST, TESTING_LIST) or (kind == "file" and path.suffix.lower() not in (SUFFIX, ".txt"))


def _visible(folder: Path) -> list[tuple[Path, _Kind]]:
    """What lies in a folder and is not hidden, sorted; what a link leads to counts."""
    try:
        with os.scandir(folder) as entries:
            return sorted((Path(entry), _kind(entry)) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        advice = remedy(error, "name a folder with recordings, or fetch the data set")
        raise DatasetError(f"{folder}: {reason(error)}; {advice}") from error


def _kind(entry: "os.DirEntry[str]") -> _Kind:
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else "other"
    except OSError:  # links in a circle, or into a folder that is closed to this user
        return "other"


def _say(folder: Path, what: str, left_out: Sequence[Path]) -> None:
    """Name and count what is left out, if anything."""
    if left_out:
        names = [path.relative_to(folder).as_posix() for path in left_out[:SHOWN]]
        more = ", ..." if len(left_out) > SHOWN else ""
        _log.warning("%s: %s left out (%s): %s%s", folder, f"{len(left_out):,}", what, ", ".join(names), more)
