"""Data sets: fetched whole or not at all, from a server that breaks off, and from archives that mean harm."""

import gzip
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archives import Server, commands, serving, sha256, tar, tone, wav
from commands import run

from neuro_deploy.datasets import catalogue, download, layouts, store
from neuro_deploy.errors import DatasetError

FILES = commands({"high": 1500.0, "low": 300.0})
ARCHIVE = tar(FILES)
CLIPS = 12


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "BLOCK", 100)  # what arrived of a block that broke off is lost
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with serving({"set.tar.gz": ARCHIVE, "rows.gz": gzip.compress(b"rows")}) as found:
        yield found


Catalogue = Callable[..., None]


@pytest.fixture
def known(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Makes a catalogue of one set of the server."""

    def write(name: str = "set.tar.gz", digest: str = sha256(ARCHIVE), clips: int = CLIPS, key: str = "sha256") -> None:
        layout = "speech_commands" if name.endswith("tar.gz") else "files"
        lines = f'[words]\ntitle = "t"\nlicence = "l"\nlayout = "{layout}"\nclips = {clips}\n'
        lines += f'[[words.files]]\nname = "{name}"\nurls = ["{server.url(name)}"]\n{key} = "{digest}"\nsize = {len(ARCHIVE)}\n'
        (tmp_path / "catalogue.toml").write_text(lines)
        monkeypatch.setattr(catalogue, "FILE", tmp_path / "catalogue.toml")

    write()
    return write


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_the_catalogue_is_sound() -> None:
    known = catalogue.read_catalogue()
    assert {"speech_commands", "speech_commands_12", "free_spoken_digits", "mnist"} <= set(known)
    for dataset in known.values():
        assert dataset.archived == (dataset.clips is not None)
        assert len(dataset.files) == 1 or not dataset.archived


def test_a_set_is_fetched_whole(known: Catalogue, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    folder = store.fetch("words", tmp_path / "root", report=lambda have, total: seen.append((have, total)))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert left(tmp_path / "root") == ["words"]
    assert store.verify("words", tmp_path / "root") == len(FILES)
    done = subprocess.run(["sha256sum", "--check", "--quiet", store.CHECKSUMS], cwd=folder, check=False)
    assert done.returncode == 0


def test_a_broken_connection_is_resumed(known: Catalogue, server: Server, tmp_path: Path) -> None:
    server.break_after = [1000, 500]
    folder = store.fetch("words", tmp_path)
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert (folder / "high").is_dir()


def test_what_was_kept_of_a_broken_download_is_gone_on_with(known: Catalogue, server: Server, tmp_path: Path) -> None:
    server.break_after = [2000, 0, 0, 0, 0]
    with pytest.raises(
        DatasetError, match=r"words: set.tar.gz cannot be downloaded \(.*broke off again and again\).*--from FILE"
    ):
        store.fetch("words", tmp_path / "root")
    assert left(tmp_path / "root") == [".set.tar.gz.part"]
    server.ranges, server.break_after = [], []
    store.fetch("words", tmp_path / "root")
    assert server.ranges == ["bytes=2000-"]
    assert left(tmp_path / "root") == ["words"]


def test_a_server_that_knows_no_ranges_sends_all_again(known: Catalogue, server: Server, tmp_path: Path) -> None:
    server.break_after, server.honours_ranges = [2000], False
    store.fetch("words", tmp_path)
    assert server.ranges == [None, "bytes=2000-"]


@pytest.mark.parametrize("kept", [ARCHIVE, ARCHIVE + b"more"], ids=["all of it", "too much"])
def test_a_download_that_was_kept_to_its_end(known: Catalogue, tmp_path: Path, kept: bytes) -> None:
    (tmp_path / ".set.tar.gz.part").write_bytes(kept)
    assert store.fetch("words", tmp_path).is_dir()


def test_a_wrong_checksum_leaves_nothing(known: Catalogue, tmp_path: Path) -> None:
    known(digest="0" * 64)
    with pytest.raises(DatasetError, match=r"SHA-256 \w{12}\.\.\. instead of 000000000000\.\.\."):
        store.fetch("words", tmp_path / "root")
    assert left(tmp_path / "root") == []


def test_a_download_that_cannot_be_unpacked_leaves_nothing(known: Catalogue, server: Server, tmp_path: Path) -> None:
    known(clips=CLIPS, digest=sha256(ARCHIVE[:5000]))
    server.files["set.tar.gz"] = ARCHIVE[:5000]
    with pytest.raises(DatasetError, match="get it again"):
        store.fetch("words", tmp_path / "root")
    assert left(tmp_path / "root") == []


def test_an_address_that_is_gone(known: Catalogue, tmp_path: Path) -> None:
    known(name="gone.tar.gz")
    with pytest.raises(DatasetError, match=r"the server answers 404"):
        store.fetch("words", tmp_path)


def test_without_a_network_the_line_says_what_to_put_where(
    known: Catalogue, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (tmp_path / "catalogue.toml").read_text()
    (tmp_path / "catalogue.toml").write_text(text.replace(server.address, "http://127.0.0.1:9"))
    monkeypatch.setenv(store.ROOT_VARIABLE, str(tmp_path / "root"))
    assert run("data", "fetch", "words") == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "cannot connect to 127.0.0.1" in message
    assert f"give it with --from FILE, or put the unpacked folder at {tmp_path / 'root' / 'words'}" in message


def test_the_file_of_an_other_set_is_refused(known: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(tar(commands({"a": 200.0})))
    with pytest.raises(DatasetError, match=r"not set.tar.gz, or damaged"):
        store.fetch("words", tmp_path / "root", tmp_path / "other")
    assert (tmp_path / "other").is_file(), "what the user gave stays"


def test_files_that_are_no_archive_are_known_by_their_content(known: Catalogue, tmp_path: Path) -> None:
    known(name="rows.gz", digest=sha256(b"rows"), key="content_sha256")
    (tmp_path / "rows.gz").write_bytes(gzip.compress(b"rows", 1, mtime=7))
    folder = store.fetch("words", tmp_path / "root", tmp_path)
    assert (folder / "rows.gz").read_bytes() == (tmp_path / "rows.gz").read_bytes()
    (folder / "rows.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(DatasetError, match=r"not rows.gz, or damaged"):
        store.verify("words", tmp_path / "root")


def test_a_gzip_file_with_a_damaged_middle(known: Catalogue, tmp_path: Path) -> None:
    known("rows.gz", sha256(b"rows"), key="content_sha256")
    content = bytearray(gzip.compress(bytes(range(256)) * 9))
    content[10] = 0xFF  # a block of a kind that there is not
    (tmp_path / "rows.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"rows.gz: not gzip, or truncated"):
        store.fetch("words", tmp_path / "root", tmp_path / "rows.gz")


def test_an_incomplete_set_is_refused(known: Catalogue, tmp_path: Path) -> None:
    known(clips=CLIPS + 1)
    with pytest.raises(DatasetError, match="12 clips, 13 expected"):
        store.fetch("words", tmp_path / "root")
    assert left(tmp_path / "root") == []


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def device(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize(
    ("extra", "top", "message"),
    [
        ((link("set/inside", "high"),), "set/", "is a link or a device"),
        ((link("set/hard", "set/testing_list.txt", tarfile.LNKTYPE),), "set/", "is a link or a device"),
        ((link("set/outside", "/etc"),), "set/", "is a link or a device"),
        ((device("set/null"),), "set/", "is a link or a device"),
        ((tarfile.TarInfo("set/../../escaped"),), "set/", "outside the destination"),
        ((tarfile.TarInfo("/tmp/escaped"),), "set/", "absolute path"),
        ((), "../set/", "outside the destination"),
    ],
)
def test_a_malicious_archive_is_refused_and_nothing_stays(
    known: Catalogue, tmp_path: Path, extra: tuple[tarfile.TarInfo, ...], top: str, message: str
) -> None:
    content = tar(FILES, extra, top)
    known(digest=sha256(content))
    (tmp_path / "archive").write_bytes(content)
    before = left(tmp_path)
    with pytest.raises(DatasetError, match=message):
        store.fetch("words", tmp_path / "root", tmp_path / "archive")
    assert left(tmp_path / "root") == []
    assert left(tmp_path) == sorted([*before, "root"])


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", ARCHIVE[:5000], ARCHIVE[:-1500]], ids=["empty", "other", "half", "cut"]
)
def test_a_damaged_archive_is_refused(known: Catalogue, tmp_path: Path, content: bytes) -> None:
    known(digest=sha256(content))
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(DatasetError, match=r"get it again|expected: not this data set|in the lists"):
        store.fetch("words", tmp_path / "root", tmp_path / "archive")
    assert left(tmp_path / "root") == []


def test_a_changed_file_is_found(known: Catalogue, tmp_path: Path) -> None:
    folder = store.fetch("words", tmp_path)
    changed = folder / "low" / "00000001_nohash_0.wav"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\x01")
    with pytest.raises(DatasetError, match=r"00000001_nohash_0.wav is missing or has changed \(1 such files\)"):
        store.verify("words", tmp_path)


def test_a_set_that_is_there_is_not_fetched_again(known: Catalogue, server: Server, tmp_path: Path) -> None:
    store.fetch("words", tmp_path)
    store.fetch("words", tmp_path)
    assert len(server.ranges) == 1


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_the_verbs(known: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ("--root", tmp_path / "root")
    assert run("data", "verify", "words", *root) == 2
    assert "run 'neuro-deploy data fetch words'" in capsys.readouterr().err
    assert run("data", "fetch", "words", *root) == 0
    assert run("data", "verify", "words", *root) == 0
    assert "14 files have their checksums" in capsys.readouterr().out
    assert run("data", "list", *root) == 0
    assert "SHA-256" in capsys.readouterr().out
    own = write(tmp_path / "own", commands({"yes": 400.0, "no": 700.0, "maybe": 900.0}))
    assert run("data", "verify", own) == 0
    assert "3 words, 18 clips: train 12, validation 3, test 3; structure only" in capsys.readouterr().out
    assert run("data", "verify", "nothing", *root) == 2
    assert "data set nothing: unknown; known are words" in capsys.readouterr().err


def test_the_layout_of_speech_commands(tmp_path: Path) -> None:
    folder = write(tmp_path, FILES | {"_background_noise_/n.wav": wav(tone(50)), "low/._a.wav": b""})
    clips = layouts.speech_commands(folder, ("low",))
    assert [clip.path.name[:8] for clip in clips] == [f"{speaker:08x}" for speaker in range(6)]
    assert [clip.split for clip in clips] == ["train"] * 4 + ["validation", "test"]
    assert {clip.word for clip in layouts.speech_commands(folder)} == {"high", "low"}
    (folder / "validation_list.txt").unlink()
    assert [clip.split for clip in layouts.speech_commands(folder, ("low",))] == ["train"] * 5 + ["test"]
    (folder / "high" / "00000005_nohash_0.wav").unlink()
    with pytest.raises(DatasetError, match=r"high/00000005_nohash_0.wav is in the lists and not in the folder"):
        layouts.speech_commands(folder)
    with pytest.raises(DatasetError, match=r"no folder for loud; it has high, low"):
        layouts.speech_commands(folder, ("low", "loud"))


def test_without_lists_a_speaker_is_in_one_split_alone(tmp_path: Path) -> None:
    files = {name: content for name, content in commands({"a": 300.0, "b": 500.0}, 60).items() if name.endswith("wav")}
    clips = layouts.speech_commands(write(tmp_path, files))
    splits = {clip.speaker: {other.split for other in clips if other.speaker == clip.speaker} for clip in clips}
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "validation", "test"}


def test_the_layout_of_spoken_digits(tmp_path: Path) -> None:
    names = [f"recordings/{digit}_{who}_{take}.wav" for digit in (3, 7) for who in ("ann", "bob") for take in range(12)]
    folder = write(tmp_path, dict.fromkeys(names, b""))
    clips = layouts.spoken_digits(folder)
    takes = {
        split: {clip.path.stem.split("_")[2] for clip in clips if clip.split == split}
        for split in ("train", "validation", "test")
    }
    assert takes == {"train": {"10", "11"}, "validation": set("56789"), "test": set("01234")}
    alone = layouts.spoken_digits(folder, "bob")
    assert {clip.speaker for clip in alone if clip.split == "test"} == {"bob"}
    assert {clip.speaker for clip in alone if clip.split != "test"} == {"ann"}
    with pytest.raises(DatasetError, match="no speaker eve; it has ann, bob"):
        layouts.spoken_digits(folder, "eve")
