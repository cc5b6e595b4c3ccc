"""Samples in a NumPy file of the user's own, or of somebody else's: read without running code, and not believed beyond its size."""

import io
import logging
import math
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.files import opened, remedy
from neuro_deploy.ir.manifest import STEPS_MAX

_log = logging.getLogger(__name__)

npy: Any = np.lib.format  # has no types

SAMPLES, LABELS = "samples", "labels"
"""Names in an archive."""

HEADER = 1 << 16
"""Bytes in which an array says what it is; NumPy believes no more."""

UNPACKED = 1 << 26
"""Bytes that an array may always unpack to."""

RATIO = 64
"""How many times larger than the file an array may be: spikes, one in a hundred, are packed to a thirtieth, zeros to a thousandth."""


def read_arrays(path: Path, classes: int) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Samples and, where an archive has them, labels.

    Args:
        path: ``.npz`` with ``samples`` [samples, steps, channels] and perhaps ``labels`` [samples], or ``.npy`` with samples alone.
        classes: labels are below.

    Raises:
        InputError: missing, damaged, without samples, objects in place of numbers, or labels that do not fit.
    """
    samples, labels = _load(path)
    if labels is None:
        return samples, None
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{path}: labels are {labels.dtype} {list(labels.shape)}: they must be integers [samples]")
    if samples.ndim and len(labels) != len(samples):
        raise InputError(f"{path}: {len(labels)} labels for {len(samples)} samples: there must be one for each")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        worst = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(f"{path}: a label is {worst}, the network has classes 0 to {classes - 1}")
    return samples, labels.astype(np.int64)


def steps_of(path: Path) -> int:
    """T of the samples in a file.

    Args:
        path: see :func:`read_arrays`.

    Raises:
        InputError: missing, damaged, or without steps.
    """
    samples, _ = _load(path)
    if samples.ndim < 3 or not 1 <= samples.shape[1] <= STEPS_MAX:
        raise InputError(f"{path}: samples have shape {list(samples.shape)}, not [samples, steps, channels]: reshape them")
    return int(samples.shape[1])


def _load(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The arrays of an archive, or the one of a ``.npy`` file, which is mapped."""
    if path.suffix not in (".npz", ".npy"):
        raise InputError(f"{path}: not a .npz or .npy file: save the samples with numpy.savez(FILE, samples=..., labels=...)")
    try:
        with warnings.catch_warnings(), opened(path) as (file, size):
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            if path.suffix == ".npy":
                return _mapped(file, size), None
            with zipfile.ZipFile(file) as archive:
                return _members(archive, size, path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path}: an array of it does not fit into memory: save fewer samples") from error
    except Exception as error:  # zipfile and NumPy raise anything, depending on where the damage is
        if isinstance(error, OSError) and error.errno is not None:
            advice = remedy(error, "name a .npz or .npy file")
            raise InputError(f"{path}: cannot be read: {error.strerror}; {advice}") from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{path}: no {path.suffix} file, or damaged ({reason}): save it again with numpy.save or numpy.savez"
        ) from error


def _members(archive: zipfile.ZipFile, size: int, path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    names = [member.filename.removesuffix(".npy") for member in archive.infolist()]
    others = [name for name in names if name not in (SAMPLES, LABELS)]
    if SAMPLES not in names:
        raise InputError(f"it holds {_listed(names)}: it must have an array {SAMPLES!r} [samples, steps, channels]")
    if LABELS not in names and others:  # which perhaps are the labels
        _log.warning("%s: no array %r, and %s is not read", path, LABELS, _listed(others))
    samples = _member(archive, SAMPLES, size)
    return samples, _member(archive, LABELS, size) if LABELS in names else None


def _member(archive: zipfile.ZipFile, name: str, size: int) -> NDArray[Any]:
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > max(UNPACKED, RATIO * size):
        raise InputError(
            f"{member.filename} unpacks to {member.file_size:,} bytes, {member.file_size // size:,} times the file: "
            "save it with numpy.savez, which packs nothing"
        )
    content = archive.read(member)
    shape, order, kind, begin = _header(content[:HEADER], len(content))
    return np.frombuffer(content, kind, offset=begin).reshape(shape, order=order)


def _mapped(file: BinaryIO, size: int) -> NDArray[Any]:
    shape, order, kind, begin = _header(file.read(HEADER), size)
    return np.memmap(file, kind, "r", begin, shape, order)


def _header(content: bytes, size: int) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype[Any], int]:
    """What an array says of itself, and where its numbers begin; believed only where it has as many bytes as it says."""
    head = io.BytesIO(content)
    version = npy.read_magic(head)
    if version not in ((1, 0), (2, 0)):  # 3.0 is of records alone
        raise ValueError(f"version {version} of the .npy format")
    shape, by_columns, kind = npy.read_array_header_1_0(head) if version == (1, 0) else npy.read_array_header_2_0(head)
    if kind.hasobject:
        raise InputError("it holds Python objects, which are programs: save arrays of numbers alone")
    if kind.kind not in "biuf":
        raise InputError(f"an array of type {kind}: it must hold numbers")
    rest = size - head.tell()
    if math.prod(shape) * kind.itemsize != rest:
        raise ValueError(f"an array of {kind} {list(shape)} in {rest:,} bytes")
    return shape, "F" if by_columns else "C", kind, head.tell()


def _listed(names: Sequence[str]) -> str:
    """The first of them."""
    shown = [name if len(name) <= 40 else name[:37] + "..." for name in names[:5]]
    return ", ".join(shown + [f"{len(names) - 5:,} more"] * (len(names) > 5)) or "nothing"
