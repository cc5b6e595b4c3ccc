"""Signals that end a command: all of them as Ctrl-C does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a command that Ctrl-C ended."""


_signals: list[int] = []
"""Those that came to end the present command."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: what it was about to write is taken away, what it started is ended.

    A signal that was ignored before, as nohup does with SIGHUP, still is.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        _signals.append(number)
        raise KeyboardInterrupt

    _signals.clear()
    taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in taken}
    ours = [number for number in taken if before[number] in (signal.SIG_DFL, signal.default_int_handler)]
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def require_no_signal() -> None:
    """Raise KeyboardInterrupt once more where compiled code has lost it; for loops that take long."""
    if _signals:
        raise KeyboardInterrupt


def after_signals(code: int) -> int:
    """The exit code of a command that ended with ``code``; after a signal, what a shell reports of it."""
    return 128 + _signals[0] if _signals and code == INTERRUPTED else code
