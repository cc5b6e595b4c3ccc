"""From a NetX file, ours or lava-dl's own, to a chain; every way to be wrong has its message."""

import io
import math
import zlib
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import read_limited, remedy
from neuro_deploy.ir.chain import Chain, Layer, dense
from neuro_deploy.loihi import limits
from neuro_deploy.netx.inspection import CONTENT, VALUES, inspect

_SUPPORTED = ("dense", "dense_rec")

_WORDS = 64
"""Values of a data set that has one text."""


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
    return parse(read_content(path), path)


def read_content(path: Path) -> bytes:
    """The bytes of a NetX file.

    Raises:
        ModelFileError: it is missing, cannot be read, or is no file or a very large one.
    """
    try:
        return read_limited(path, CONTENT)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file; name a NetX file (.net)") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read ({error.strerror}); {remedy(error, 'name a NetX file (.net)')}") from error


def parse(content: bytes, path: Path) -> Chain:
    """The layers of a NetX file that is in memory, so that no lock, no other process and no other file has a say; see :func:`read`.

    Args:
        content: the file's bytes.
        path: what messages call it.

    Raises:
        ModelFileError: it is damaged, or holds something that does not fit.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            reader = _Reader(path, file)
            inspect(file, len(content), reader.fail)
            layers = _layers(reader)
    except ModelFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError, zlib.error) as error:
        # h5py raises any of these for a damaged file, depending on where the damage is.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path}: not a whole HDF5 file ({reason}); export or copy it again") from error
    return Chain(frames=1, channels=layers[0].weight.shape[1] - 1, layers=layers, gap=0)


def _layers(reader: "_Reader") -> tuple[Layer, ...]:
    group = reader.group(reader.file, "layer")
    count = len(group)
    layers: list[Layer] = []
    neurons = 0
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
        neurons += layers[-1].size
        if neurons > limits.CHIP_NEURONS:
            reader.fail(
                where, f"{neurons:,} neurons up to here, at most {limits.CHIP_NEURONS:,} are read: those of a whole chip"
            )
    if not layers:
        reader.fail(group, "there is no layer")
    return tuple(layers)


def _layer(reader: "_Reader", where: h5py.Group, kind: str, before: int | None) -> Layer:
    for extra in ("delay", "weight/real"):
        if extra in where:
            reader.fail(where, f"{extra} is not supported: use layers without {extra.partition('/')[0]}s of that kind")
    size = math.prod(reader.integers(where, "shape", 1, VALUES).reshape(-1).tolist())
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
        bias = reader.integers(where, "bias", limits.BIAS_MIN, limits.BIAS_MAX).reshape(-1)
        if bias.shape != (size,):
            reader.fail(where, f"bias has {bias.size} values and the layer has {size} neurons")
    neuron = reader.group(where, "neuron")
    if reader.text(neuron, "type") not in ("CUBA", "LOIHI"):
        reader.fail(neuron, f"neuron type {reader.text(neuron, 'type')!r} is not supported: only CUBA")
    if "messageBits" in neuron and reader.scalar(neuron, "messageBits", 0, limits.MESSAGE_BITS_MAX):
        reader.fail(neuron, "graded spikes between layers are not supported: messageBits must be 0")
    return dense(
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

    def _dataset(self, where: h5py.Group, name: str) -> h5py.Dataset:
        found = where.get(name)
        if not isinstance(found, h5py.Dataset):
            self.fail(where, f"dataset {name!r} is missing: not a NetX file, or not whole")
        return found
