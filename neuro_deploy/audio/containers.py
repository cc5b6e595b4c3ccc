"""Files of sound by their bytes: which kind begins like this, and where a header does not say how much sound follows."""

import os
import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

_HEADER = 6
"""Bytes that the header of a frame of MPEG audio has, as far as it is looked at."""

LOOK = 4096
"""Bytes that are enough to tell a file from raw samples: an eighth of a second at 16 kHz."""

_BEGINNINGS = {
    b"RIFF": "WAV",
    b"RIFX": "WAV",
    b"RF64": "RF64",
    b"BW64": "BW64",
    b"riff\x2e\x91\xcf\x11": "W64",
    b"FORM": "AIFF",
    b"FRM8": "DSDIFF",
    b"DSD ": "DSF",
    b"caff": "CAF",
    b".snd": "AU",
    b"dns.": "AU",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"ID3\x02": "MP3",
    b"ID3\x03": "MP3",
    b"ID3\x04": "MP3",
    b"\x1a\x45\xdf\xa3": "WebM or Matroska",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA",
    b"#!AMR": "AMR",
    b"wvpk": "WavPack",
    b"TTA1": "TTA",
    b"MAC ": "Monkey's Audio",
    b"MPCK": "Musepack",
    b"NIST_1A": "SPHERE",
    b"Creative Voice File": "VOC",
    b"\x64\xa3\x01\x00": "IRCAM",
    b"\x64\xa3\x02\x00": "IRCAM",
    b"\x64\xa3\x03\x00": "IRCAM",
    b"\x64\xa3\x04\x00": "IRCAM",
    b"\x00\x01\xa3\x64": "IRCAM",
    b"\x00\x02\xa3\x64": "IRCAM",
    b"\x00\x03\xa3\x64": "IRCAM",
    b"\x00\x04\xa3\x64": "IRCAM",
    b" paf": "PAF",
    b"fap ": "PAF",
    b"PVF1": "PVF",
    b"2BIT": "AVR",
    b"ALawSoundFile": "WVE",
    b"\x93NUMPY": "NumPy",
    b"MATLAB 5.0": "MATLAB",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b\x08\x00": "gzip",
    b"\x1f\x8b\x08\x08": "gzip",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
"""Four bytes and more: random samples begin like one of them once in a hundred million streams."""

_TEXT = 32
"""Bytes that are all printable are text if they are so many."""

_PRINTABLE = bytes((*b"\t\n\r", *range(0x20, 0x7F)))

_KBITS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second of MPEG layer III by their index, in version 1 and in the later ones (ISO 11172-3, 13818-3)."""

_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Samples a second by index, for each version."""


def container(head: bytes) -> str | None:
    """The kind of file that begins like this, or text; None if these may be raw samples.

    Args:
        head: its first bytes, :data:`LOOK` of them where there are so many.
    """
    if head[4:8] == b"ftyp":
        return "MP4"
    for beginning, name in _BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    if _follow_each_other(head, _mp3_frame):
        return "MP3"
    if _follow_each_other(head, _adts_frame):
        return "AAC"
    return "text" if len(head) >= _TEXT and not head.translate(None, _PRINTABLE) else None


def _follow_each_other(head: bytes, length: Callable[[bytes], int]) -> bool:
    """Whether three frames do: the beginning of one has too few fixed bits to be told from samples."""
    begin = 0
    for _ in range(3):
        size = length(head[begin : begin + _HEADER])
        if not size:
            return False
        begin += size
    return True


def _mp3_frame(header: bytes) -> int:
    """Bytes of the frame of MPEG layer III that begins like this, 0 if none does (ISO 11172-3, 2.4.1.3)."""
    if len(header) < _HEADER or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, rate, bits = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or not 0 < bits < 15:
        return 0
    first = version == 3
    return (144 if first else 72) * 1000 * _KBITS[first][bits] // _MP3_RATES[version][rate] + (header[2] >> 1 & 1)


def _adts_frame(header: bytes) -> int:
    """Bytes of the AAC frame that begins like this, 0 if none does (ISO 13818-7, 6.2)."""
    if len(header) < _HEADER or header[0] != 0xFF or header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 > 12:
        return 0
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size if size > _HEADER else 0


class _Chunks(NamedTuple):
    """How a kind of file is made of chunks: a name, the size of what follows, and that.

    Attributes:
        first: where the first one begins.
        size: format of a size.
        sound: name of the chunk with the samples.
        unknown: sizes that say nothing, those of a file whose writer was stopped or could not go back to its beginning.
    """

    first: int
    size: str
    sound: bytes
    unknown: tuple[int, ...]


_RIFF = _Chunks(12, "<I", b"data", (0, 0xFFFFFFFF))
_CHUNKS = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"BW64": _RIFF,
    b"RIFX": _RIFF._replace(size=">I"),
    b"FORM": _Chunks(12, ">I", b"SSND", (0, 8, 0xFFFFFFFF)),  # the samples come after 8 bytes
    b"caff": _Chunks(8, ">q", b"data", (0, 4, -1)),  # after 4 bytes
}

_MOST = 1000
"""Chunks that are looked through; a file with more before its sound is none of ours."""


def unmeasured(stream: BinaryIO) -> list[tuple[int, bytes]]:
    """What to change in a header that does not say how much sound follows, though some does.

    Args:
        stream: the file, seekable; its position is moved.

    Returns:
        Offsets and the bytes that belong there, as if all that follows were sound; none where the header says it.
    """
    end = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[:4] == b".snd":
        return [(8, b"\xff" * 4)] if head[8:] in (bytes(4), b"\x7f\xff\xff\xff") else []  # which is said to be unknown
    kind = _CHUNKS.get(head[:4])
    return [] if kind is None else _through(stream, end, kind, large=head[:4] in (b"RF64", b"BW64"))


def _through(stream: BinaryIO, end: int, kind: _Chunks, *, large: bool) -> list[tuple[int, bytes]]:
    """Look for the chunk with the sound; ``large``: its size stands in the first chunk, ``ds64``."""
    found, begin, width = [], kind.first, struct.calcsize(kind.size)
    for _ in range(_MOST):
        name, size = _chunk(stream, begin, kind.size)
        body = begin + 4 + width
        if name == b"ds64" and large:
            stream.seek(body + 8)
            if int.from_bytes(stream.read(8), "little") not in (0, 0xFFFFFFFFFFFFFFFF):
                return []
            found = [(0, b"RIFF"), (begin, b"JUNK")]  # a plain WAV can say the size of what is read here
        elif name == kind.sound:
            unknown = size in kind.unknown and body < end and not _names_a_chunk(stream, body, end, kind)
            return [*found, (begin + 4, struct.pack(kind.size, end - body))] if unknown else []
        begin = body + size + size % 2 * (kind.size != ">q")
        if size < 0 or begin >= end:
            break
    return []


def _chunk(stream: BinaryIO, begin: int, size: str) -> tuple[bytes, int]:
    """Name and size of the chunk that begins there; an empty name where the file ends."""
    stream.seek(begin)
    header = stream.read(4 + struct.calcsize(size))
    if len(header) < 4 + struct.calcsize(size):
        return b"", -1
    (found,) = struct.unpack(size, header[4:])
    return header[:4], int(found)


def _names_a_chunk(stream: BinaryIO, begin: int, end: int, kind: _Chunks) -> bool:
    """Whether what begins there is a further chunk that fits the file: then the sound before it is indeed empty."""
    name, size = _chunk(stream, begin, kind.size)
    return name.isascii() and name.decode("ascii").isprintable() and len(name) == 4 and 0 <= size <= end - begin - len(name)
