"""Tensors and plain values in one ``.npz`` archive: written so that equal values give equal bytes, read without running any code.

The archive has one member ``about.json``, the values as JSON, and one ``.npy`` member a tensor, which stands in the JSON as
``{"tensor": name}``. ``numpy.load`` opens it, too. A pickle, which ``torch.save`` writes, is a program: even with ``weights_only``
torch before 2.6 (CVE-2025-32434) and before 2.10 (CVE-2026-24747) runs code of whoever made the file.
"""

import io
import json
import math
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Plain: TypeAlias = Any
"""What JSON has, and tensors, in dictionaries and lists of any depth."""

npy: Any = np.lib.format  # has no types

ABOUT = "about.json"
MEMBERS = 1 << 14
"""Members of an archive."""

ABOUT_MAX = 1 << 24
"""Bytes of the JSON."""

_ENTRY = b"PK\x01\x02"
"""How a member is announced in the archive's directory."""


def pack(values: Mapping[str, Plain]) -> bytes:
    """The bytes of an archive.

    Args:
        values: texts as keys; of numbers as keys texts are made, of tuples lists.
    """
    tensors: dict[str, Tensor] = {}
    about = json.dumps(_without_tensors(values, "", tensors))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(ABOUT), about)  # a ZipInfo without a date has always the same
        for name, tensor in tensors.items():
            member = io.BytesIO()
            npy.write_array(member, tensor.detach().cpu().numpy(), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, Plain]:
    """What :func:`pack` packed.

    Raises:
        ValueError: it is something else, damaged, or asks for more memory than it has bytes.
    """
    if content.count(_ENTRY) > MEMBERS:
        raise ValueError(f"more than {MEMBERS:,} members")
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(content)) as archive:
            warnings.simplefilter("error")  # NumPy warns of headers that it has to guess at
            return _unpacked(archive, len(content))
    except Exception as error:  # zipfile and NumPy raise anything, depending on where the damage is
        raise ValueError(str(error) or type(error).__name__) from error


def _unpacked(archive: zipfile.ZipFile, size: int) -> dict[str, Plain]:
    members = archive.infolist()
    if sum(member.file_size for member in members) > size:
        raise ValueError("the members are larger than the archive")
    packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise ValueError(f"{packed[0]} is compressed, which checkpoints are not")
    if archive.getinfo(ABOUT).file_size > ABOUT_MAX:
        raise ValueError(f"{ABOUT} has more than {ABOUT_MAX:,} bytes")
    about = json.loads(archive.read(ABOUT))
    if not isinstance(about, dict):
        raise ValueError(f"{ABOUT} is not an object")
    unread = {member.filename for member in members}
    values: dict[str, Plain] = _with_tensors(about, archive, unread)
    return values


def _without_tensors(value: Plain, name: str, tensors: dict[str, Tensor]) -> Plain:
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {str(key): _without_tensors(part, f"{name}/{key}".lstrip("/"), tensors) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(part, f"{name}/{index}", tensors) for index, part in enumerate(value)]
    return value


def _with_tensors(value: Plain, archive: zipfile.ZipFile, unread: set[str]) -> Plain:
    if isinstance(value, list):
        return [_with_tensors(part, archive, unread) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"tensor"}:
        member = f"{value['tensor']}.npy"
        unread.remove(member)  # each once, or a few bytes would stand for many
        return torch.from_numpy(_array(archive.read(member)))
    return {key: _with_tensors(part, archive, unread) for key, part in value.items()}


def _array(content: bytes) -> NDArray[np.generic]:
    """An array of the ``.npy`` format; its header is believed only where the bytes behind it are as many as it says."""
    stream = io.BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an array of another version of the .npy format")
    shape, by_columns, kind = npy.read_array_header_1_0(stream)
    rest = content[stream.tell() :]
    if by_columns or kind.kind not in "biuf" or math.prod(shape) * kind.itemsize != len(rest):
        raise ValueError(f"an array of {kind} {list(shape)} in {len(rest):,} bytes")
    return np.frombuffer(rest, kind).reshape(shape).copy()
