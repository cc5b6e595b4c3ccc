"""What a command says beside its answer: on standard error, one line each, which begins with its kind."""

import sys
from contextlib import suppress


def complain(message: str) -> None:
    """Say what is wrong."""
    _say("error", message)


def note(message: str) -> None:
    """Say what the answer leaves out, or what else the user may want to know."""
    _say("note", message)


def _say(kind: str, message: str) -> None:
    """Print one line that tells the terminal nothing else: a message quotes names and values out of files of others."""
    line = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(message.splitlines()))
    with suppress(OSError):  # nobody can be told that nothing can be said
        print(f"{kind}: {line}", file=sys.stderr)
