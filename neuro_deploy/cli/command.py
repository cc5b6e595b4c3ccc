"""The command line: what surrounds the verbs, and what becomes of their errors. The verbs are in :mod:`neuro_deploy.cli.app`."""

import os
import shlex
import sys
import tempfile
from contextlib import suppress
from typing import NoReturn

from neuro_deploy import __version__
from neuro_deploy.cli.messages import complain, noted
from neuro_deploy.cli.signals import BROKEN_PIPE
from neuro_deploy.errors import NeuroDeployError
from neuro_deploy.extras import explained
from neuro_deploy.files import remedy_for_writing


def run(arguments: list[str]) -> int:
    """Run a verb; returns the exit code. An error of the user's is one line and exit code 2.

    Args:
        arguments: those after the program's name.
    """
    _open_streams()
    try:
        status = _run(arguments)
        sys.stdout.flush()  # a disk that is full, or a reader that is gone, is an error here, not after the end
        return status
    except NeuroDeployError as error:
        _fail(str(error))
    except ImportError as error:
        if (missing := explained(error)) is None:
            raise
        _fail(str(missing))
    except MemoryError as error:
        _fail(f"out of memory ({error}): take fewer --samples or a smaller network")
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except OSError as error:  # a full temporary folder, or a full disk that stdout goes to
        _drop_output()
        _fail(f"{error}: {remedy_for_writing(error, _elsewhere(error))}")


def print_version() -> None:
    """Print the program's name and version."""
    print(f"neuro-deploy {__version__}")


def _run(arguments: list[str]) -> int:
    """Run a verb; returns the exit code."""
    os.environ["MPLBACKEND"] = "agg"  # figures go to files; a notebook's own backend, which it passes on, is not installed here
    if arguments == ["--version"]:  # without the verbs, whose imports take their time
        print_version()
        return 0
    import typer

    from neuro_deploy.cli.app import app

    try:
        with noted():
            status: int | None = app(arguments or ["--help"], standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        _fail(f"{message[:1].lower()}{message[1:]}, in '{shlex.join(arguments)}': --help lists what there is")
    return status or 0


def _open_streams() -> None:
    """Have all three standard streams, and each of them write any text.

    One that was closed is nothing: the next file that is opened would take its place, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number, this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a locale without our signs, a file's name that is no text


def _drop_output() -> None:
    """Let what could not be written not fail once more at the end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _elsewhere(error: OSError) -> str:
    """Where to go if a file cannot be written, or there is no place for one."""
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        temporary = ""
    of_results = error.filename is not None and not str(error.filename).startswith(temporary)
    return "choose another folder" if of_results else "set TMPDIR to a folder that has some and that you may write to"


def _fail(message: str) -> NoReturn:
    complain(message)
    sys.exit(2)
