"""A signal ends a command at any moment from its first: one line, the signal's exit code, nothing left."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from needs import needs

from neuro_deploy.cli.signals import Stopped, ended_by_signals

ROOT = Path(__file__).parents[2]
NET = ROOT / "netx_models" / "digits.net"
STATUS = Path("/proc/self/status")


def listens(process: int, number: int) -> bool:
    """Whether a process has a handler of its own for a signal (``man 5 proc``)."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.skipif(not STATUS.exists(), reason="looks at /proc")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("verb", ["simulate", pytest.param("report", marks=needs("matplotlib", "jinja2"))])
def test_in_the_first_second(verb: str, name: str, tmp_path: Path) -> None:
    moments, number = random.Random(f"{verb} {name}"), signal.Signals[name]
    temporary, folder = tmp_path / "temporary", tmp_path / "here"
    temporary.mkdir()
    folder.mkdir()
    for moment in (0.0, *(moments.uniform(0.05, 1.5) for _ in range(3))):
        process = subprocess.Popen(
            [sys.executable, "-m", "neuro_deploy.cli", verb, str(NET), "--samples", "40"],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Of SIGINT Python's own handler is there before ours.
        while not listens(process.pid, signal.SIGTERM) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(moment)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (128 + number, f"note: stopped by {name}\n"), moment
        assert not list(folder.iterdir()), moment
        assert not list(temporary.iterdir()), moment


def end(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)
    time.sleep(0.01)


def code_of(command: Callable[[], None]) -> object:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended, ended_by_signals():
        command()
    return ended.value.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_line_and_the_code_of_the_signal(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    assert code_of(lambda: end(number)) == 128 + number
    assert capsys.readouterr() == ("", f"note: stopped by {number.name}\n")
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Stopped("stopped after epoch 3"), "note: stopped after epoch 3\n"),
        (Stopped(""), ""),
        (ImportError("cannot import core"), "note: stopped by SIGTERM\n"),
        (SystemExit(130), "note: stopped by SIGTERM\n"),
    ],
)
def test_what_an_interrupt_becomes(error: BaseException, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        try:
            end(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error from None

    assert code_of(command) == 143
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_before_the_command_and_one_after_it(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """While handlers are being set, and while they are being set back."""
    install, done = signal.signal, []

    def slow(*arguments: Any) -> Any:
        before = install(*arguments)
        if signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler):
            end(number)
        return before

    monkeypatch.setattr(signal, "signal", slow)
    assert code_of(lambda: done.append(True)) == 128 + number
    assert not done

    def late() -> None:
        monkeypatch.setattr(signal, "signal", slow)

    monkeypatch.setattr(signal, "signal", install)
    with ended_by_signals():
        late()


def test_an_error_without_a_signal_is_itself() -> None:
    with pytest.raises(ImportError), ended_by_signals():
        raise ImportError


def test_a_second_signal_does_not_end_what_cleans_up() -> None:
    cleaned = []

    def command() -> None:
        try:
            end(signal.SIGTERM)
        finally:
            end(signal.SIGTERM, signal.SIGINT)
            cleaned.append(True)

    assert code_of(command) == 143
    assert cleaned


def test_an_interrupt_that_a_destructor_loses_comes_again() -> None:
    class Slow:
        def __del__(self) -> None:
            end(signal.SIGTERM)

    def command() -> None:
        Slow()
        time.sleep(20)
        pytest.fail("went on")

    assert code_of(command) == 143


def test_an_interrupt_that_compiled_code_prints_comes_again(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        try:
            end(signal.SIGTERM)
        except KeyboardInterrupt:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # as PyErr_Print does
        time.sleep(20)
        pytest.fail("went on")

    assert code_of(command) == 143
    assert capsys.readouterr() == ("", "note: stopped by SIGTERM\n")


def test_an_interrupt_in_text_that_is_executed(tmp_path: Path) -> None:
    """As in the import of a module with named tuples; Python then ends by SIGINT by itself."""
    (tmp_path / "stopped.py").write_text("""
import os, signal
from neuro_deploy.cli.signals import ended_by_signals
with ended_by_signals():
    exec("os.kill(os.getpid(), signal.SIGTERM)\\nimport time\\ntime.sleep(20)")
""")
    path = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))}
    ended = subprocess.run([sys.executable, "-m", "stopped"], env=os.environ | path, timeout=60)
    assert ended.returncode == 143


def test_a_signal_that_was_ignored_still_is() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            end(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_is_changed() -> None:
    found: list[object] = []

    def work() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with ended_by_signals():
            found.append(before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]
