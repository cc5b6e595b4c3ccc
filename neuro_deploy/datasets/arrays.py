"""Samples in a NumPy file of the user's own."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from neuro_deploy.errors import InputError

SAMPLES, LABELS = "samples", "labels"
"""Names in an archive."""


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


def _load(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The arrays of an archive, or the one of a ``.npy`` file, which is mapped."""
    if path.suffix not in (".npz", ".npy"):
        raise InputError(f"{path}: not a .npz or .npy file: save the samples with numpy.savez(FILE, samples=..., labels=...)")
    try:
        with path.open("rb") as file:
            whole = zipfile.is_zipfile(file) if path.suffix == ".npz" else file.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX
        if not whole:
            raise InputError(f"{path}: no {path.suffix} file, or damaged: save it again with numpy.save or numpy.savez")
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False), None
        with np.load(path, allow_pickle=False) as archive:
            if SAMPLES not in archive:
                found = ", ".join(archive.files) or "nothing"
                raise InputError(f"{path}: it holds {found}: it must have an array {SAMPLES!r} [samples, steps, channels]")
            return archive[SAMPLES], archive.get(LABELS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise InputError(f"{path}: an array of it does not fit into memory: save fewer samples") from error
    except InputError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error):
            raise InputError(f"{path}: it holds Python objects: save arrays of numbers alone") from error
        raise InputError(f"{path}: damaged ({error}): save it again with numpy.save or numpy.savez") from error
