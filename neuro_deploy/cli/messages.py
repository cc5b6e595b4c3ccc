"""What a command says beside its answer: on standard error, one line each, which begins with its kind."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def complain(message: str) -> None:
    """Say what is wrong."""
    _say("error", message)


def note(message: str) -> None:
    """Say what the answer leaves out, or what else the user may want to know."""
    _say("note", message)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def noted() -> Iterator[None]:
    """Make notes of what this project logs, and of all warnings, which otherwise show lines of programs."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        note(str(message))

    logger, notes = logging.getLogger("neuro_deploy"), _Notes(logging.WARNING)
    logger.addHandler(notes)
    before, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        logger.removeHandler(notes)
        warnings.showwarning = before


def _say(kind: str, message: str) -> None:
    """Print one line that tells the terminal nothing else: a message quotes names and values out of files of others."""
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(message.splitlines()))
    with suppress(OSError):  # nobody can be told that nothing can be said
        print(f"{kind}: {line}", file=sys.stderr)
