"""Typed access to the values of an open NetX file."""

from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.neurons import OfAll
from neuro_deploy.loihi import limits

_WORDS = 64
"""Values of a data set that has one text."""


class Reader:
    """Typed access to an open file; every complaint names the file and the place in it."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path = path
        self.file = file

    def fail(self, where: h5py.Group, message: str) -> NoReturn:
        """Raise a ModelFileError about a place in the file."""
        place = (where.name or "/").strip("/").replace("layer/", "layer ")
        raise ModelFileError(f"{self._path}: {place + ': ' if place else ''}{message}")

    def group(self, where: h5py.Group, name: str) -> h5py.Group:
        """A group that must be there."""
        found = where.get(name)
        if not isinstance(found, h5py.Group):
            self.fail(where, f"group {name!r} is missing: not a NetX file, or not whole")
        return found

    def text(self, where: h5py.Group, name: str) -> str:
        """A string, scalar or the first of an array, as the loader reads it."""
        dataset = self._dataset(where, name)
        if dataset.size is None or dataset.size > _WORDS:
            self.fail(where, f"{name} has {dataset.size} values, expected one")
        value: Any = dataset[()]
        first = np.asarray(value).reshape(-1)[0] if np.size(value) else b""
        return first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)

    def integers(self, where: h5py.Group, name: str, low: int, high: int) -> NDArray[np.int64]:
        """Integers of a range in whatever number type they are stored."""
        dataset = self._dataset(where, name)
        if dataset.dtype.kind not in "biuf":
            self.fail(where, f"{name} holds {dataset.dtype} instead of integers")
        values = np.asarray(dataset[()])
        if values.dtype.kind == "f":
            broken = values[~(np.isfinite(values) & (values == np.rint(values)))]
            if broken.size:
                self.fail(where, f"{name} holds {broken[0]}, expected integers: quantise the network before it is exported")
        outside = values[(values < low) | (values > high)]
        if outside.size:
            self.fail(where, f"{name} holds {outside[0]}, the chip takes {low} to {high}: scale it down before it is exported")
        return values.astype(np.int64)

    def matrix(self, where: h5py.Group, name: str, rows: int) -> NDArray[np.int64]:
        """Weights [rows, columns] of 8 bits."""
        values = self.integers(where, name, limits.WEIGHT_MIN_MIXED, limits.WEIGHT_MAX_UNSIGNED)
        if values.ndim == 1 and rows and values.size % rows == 0:
            values = values.reshape(rows, -1)  # as the loader does
        if values.ndim != 2 or values.shape[0] != rows or values.shape[1] < 1:
            self.fail(where, f"{name} has shape {list(values.shape)}, expected [{rows}, inputs]: one row for each neuron")
        return values

    def scalar(self, where: h5py.Group, name: str, low: int, high: int) -> int:
        """One integer of a range."""
        values = self.integers(where, name, low, high).reshape(-1)
        if values.size != 1:
            self.fail(where, f"{name} has {values.size} values, expected one")
        return int(values[0])

    def of_all(self, where: h5py.Group, name: str, low: int, high: int, neurons: int) -> OfAll:
        """One integer of a range for the whole layer, or one for each neuron."""
        values = self.integers(where, name, low, high).reshape(-1)
        if values.size == 1:
            return int(values[0])
        if values.size != neurons:
            self.fail(where, f"{name} has {values.size} values, expected one, or {neurons}: one for each neuron")
        return values

    def pair(self, where: h5py.Group, name: str, low: int, high: int) -> tuple[int, int]:
        """One integer for both axes, or two, that of y first; returned as (x, y)."""
        values = self.integers(where, name, low, high).reshape(-1)
        if values.size not in (1, 2):
            self.fail(where, f"{name} has {values.size} values, expected one, or two (y, x)")
        return int(values[-1]), int(values[0])

    def _dataset(self, where: h5py.Group, name: str) -> h5py.Dataset:
        found = where.get(name)
        if not isinstance(found, h5py.Dataset):
            self.fail(where, f"dataset {name!r} is missing: not a NetX file, or not whole")
        return found
