"""The folder that holds the data sets: put them there whole, and see whether they still are."""

import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

from neuro_deploy.datasets import layouts
from neuro_deploy.datasets.archive import unpack
from neuro_deploy.datasets.catalogue import Dataset, Download, find
from neuro_deploy.datasets.download import Report, download
from neuro_deploy.errors import ConfigError, DatasetError, OutputError
from neuro_deploy.files import expanded, reason, remedy, remedy_for_writing, sha256

ROOT_VARIABLE = "NEURO_DEPLOY_DATA"

CHECKSUMS = "SHA256SUMS"
"""In each data set that was fetched: the checksums of its files, as ``sha256sum -c`` reads them."""


def data_root(option: Path | None = None) -> Path:
    """The folder of all data sets: the option, or $NEURO_DEPLOY_DATA, or a folder in the user's cache.

    Raises:
        ConfigError: none of them is known.
    """
    if option is not None:
        return option
    variable = os.environ.get(ROOT_VARIABLE)
    if variable:
        return expanded(variable)
    default = user_cache_path("neuro-deploy") / "data"
    try:
        home = expanded("~")
    except ConfigError:
        home = None
    if not default.is_absolute() or (home is None and not os.environ.get("XDG_CACHE_HOME")):
        raise ConfigError(f"your home folder is not known, and so no folder for data sets: set {ROOT_VARIABLE} or HOME")
    return default


def folder_of(name: str, root: Path) -> Path:
    """Where a data set of the catalogue lies, or will.

    Raises:
        DatasetError: there is none of this name.
    """
    return root / (find(name).folder or name)


def require(name: str, root: Path) -> Path:
    """The folder of a data set that was fetched.

    Raises:
        DatasetError: it is not there.
    """
    folder = folder_of(name, root)
    if not folder.is_dir():
        raise DatasetError(f"{name}: {folder}: no such folder: run 'neuro-deploy data fetch {name}', or set {ROOT_VARIABLE}")
    return folder


def fetch(name: str, root: Path, source: Path | None = None, report: Report = lambda have, total: None) -> Path:
    """Put a data set into the root, complete or not at all.

    Args:
        name: in the catalogue.
        root: folder of all data sets.
        source: the archive, or a folder that holds the downloads, instead of the official address.
        report: called as downloads grow.

    Returns:
        The folder of the data set; if it is there already, nothing else is done.

    Raises:
        DatasetError: it cannot be downloaded, or is not what it should be.
        OutputError: it cannot be written.
    """
    dataset, target, origin = find(name), folder_of(name, root), name
    if target.exists():
        return target
    with _new_folder(target) as new:
        for file in dataset.files:
            path = _given(name, file, source) if source is not None else _downloaded(name, file, target, report)
            try:
                _check_file(path, file)
                if dataset.archived:
                    unpack(path, new)
                else:
                    _copy(path, new / file.name)
            except DatasetError:
                _forget(path, source)  # a disk that is full is no reason to download it again
                raise
            _forget(path, source)
            origin = str(path) if source is not None else file.basename
        content = _content(new)
        try:
            _check_structure(dataset, content)
        except DatasetError as error:  # the user knows the archive; the folder is gone when he reads this
            raise DatasetError(str(error).replace(str(content), origin)) from error
        lines = [f"{sha256(path)}  {path.relative_to(content).as_posix()}\n" for path in sorted(_files(content))]
        (content / CHECKSUMS).write_text("".join(lines), encoding="utf-8")
        content.rename(target)
    return target


def verify(name: str, root: Path) -> int:
    """Look whether a data set is complete and unchanged.

    Args:
        name: in the catalogue.
        root: folder of all data sets.

    Returns:
        Number of files whose checksums were compared; 0 of a folder that was not fetched, of which the structure alone is known.

    Raises:
        DatasetError: it is missing, or files of it are missing or changed.
    """
    dataset, folder = find(name), require(name, root)
    _check_structure(dataset, folder)
    if not dataset.archived:
        for file in dataset.files:
            _check_file(folder / file.name, file)
    if not (folder / CHECKSUMS).is_file():
        return 0
    with _reading(folder / CHECKSUMS):
        listed = (folder / CHECKSUMS).read_text(encoding="utf-8", errors="surrogateescape")
    entries = [line.partition("  ") for line in listed.splitlines()]
    with _reading(folder):
        wrong = [path for digest, _, path in entries if not (folder / path).is_file() or sha256(folder / path) != digest]
    if wrong:
        raise DatasetError(
            f"{name}: {folder / wrong[0]} is missing or has changed ({len(wrong)} such files): remove {folder} and fetch it again"
        )
    return len(entries)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder beside the target, which is removed afterwards with all that is still in it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        (new / "content").mkdir()
    except OSError as error:
        advice = remedy_for_writing(error, "choose another data root")
        raise OutputError(f"cannot write {target.parent}: {reason(error)}; {advice}") from error
    try:
        yield new / "content"
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        advice = remedy_for_writing(error, "choose another data root")
        raise OutputError(f"cannot write {target}: {reason(error)}; {advice}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(new)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of what is read in the data root, or for it, why it cannot be."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        place = error.filename or path
        raise DatasetError(f"{place}: cannot be read ({reason(error)}): {remedy(error, 'fetch the data set again')}") from error


def _given(name: str, file: Download, source: Path) -> Path:
    path = source / file.basename if source.is_dir() else source
    if not path.is_file():
        raise DatasetError(f"{name}: {path}: no such file: give the path of {file.basename} or of the folder that holds it")
    return path


def _downloaded(name: str, file: Download, target: Path, report: Report) -> Path:
    part = target.parent / f".{file.basename}.part"
    problems = []
    for url in file.urls:
        try:
            download(url, part, report)
            return part
        except DatasetError as error:
            problems.append(str(error))
    tried = f"cannot be downloaded ({'; '.join(problems)})" if problems else "has no public address"
    raise DatasetError(
        f"{name}: {file.basename} {tried}: get it in another way and give it with --from FILE, or put the unpacked folder at {target}"
    )


def _check_file(path: Path, file: Download) -> None:
    """Refuse a file with another checksum."""
    with _reading(path):
        _check_content(path, file)


def _check_content(path: Path, file: Download) -> None:
    if file.sha256 is not None:
        expected, found = file.sha256, sha256(path)
    elif file.content_sha256 is not None:
        expected, found = file.content_sha256, _sha256_of_content(path)
    else:
        return
    if found == expected:
        return
    size = path.stat().st_size
    also = "" if file.size in (None, size) else f" and {size:,} bytes instead of {file.size:,}"
    raise DatasetError(f"{path}: SHA-256 {found[:12]}... instead of {expected[:12]}...{also}: not {file.basename}, or damaged")


def _forget(path: Path, source: Path | None) -> None:
    """Remove a download; what the user gave stays."""
    if source is None:
        path.unlink()


def _sha256_of_content(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with gzip.open(path) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, which says nothing of the content
        raise DatasetError(f"{path}: not gzip, or truncated ({error}): get it again") from error
    return digest.hexdigest()


def _check_structure(dataset: Dataset, folder: Path) -> None:
    if dataset.layout == "files":
        missing = [file.name for file in dataset.files if not (folder / file.name).is_file()]
        if missing:
            raise DatasetError(
                f"{folder / missing[0]}: no such file ({len(missing)} missing): remove {folder} and fetch it again"
            )
        return
    read = layouts.speech_commands if dataset.layout == "speech_commands" else layouts.spoken_digits
    clips = len(read(folder))
    if clips != dataset.clips:
        raise DatasetError(f"{folder}: {clips:,} clips, {dataset.clips:,} expected: not this data set, or not all of it")


def _content(folder: Path) -> Path:
    """The folder itself, or the one folder that an archive has everything in."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() and inside[0].name not in ("recordings", "raw") else folder


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
