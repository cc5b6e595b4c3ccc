"""From a NetX file, ours or lava-dl's own, to a chain; every way to be wrong has its message."""

from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import ModelFileError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.loihi import limits

_SUPPORTED = ("dense", "dense_rec")

_LARGEST = 1 << 28
"""Weights of one matrix: far beyond a chip, small enough for a computer. Keeps a damaged file from asking for all memory."""


def read(path: Path) -> Chain:
    """Read the layers of a NetX file.

    What the neurons mean is in the manifest (:func:`neuro_deploy.netx.load_network`); without it the segments are empty, the gap
    is 0, and the input is taken as one frame whose last channel is the constant one.

    Args:
        path: an HDF5 file with ``dense`` and ``dense_rec`` layers of CUBA neurons; an ``input`` layer without neurons is skipped,
            as the loader does.

    Raises:
        ModelFileError: it is missing, damaged, or holds something that does not fit.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; name a NetX file (.net)")
    try:
        with h5py.File(path, "r") as file:
            layers = _layers(_Reader(path, file))
    except ModelFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        # h5py raises any of these for a damaged file, depending on where the damage is.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path}: not a whole HDF5 file ({reason}); export or copy it again") from error
    return Chain(frames=1, channels=layers[0].weight.shape[1] - 1, layers=layers, gap=0)


def _layers(reader: "_Reader") -> tuple[Layer, ...]:
    group = reader.group(reader.file, "layer")
    count = len(group)
    layers: list[Layer] = []
    for index in range(count):
        where = reader.group(group, str(index))
        kind = reader.text(where, "type")
        if kind == "input" and "neuron" not in where and not layers:
            continue
        if kind not in _SUPPORTED:
            reader.fail(
                where, f"layer type {kind!r} is not supported: only {' and '.join(_SUPPORTED)} layers run in stock Lava chains"
            )
        layers.append(_layer(reader, where, kind, layers[-1].size if layers else None))
    if not layers:
        reader.fail(group, "there is no layer")
    return tuple(layers)


def _layer(reader: "_Reader", where: h5py.Group, kind: str, before: int | None) -> Layer:
    for extra in ("delay", "weight/real"):
        if extra in where:
            reader.fail(where, f"{extra} is not supported: use layers without {extra.partition('/')[0]}s of that kind")
    shape = reader.integers(where, "shape")
    size = int(np.prod(shape))
    weight = reader.matrix(where, "weight", size)
    inputs = weight.shape[1]
    if before is not None and inputs != before:
        reader.fail(where, f"weight has {inputs} columns and the layer before has {before} neurons: sizes must be equal")
    weight_rec = None
    if kind == "dense_rec":
        weight_rec = reader.matrix(where, "weight_rec", size)
        if weight_rec.shape[1] != size:
            reader.fail(
                where, f"weight_rec has {weight_rec.shape[1]} columns and the layer has {size} neurons: it must be square"
            )
    bias = None
    if "bias" in where:
        bias = reader.integers(where, "bias").reshape(-1)
        reader.within(where, "bias", bias, limits.BIAS_MIN, limits.BIAS_MAX)
        if bias.shape != (size,):
            reader.fail(where, f"bias has {bias.size} values and the layer has {size} neurons")
    neuron = reader.group(where, "neuron")
    if reader.text(neuron, "type") not in ("CUBA", "LOIHI"):
        reader.fail(neuron, f"neuron type {reader.text(neuron, 'type')!r} is not supported: only CUBA")
    if "messageBits" in neuron and reader.scalar(neuron, "messageBits", 0, limits.MESSAGE_BITS_MAX):
        reader.fail(neuron, "graded spikes between layers are not supported: messageBits must be 0")
    return Layer(
        weight=weight,
        weight_rec=weight_rec,
        threshold=reader.scalar(neuron, "vThMant", limits.THRESHOLD_MIN, limits.THRESHOLD_MAX),
        current_decay=reader.scalar(neuron, "iDecay", limits.CURRENT_DECAY_MIN, limits.CURRENT_DECAY_MAX),
        voltage_decay=reader.scalar(neuron, "vDecay", limits.VOLTAGE_DECAY_MIN, limits.VOLTAGE_DECAY_MAX),
        bias=bias,
    )


class _Reader:
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
        value: Any = self._dataset(where, name)[()]
        first = np.asarray(value).reshape(-1)[0] if np.size(value) else b""
        return first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)

    def integers(self, where: h5py.Group, name: str) -> NDArray[np.int64]:
        """Integers in whatever number type they are stored."""
        dataset = self._dataset(where, name)
        if dataset.size is None or dataset.size > _LARGEST:
            self.fail(where, f"{name} has {dataset.size} values, at most {_LARGEST} are read")
        values = np.asarray(dataset[()])
        if values.dtype.kind not in "biuf":
            self.fail(where, f"{name} holds {values.dtype} instead of integers")
        if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.rint(values))).all():
            bad = values[~(np.isfinite(values) & (values == np.rint(values)))].reshape(-1)[0]
            self.fail(where, f"{name} holds {bad}, expected integers: quantise the network before it is exported")
        return values.astype(np.int64)

    def matrix(self, where: h5py.Group, name: str, rows: int) -> NDArray[np.int64]:
        """Weights [rows, columns] of 8 bits."""
        values = self.integers(where, name)
        if values.ndim == 1 and rows and values.size % rows == 0:
            values = values.reshape(rows, -1)  # as the loader does
        if values.ndim != 2 or values.shape[0] != rows or values.shape[1] < 1:
            self.fail(where, f"{name} has shape {list(values.shape)}, expected [{rows}, inputs]: one row for each neuron")
        self.within(where, name, values, limits.WEIGHT_MIN_MIXED, limits.WEIGHT_MAX_UNSIGNED)
        return values

    def scalar(self, where: h5py.Group, name: str, low: int, high: int) -> int:
        """One integer of a range."""
        values = self.integers(where, name).reshape(-1)
        if values.size != 1:
            self.fail(where, f"{name} has {values.size} values, expected one")
        self.within(where, name, values, low, high)
        return int(values[0])

    def within(self, where: h5py.Group, name: str, values: NDArray[np.int64], low: int, high: int) -> None:
        """Complain about the first value outside a range."""
        outside = values[(values < low) | (values > high)]
        if outside.size:
            self.fail(where, f"{name} holds {outside[0]}, the chip takes {low} to {high}: scale it down before it is exported")

    def _dataset(self, where: h5py.Group, name: str) -> h5py.Dataset:
        found = where.get(name)
        if not isinstance(found, h5py.Dataset):
            self.fail(where, f"dataset {name!r} is missing: not a NetX file, or not whole")
        return found
