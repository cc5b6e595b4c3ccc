"""The catalogue of data sets, read from ``catalogue.toml``."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from neuro_deploy.errors import DatasetError
from neuro_deploy.files import parse_toml

FILE = Path(__file__).parent / "catalogue.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Download(_Strict):
    """A file that is downloaded.

    Attributes:
        name: its name; of a data set that is not an archive, with its folder in the data set.
        urls: official addresses, the first that answers is taken; none of a file that is handed on by other ways.
        size: bytes, where known.
        sha256: of the file, where known.
        content_sha256: of what a ``.gz`` file holds, where known.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    content_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @property
    def basename(self) -> str:
        """The name without a folder."""
        return PurePosixPath(self.name).name


class Dataset(_Strict):
    """A data set of the catalogue.

    Attributes:
        title: what it is.
        licence: and whose it is.
        layout: what lies where in it; ``files`` are the downloads themselves, the others are unpacked.
        folder: its folder in the data root; its name if not given.
        clips: number of its recordings.
        files: what is downloaded; one archive, or the files themselves.
    """

    title: str
    licence: str
    layout: Literal["speech_commands", "spoken_digits", "files"]
    folder: str | None = None
    clips: int | None = None
    files: tuple[Download, ...] = Field(min_length=1)

    @property
    def archived(self) -> bool:
        """The download is an archive to unpack."""
        return self.layout != "files"


def read_catalogue() -> Mapping[str, Dataset]:
    """All data sets by name."""
    return TypeAdapter(dict[str, Dataset]).validate_python(parse_toml(FILE.read_text(encoding="utf-8")))


def find(name: str) -> Dataset:
    """A data set by its name.

    Raises:
        DatasetError: there is none of this name.
    """
    catalogue = read_catalogue()
    if name not in catalogue:
        raise DatasetError(f"data set {name}: unknown; known are {', '.join(catalogue)}")
    return catalogue[name]
