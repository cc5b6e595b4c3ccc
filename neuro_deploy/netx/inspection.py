"""What a NetX file may ask of the machine that reads it, looked at before any of its values is read.

An HDF5 file can name other files, and a few of its bytes can stand for any amount of memory: links that lead anywhere, declared sizes
without content, one matrix under thousands of names, chunks that unpack to more than they should.
"""

import math
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

import h5py

CONTENT = 1 << 28
"""Bytes of a file. The largest here has a hundredth of it."""

VALUES = 1 << 25
"""Numbers of all data sets together, those under several names counted each time; four times the synapses of a chip of Loihi."""

BYTES = 8 * VALUES
"""What they take in memory, as integers of 64 bits."""

LINKS = 1 << 14
"""Names of groups and data sets; a layer has about a dozen."""

DEPTH = 8
"""Groups inside each other; a layer's neuron is the third."""

CHUNKS = 1 << 14
"""Pieces in which one data set is stored."""

LARGEST = 1 << 10
"""Bytes of one value, which may be a text."""

_FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle", h5py.h5z.FILTER_FLETCHER32: "fletcher32"}
_CHECKSUM = 4
"""Bytes that fletcher32 adds."""

Fail = Callable[[h5py.Group, str], NoReturn]


def inspect(file: h5py.File, size: int, fail: Fail) -> None:
    """Walk through all groups and refuse what leads out of the file or is too much.

    Args:
        file: open for reading.
        size: its bytes.
        fail: raises an error about a place in the file.
    """
    links = asked = 0
    groups: list[tuple[h5py.Group, int]] = [(file, 1)]
    while groups:
        group, depth = groups.pop()
        links += len(group)
        if links > LINKS:
            fail(file, f"more than {LINKS:,} names of groups and data sets: no network has so many")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                fail(group, f"{name!r} is a link to another place or file: a NetX file holds its values itself")
            found = group[name]
            if isinstance(found, h5py.Group):
                if depth == DEPTH:
                    fail(group, f"{name!r} is group {depth + 1} inside each other, at most {DEPTH} are read")
                groups.append((found, depth + 1))
            elif isinstance(found, h5py.Dataset):
                if found.external or found.is_virtual:
                    fail(group, f"{name} has its values in another file: a NetX file holds them itself")
                asked += max(8 * (found.size or 0), _stored(group, name, found, fail))
                if asked > BYTES:
                    fail(group, f"{name} is {list(found.shape)}: more than {VALUES:,} numbers in all, which no chip holds")
                _inspect_packed(group, name, found, size, fail)


def _stored(group: h5py.Group, name: str, data: h5py.Dataset, fail: Fail) -> int:
    """Bytes of a data set as it is stored, unpacked; more than its values where the last chunks stand out."""
    if data.dtype.itemsize > LARGEST:
        fail(group, f"{name} has values of {data.dtype.itemsize:,} bytes each, at most {LARGEST:,} are read")
    if data.chunks is None:
        return int(data.size or 0) * int(data.dtype.itemsize)
    pieces: int = math.prod(-(-length // chunk) for length, chunk in zip(data.shape, data.chunks, strict=True))
    if pieces > CHUNKS:
        fail(group, f"{name} is stored in {pieces:,} pieces, at most {CHUNKS:,} are read")
    return pieces * _piece(data)


def _piece(data: h5py.Dataset) -> int:
    """Bytes of a chunk."""
    return int(math.prod(data.chunks)) * int(data.dtype.itemsize)


def _inspect_packed(group: h5py.Group, name: str, data: h5py.Dataset, size: int, fail: Fail) -> None:
    """HDF5 unpacks a chunk to its end, however long that is; here one is unpacked no further than it should be long."""
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    if not set(filters) <= set(_FILTERS) or len(set(filters)) < len(filters):
        known = ", ".join(_FILTERS.values())
        fail(group, f"{name} is packed with filters {filters}, only {known} are read, each once: write it without others")
    if h5py.h5z.FILTER_DEFLATE not in filters:
        return
    chunks: list[Any] = []
    data.id.chunk_iter(chunks.append)
    for chunk in chunks:
        if chunk.size > size:
            fail(group, f"{name} has a piece of {chunk.size:,} bytes, the file has {size:,}: not a whole file")
        skipped, packed = data.id.read_direct_chunk(chunk.chunk_offset)
        if skipped:
            fail(group, f"{name} is packed in part: write it anew")
        stream = zlib.decompressobj()
        stream.decompress(packed, _piece(data) + _CHECKSUM)
        if not stream.eof and stream.decompress(stream.unconsumed_tail, 1):
            fail(group, f"{name} unpacks to more than the {_piece(data):,} bytes of its pieces")
