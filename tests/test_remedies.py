"""Every reader and writer tells an error of the disk apart from damage, and gives advice that fits it."""

import errno
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from needs import needs

from neuro_deploy.audio.recordings import blocks
from neuro_deploy.audio.recordings import recording as opened
from neuro_deploy.datasets import arrays, layouts
from neuro_deploy.datasets.archive import unpack
from neuro_deploy.errors import NeuroDeployError
from neuro_deploy.files import remedy, remedy_for_writing, write_atomically
from neuro_deploy.measure.energy.tables import load_table
from neuro_deploy.netx import load_network
from neuro_deploy.report.store import load as load_report
from neuro_deploy.verify.simulation import load_result

OTHERWISE = "name another"
DAMAGE = ("damaged", "not a whole", "no .npz file", "not TOML", "no JSON", "not an archive")


def recording(path: Path) -> None:
    with opened(path) as file:
        list(blocks(file, path))


def config(path: Path) -> None:
    from neuro_deploy.training.config import load

    load(str(path))


def checkpoint(path: Path) -> None:
    from neuro_deploy.training.checkpoint import read

    read(path)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "network": ("a.net", load_network),
    "report": ("report.json", load_report),
    "simulation": ("simulation.json", load_result),
    "samples": ("a.npz", lambda path: arrays.read_arrays(path, 10)),
    "table": ("a.toml", lambda path: load_table(str(path))),
    "archive": ("a.tar", lambda path: unpack(path, path.parent)),
    "recording": ("a.wav", recording),
    "folder": ("words", layouts.speech_commands),
    "config": ("a.toml", config),
    "checkpoint": ("a.npz", checkpoint),
}

NEEDED = {"recording": "soundfile", "checkpoint": "torch"}
"""Readers that need more than the core."""

KINDS = [pytest.param(kind, marks=needs(NEEDED[kind]) if kind in NEEDED else ()) for kind in READERS]

FILES = [kind for kind in KINDS if kind.values != ("folder",)]


@pytest.mark.parametrize("kind", KINDS)
def test_links_in_a_circle_are_no_damage(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    path = tmp_path / name
    path.symlink_to(path.name)
    with pytest.raises(NeuroDeployError) as refused:
        read(path)
    assert "its links lead in a circle: make them again" in str(refused.value)
    assert "None" not in str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "advice"),
    [("x" * 300, "choose a shorter name"), ("file/x", "a part of its path is no folder: correct the path")],
)
def test_paths_that_cannot_be(kind: str, name: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given, read = READERS[kind]
    with pytest.raises(NeuroDeployError) as refused:
        read(tmp_path / (name + Path(given).suffix))
    assert advice in str(refused.value)


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_is_no_damaged_file(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    (tmp_path / name).mkdir()
    with pytest.raises(NeuroDeployError) as refused:
        read(tmp_path / name)
    said = str(refused.value).replace(str(tmp_path), "")
    assert not any(word in said for word in DAMAGE), said


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE, errno.EAGAIN, errno.ENOLCK, errno.ENOMEM])
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_the_system_does_not_open(kind: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, read = READERS[kind]
    path = tmp_path / name
    path.write_bytes(b"whole")
    with monkeypatch.context() as patched:
        refuse_to_open(patched, path, number)
        with pytest.raises(NeuroDeployError) as refused:
            read(path)
    said = str(refused.value).replace(str(tmp_path), "")
    assert remedy(OSError(number, ""), OTHERWISE) in said
    assert os.strerror(number) in said
    assert not any(word in said for word in DAMAGE), said


def refuse_to_open(monkeypatch: pytest.MonkeyPatch, path: Path, number: int) -> None:
    def refusing(open_file: Callable[..., object]) -> Callable[..., object]:
        def opening(name: object, *arguments: object, **others: object) -> object:
            if str(name) == str(path):
                raise OSError(number, os.strerror(number), str(path))
            return open_file(name, *arguments, **others)

        return opening

    monkeypatch.setattr(os, "open", refusing(os.open))
    monkeypatch.setattr(io, "open", refusing(io.open))
    monkeypatch.setattr(tarfile, "bltn_open", refusing(io.open))
    monkeypatch.setattr(Path, "open", refusing(Path.open))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room, or go elsewhere"),
        (errno.EDQUOT, "make room, or go elsewhere"),
        (errno.EFBIG, "allow larger files with ulimit -f, or go elsewhere"),
        (errno.EACCES, "ask the owner of the folder for permission to write there, or go elsewhere"),
        (errno.EROFS, "its disk is for reading only: go elsewhere"),
        (errno.EIO, "the disk or the network does not answer: try again, or go elsewhere"),
        (errno.EAGAIN, "end other programs, or allow more processes with ulimit -u"),
        (errno.ENOLCK, "another program holds it, or its file system has no locks: try again, or go elsewhere"),
        (errno.EISDIR, "a folder is where the file must be: move it away, or go elsewhere"),
        (errno.ENOTDIR, "a file is where a folder must be: move it away, or go elsewhere"),
        (errno.ELOOP, "its links lead in a circle: make them again"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EMFILE, "end other programs, or allow more open files with ulimit -n"),
        (errno.EINVAL, "go elsewhere"),
        (None, "go elsewhere"),
    ],
)
def test_what_to_do_about_a_file_that_cannot_be_written(number: int | None, advice: str) -> None:
    assert remedy_for_writing(OSError(number, ""), "go elsewhere") == advice


def test_a_file_where_a_folder_must_be(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(NeuroDeployError, match="a file is where a folder must be: move it away"):
        write_atomically(tmp_path / "runs" / "a.json", b"")


@needs("torch")
def test_a_training_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neuro_deploy.training.folder import occupied

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(NeuroDeployError, match=r"No space left on device; make room, or train in another folder"),
        occupied(tmp_path / "runs"),
    ):
        pytest.fail("trains")
