"""Folders of recordings as they come from other systems: no test clip goes into training, nothing is left out in silence."""

import os
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from neuro_deploy.datasets import layouts
from neuro_deploy.errors import DatasetError

WORD = "caf\u00e9"
"""With an accent, in the composed form."""

SPEAKERS = ("ann", "bob", "eve", "j\u00f6rg 2")
TEST = [f"{word}/{who}_nohash_0.wav" for word in (WORD, "tea") for who in ("ann", "j\u00f6rg 2")]
VALIDATION = [f"{word}/bob_nohash_0.wav" for word in (WORD, "tea")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for word in (WORD, "tea"):
        (tmp_path / word).mkdir()
        for who in SPEAKERS:
            (tmp_path / word / f"{who}_nohash_0.wav").touch()
    write(tmp_path, "\n".join(TEST))
    return tmp_path


def write(folder: Path, testing: str | bytes) -> None:
    (folder / "validation_list.txt").write_text("\n".join(VALIDATION))
    (folder / "testing_list.txt").write_bytes(testing if isinstance(testing, bytes) else testing.encode())


def splits(folder: Path, *words: str) -> Counter[str]:
    return Counter(clip.split for clip in layouts.speech_commands(folder, words))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"./{name}" for name in TEST),
        "\r\n".join(name.replace("/", "\\") for name in TEST),
        "\r\n".join(f".\\{name}" for name in TEST).replace("/", "\\"),
        "\ufeff" + "\n".join(TEST),
        "\n".join("\ufeff" + name for name in TEST),
        "\n\n".join(f"  {name}\t" for name in TEST),
        "\n".join(name.replace("/", "//") for name in TEST),
        unicodedata.normalize("NFD", "\n".join(TEST)),
        "\r".join(TEST),
        "\n".join([*TEST, TEST[0]]),
    ],
    ids=["find", "Windows", "find on Windows", "mark", "marks", "blanks", "slashes", "decomposed", "old Mac", "twice"],
)
def test_a_list_in_any_usual_form_is_the_same_list(folder: Path, text: str) -> None:
    write(folder, text)
    assert splits(folder) == {"train": 2, "validation": 2, "test": 4}
    assert splits(folder, unicodedata.normalize("NFD", WORD)) == {"train": 1, "validation": 1, "test": 2}


def test_a_folder_with_decomposed_names_fits_a_composed_list(folder: Path) -> None:
    for path in (*folder.glob("*/*.wav"), folder / WORD):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    assert splits(folder) == {"train": 2, "validation": 2, "test": 4}
    assert {clip.word for clip in layouts.speech_commands(folder)} == {WORD, "tea"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/data/tea/ann_nohash_0.wav", r"testing_list.txt, line 1: '/data/tea/ann_nohash_0.wav': not a clip as WORD/FILE.wav"),
        ("C:\\clips\\tea\\ann_nohash_0.wav", "not a clip as WORD/FILE.wav"),
        ("clips/tea/ann_nohash_0.wav", "not a clip as WORD/FILE.wav"),
        ("tea/../ann.wav", "not a clip as WORD/FILE.wav"),
        ("tea/ann_nohash_0", "not a clip as WORD/FILE.wav"),
        ("ann_nohash_0.wav", "not a clip as WORD/FILE.wav"),
        ("tea/ann_nohash_0.wav tea/eve_nohash_0.wav", "not a clip as WORD/FILE.wav"),
        ("tea/Ann_nohash_0.wav", "tea/Ann_nohash_0.wav is in the lists and not in the folder"),
        ("Tea/ann_nohash_0.wav", "none of its 1 clips is of a word of the folder"),
        ("tea/bob_nohash_0.wav", "tea/bob_nohash_0.wav is in both lists"),
        ("tea/ann_nohash_0.wav\nTea/eve_nohash_0.wav", "Tea/eve_nohash_0.wav is in the lists and not in the folder"),
        ("tea/ann_nohash_0.wav\n".encode("utf-16"), "not a clip as WORD/FILE.wav"),
    ],
)
def test_a_line_that_names_no_clip_is_refused(folder: Path, line: str | bytes, message: str) -> None:
    write(folder, line)
    with pytest.raises(DatasetError, match=message):
        layouts.speech_commands(folder)


def test_a_list_that_cannot_be_read_is_not_a_missing_one(folder: Path) -> None:
    (folder / "testing_list.txt").unlink()
    (folder / "testing_list.txt").symlink_to(folder / "gone.txt")
    with pytest.raises(DatasetError, match=r"testing_list.txt: cannot be read \(No such file or directory\)"):
        layouts.speech_commands(folder)
    (folder / "testing_list.txt").unlink()
    os.mkfifo(folder / "testing_list.txt")
    with pytest.raises(DatasetError, match=r"testing_list.txt: cannot be read \(it is no file\)"):
        layouts.speech_commands(folder)


def test_words_of_the_lists_without_a_folder_are_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(folder, "\n".join([*TEST, "milk/ann_nohash_0.wav", "milk/eve_nohash_0.wav"]))
    assert splits(folder) == {"train": 2, "validation": 2, "test": 4}
    assert "2 left out (in the lists, of words without a folder): milk/ann_nohash_0.wav, milk/eve_nohash_0.wav" in caplog.text


def test_a_word_that_is_given_twice_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match="words: tea is given more than once: name each word once"):
        layouts.speech_commands(folder, ("tea", WORD, "tea"))
    with pytest.raises(DatasetError, match=f"words: {WORD} is given more than once"):
        layouts.speech_commands(folder, (WORD, unicodedata.normalize("NFD", WORD)))


def test_capital_suffixes_and_links_count(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "tea" / "eve_nohash_0.wav").rename(folder / "tea" / "eve_nohash_0.WAV")
    (folder / WORD).rename(elsewhere / "word")
    (folder / WORD).symlink_to(elsewhere / "word")
    (folder / "tea" / "bob_nohash_0.wav").rename(elsewhere / "bob.wav")
    (folder / "tea" / "bob_nohash_0.wav").symlink_to(elsewhere / "bob.wav")
    assert splits(folder) == {"train": 2, "validation": 2, "test": 4}
    (folder / "coffee").symlink_to(folder / WORD)
    with pytest.raises(DatasetError, match="are one folder, or one word written in two ways"):
        layouts.speech_commands(folder)


def test_one_word_in_two_forms_is_refused(folder: Path) -> None:
    (folder / unicodedata.normalize("NFD", WORD)).mkdir()
    with pytest.raises(DatasetError, match="are one folder, or one word written in two ways"):
        layouts.speech_commands(folder)


def test_what_is_left_out_is_named_and_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "_background_noise_").mkdir()
    (folder / "README.md").touch()
    (folder / "tea" / ".hidden.wav").touch()
    layouts.speech_commands(folder)
    assert not caplog.records, "what belongs there is not spoken of"
    for name in ("loose.wav", "test_list.txt", "tea/a.flac", "tea/b.mp3", "tea/c.wav.part"):
        (folder / name).touch()
    (folder / "tea" / "deeper.wav").mkdir()
    (folder / "_noise").symlink_to(folder / "_noise")
    layouts.speech_commands(folder)
    assert "7 left out (no WORD/FILE.wav): _noise, loose.wav, test_list.txt, tea/a.flac, tea/b.mp3, ..." in caplog.text


def test_names_that_are_no_utf8(folder: Path) -> None:
    name = os.fsdecode(b"andr\xe9_nohash_0.wav")
    (folder / "tea" / name).touch()
    write(folder, "\n".join(TEST).encode() + b"\ntea/andr\xe9_nohash_0.wav\n")
    assert splits(folder) == {"train": 2, "validation": 2, "test": 5}
    (folder / "testing_list.txt").unlink()
    (folder / "validation_list.txt").unlink()
    assert splits(folder).total() == 9
    for name, message in ((os.fsdecode(b"th\xe9"), "is not UTF-8: rename it"), ("a\x1b[2Jb", "control character: rename it")):
        (folder / name).mkdir()
        with pytest.raises(DatasetError, match=message):
            layouts.speech_commands(folder)
        (folder / name).rmdir()


def test_spoken_digits_with_capital_suffixes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "recordings").mkdir()
    for name in ("0_ann_0.wav", "0_ann_5.WAV", "0_ann_10.wav", "0_ann_11.flac"):
        (tmp_path / "recordings" / name).touch()
    assert Counter(clip.split for clip in layouts.spoken_digits(tmp_path)) == {"test": 1, "validation": 1, "train": 1}
    assert "1 left out (no .wav files): recordings/0_ann_11.flac" in caplog.text
