"""From a NetX file, ours or lava-dl's own or anybody's, to a chain; every way to be wrong has its message."""

import io
import zlib
from pathlib import Path

import h5py

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import read_limited, remedy
from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.manifest import Loading
from neuro_deploy.netx.inspection import CONTENT, inspect
from neuro_deploy.netx.layers import Found, find_layers
from neuro_deploy.netx.values import Reader

_DEFAULT = Loading()

_POINTER = b"version https://git-lfs"


def read(path: Path, loading: Loading = _DEFAULT, message_bits: int = 0) -> Chain:
    """Read the layers of a NetX file as ``lava.lib.dl.netx.hdf5.Network`` loads them.

    What the neurons mean is in the manifest (:func:`neuro_deploy.netx.load_network`); without it the segments are empty, the gap
    is 0, and there is one frame without a constant channel.

    Args:
        path: an HDF5 file.
        loading: the loader's options.
        message_bits: of the input, ``input_message_bits``; 0: a message counts once where it is not 0.

    Raises:
        ModelFileError: it is missing, damaged, or holds something that stock Lava does not load, or loads into something else.
    """
    return parse(read_content(path), path, loading, message_bits).chain


def read_content(path: Path) -> bytes:
    """The bytes of a NetX file.

    Raises:
        ModelFileError: it is missing, cannot be read, or is no file or a very large one.
    """
    try:
        content = read_limited(path, CONTENT)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file; name a NetX file (.net)") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read ({error.strerror}); {remedy(error, 'name a NetX file (.net)')}") from error
    if content.startswith(_POINTER):
        raise ModelFileError(
            f"{path}: a pointer of Git LFS ({len(content)} bytes), not the file itself: fetch it with 'git lfs pull'"
        )
    return content


def parse(content: bytes, path: Path, loading: Loading = _DEFAULT, message_bits: int = 0) -> Found:
    """The layers of a NetX file that is in memory, so that no lock, no other process and no other file has a say; see :func:`read`.

    Args:
        content: the file's bytes.
        path: what messages call it.
        loading: the loader's options.
        message_bits: of the input.

    Raises:
        ModelFileError: it is damaged, or holds something that does not fit.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            reader = Reader(path, file)
            inspect(file, len(content), reader.fail)
            return find_layers(reader, loading, message_bits)
    except ModelFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError, zlib.error) as error:
        # h5py raises any of these for a damaged file, depending on where the damage is.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path}: not a whole HDF5 file ({reason}); export or copy it again") from error
