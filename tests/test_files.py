"""Files appear whole or not at all."""

import errno
import os
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from neuro_deploy import files
from neuro_deploy.errors import ConfigError, OutputError
from neuro_deploy.files import read_limited, remedy, sha256, write_all_atomically, write_atomically


def fail(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_with_its_folders_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_atomically(path, b"abc")
    assert path.read_bytes() == b"abc"
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_content_may_be_a_function(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", lambda file: file.write(b"abc"))
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"cannot write .*file: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_writer_leaves_nothing(tmp_path: Path) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "file", write)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_atomically(tmp_path / "file" / "below", b"abc")


def test_files_that_belong_together_are_all_old_or_all_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_all_atomically({one: b"1", two: b"2"})
    calls: list[int] = []
    real = os.fsync

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            fail()
        real(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(OutputError):
        write_all_atomically({one: b"11", two: b"22"})
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    assert sorted(tmp_path.iterdir()) == [one, two]


def test_they_take_their_places_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[str] = []
    real = Path.replace

    def note(self: Path, target: Path) -> Path:
        placed.append(target.name)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", note)
    write_all_atomically({tmp_path / name: b"" for name in "abc"})
    assert placed == ["a", "b", "c"]


def test_sha256_of_a_known_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_is_no_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_limited(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="it has 5 bytes, at most 4 are read"):
        read_limited(tmp_path / "a", 4)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a file but a pipe or a device"):
            read_limited(path, 5)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EACCES, "permission"), (errno.EIO, "disk"), (errno.EMFILE, "ulimit"), (errno.ENOENT, "name a file")],
)
def test_advice_fits_the_errno(number: int, advice: str) -> None:
    assert advice in remedy(OSError(number, os.strerror(number)), "name a file")


@pytest.mark.parametrize(
    ("text", "path"), [("~/a/b", "/there/a/b"), ("~", "/there"), ("a/~/b", "a/~/b"), ("/x", "/x"), ("", ".")]
)
def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, text: str, path: str) -> None:
    monkeypatch.setenv("HOME", "/there")
    assert files.expanded(text) == Path(path)


@pytest.mark.parametrize("home", ["", "there"])
def test_a_home_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    with pytest.raises(ConfigError, match="~/a: your home folder is not known: give the path without ~, or set HOME"):
        files.expanded("~/a")


def test_a_user_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="~nobody_here/a: there is no user 'nobody_here'"):
        files.expanded("~nobody_here/a")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~old.net").touch()
    assert files.expanded("~old.net") == Path("~old.net")
