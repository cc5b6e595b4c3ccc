"""Unpack an archive that is not to be trusted."""

import errno
import tarfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from neuro_deploy.errors import DatasetError, OutputError
from neuro_deploy.files import reason, remedy, remedy_for_writing


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive of plain files and folders.

    Python's own ``data`` filter sets plain permissions and keeps everything inside the folder; links of any kind and absolute names, of
    which it lets some pass, are refused as well.

    Args:
        archive: ``.tar``, or compressed with gzip, bzip2 or xz.
        folder: an empty one to unpack into.

    Raises:
        DatasetError: not an archive, truncated, or one member is a link, a device, or leads outside the folder.
        OutputError: the disk is full.
    """
    if not hasattr(tarfile, "data_filter"):
        raise DatasetError("this Python cannot unpack safely: use Python 3.10.12 or later")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=_plain)
    except (tarfile.TarError, EOFError, LZMAError, zlib.error) as error:
        raise DatasetError(f"{archive}: not an archive of plain files, or damaged ({error}): get it again") from error
    except OSError as error:
        if error.errno is None:  # what gzip and bzip2 raise of damaged data
            raise DatasetError(f"{archive}: damaged ({error}): get it again") from error
        if str(error.filename) == str(archive) or error.errno in (errno.EIO, errno.EISDIR):
            raise DatasetError(f"{archive}: cannot be read ({reason(error)}): {remedy(error, 'name an archive')}") from error
        advice = remedy_for_writing(error, "choose another root")
        raise OutputError(f"cannot unpack {archive} into {folder}: {reason(error)}; {advice}") from error


def _plain(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    if not (member.isfile() or member.isdir()):
        raise tarfile.FilterError(f"{member.name!r} is a link or a device")
    if PurePosixPath(member.name).is_absolute():
        raise tarfile.AbsolutePathError(member)
    return tarfile.data_filter(member, folder)
