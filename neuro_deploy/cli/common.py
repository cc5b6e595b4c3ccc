"""What several verbs share: the console, where files are, and their arguments.

The verbs import everything else inside themselves: torch and SLAYER need seconds, and --help should not.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from neuro_deploy.cli.signals import BROKEN_PIPE
from neuro_deploy.errors import ConfigError
from neuro_deploy.files import expanded


class _Console(Console):
    """Ends the program quietly when nobody reads its output any more, as ``head`` does after a line."""

    def on_broken_pipe(self) -> None:
        """Exit as a program that SIGPIPE ended."""
        with suppress(SystemExit):
            super().on_broken_pipe()
        raise typer.Exit(BROKEN_PIPE)


# Not a terminal, as in a pipe or a log: wide enough that no table is cut. Paths may hold what looks like markup.
console = _Console(width=None if sys.stdout.isatty() else 120, markup=False, emoji=False, highlight=False)

RUNS = Path("runs")
MODELS = Path("netx_models")


def user_path(text: str | Path) -> Path:
    """A path of the command line; no shell has read the ``~`` of ``--data=~/mine.npz``.

    Raises:
        BadParameter: it begins with a home that nobody knows.
    """
    try:
        return expanded(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error


ConfigName = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A file of training/configs without .toml, or the path of a .toml file.")
]
ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.net",
        parser=user_path,
        help="A NetX file with its manifest beside it; without a manifest give --data.",
    ),
]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE.npz",
        parser=user_path,
        help="Your own samples: arrays 'samples' [samples, steps, channels] and, if known, 'labels'; or a .npy file of samples.",
    ),
]
Encoded = Annotated[bool, typer.Option("--encoded", help="The samples of --data are encoded already: integers.")]


def shape(text: str | None) -> tuple[int, int, int] | None:
    """``W,H,C`` as numbers.

    Raises:
        ConfigError: it is something else.
    """
    if text is None:
        return None
    sizes = text.split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() and 0 < int(size) < 1 << 20 for size in sizes):
        raise ConfigError(f"--input-shape {text}: give width, height and channels, as in 200,66,3")
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


MessageBits = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=24,
        help="Bits of a graded input message, for a NetX file without a manifest; 0: spikes, any value but 0 counts once.",
    ),
]
InputShape = Annotated[
    str | None, typer.Option(metavar="W,H,C", help="Shape of the input, for a NetX file that does not state it.")
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Number of parallel processes; default: 1, on a cluster its number of cores.")
]
Cluster = Annotated[
    str | None, typer.Option(metavar="dask://HOST:PORT", help="Address of a Dask cluster, or ray://HOST:PORT of a Ray cluster.")
]
