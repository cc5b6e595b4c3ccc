"""Signals that end a command, all of them as Ctrl-C does, from its first moment to its last."""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from neuro_deploy.cli.messages import note

INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a command that Ctrl-C ended."""

BROKEN_PIPE = 128 + signal.SIGPIPE
"""Exit code of a command whose output nobody reads any more: 1 would mean that spikes differ."""

_TOGETHER = 1.0
"""Seconds for which further signals are the first one's: a second must not end what cleans up after it."""

_AGAIN = 0.05
"""Seconds after which a signal that was lost is sent again; a destructor should have ended by then."""

_signals: list[signal.Signals] = []
"""Those that came to end the present command."""


class Stopped(Exception):  # noqa: N818  (no error)
    """What a command has to say about how far it came when a signal ended it; nothing if empty."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: what it was about to write is taken away, what it started is ended.

    It then says so in one line, and has the exit code that a shell reports of a program that the signal ended. A signal that was
    ignored before, as nohup does with SIGHUP, still is. Outside the main thread, which alone gets signals, nothing is changed.
    """
    _signals.clear()
    inside = threading.Event()  # where the interrupt is caught; a signal before that waits, one after it comes too late
    with _handlers(inside) if threading.current_thread() is threading.main_thread() else _nothing():
        try:
            try:
                inside.set()
                require_no_signal()
                yield
            finally:
                inside.clear()
        except (KeyboardInterrupt, Stopped) as error:
            _stop(str(error) if isinstance(error, Stopped) else None)
        except SystemExit as error:
            if error.code != INTERRUPTED:
                raise
            _stop(None)
        except Exception:
            if not _signals:
                raise
            _stop(None)  # compiled code, and an import, may turn an interrupt into an error of their own


def require_no_signal() -> None:
    """Raise KeyboardInterrupt once more where compiled code has lost it; for loops that take long."""
    if _signals:
        raise KeyboardInterrupt


def _stop(message: str | None) -> None:
    """Say what a command left when it was stopped, and exit."""
    exec("")  # or Python ends itself by SIGINT, whatever the exit code, if the interrupt came in text that was executed
    number = _signals[0] if _signals else signal.SIGINT
    if message != "":
        note(message or f"stopped by {number.name}")
    raise SystemExit(128 + number) from None


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _handlers(inside: threading.Event) -> Iterator[None]:
    last = -_TOGETHER

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        _signals.append(signal.Signals(number))
        if inside.is_set() and last - before >= _TOGETHER:
            raise KeyboardInterrupt

    def lost(kind: type[BaseException]) -> bool:
        """Whether code that cannot be ended has got the interrupt; it is then sent again."""
        nonlocal last
        if not _signals or not issubclass(kind, KeyboardInterrupt):
            return False
        last = -_TOGETHER
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), _signals.pop()))
        again.daemon = True
        again.start()
        return True

    def in_destructor(what: Any) -> None:
        if not lost(what.exc_type):
            hooks[0](what)

    def in_compiled_code(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not lost(kind):
            hooks[1](kind, error, traceback)

    taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in taken}
    ours = [number for number in taken if before[number] in (signal.SIG_DFL, signal.default_int_handler)]
    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook, sys.excepthook = in_destructor, in_compiled_code
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        sys.unraisablehook, sys.excepthook = hooks
        # Python's own handler would show where in its last steps it was.
        atexit.register(_end_at_once)


def _end_at_once() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
