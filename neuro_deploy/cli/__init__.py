"""The command line: one file a group of verbs, and what becomes of their errors."""

import os
import shlex
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from neuro_deploy.cli import datasets
from neuro_deploy.cli.common import complain, console
from neuro_deploy.cli.evaluation import evaluate
from neuro_deploy.cli.exports import export
from neuro_deploy.cli.recognition import classify
from neuro_deploy.cli.reports import compare, report
from neuro_deploy.cli.setup import doctor
from neuro_deploy.cli.simulations import check, simulate
from neuro_deploy.cli.streaming import stream
from neuro_deploy.cli.trainings import sweep, train
from neuro_deploy.errors import NeuroDeployError
from neuro_deploy.extras import explained

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train a Spiking LMUFormer, deploy it to NetX, and prove that not one spike is lost on the way.",
)
for _verb in (train, export, simulate, check, stream, classify, sweep, evaluate, report, compare, doctor):
    app.command()(_verb)
app.add_typer(datasets.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        from neuro_deploy import __version__

        console.print(f"neuro-deploy {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold what stands before the verb."""


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    arguments = sys.argv[1:]
    os.environ["MPLBACKEND"] = "agg"  # figures go to files; a notebook's own backend, which it passes on, is not installed here
    try:
        sys.exit(app(arguments or ["--help"], standalone_mode=False))
    except NeuroDeployError as error:
        _fail(str(error))
    except ImportError as error:
        if (missing := explained(error)) is None:
            raise
        _fail(str(missing))
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        _fail(f"{message[:1].lower()}{message[1:]}, in '{shlex.join(arguments)}': --help lists what there is")
    except MemoryError as error:
        _fail(f"out of memory ({error}): take fewer --samples or a smaller network")
    except OSError as error:  # a full temporary folder, or a full disk that stdout goes to
        with suppress(OSError):  # what could not be written must not fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"{error}: make room, or set TMPDIR to a folder that has some")


def _fail(message: str) -> NoReturn:
    complain(message)
    sys.exit(2)
