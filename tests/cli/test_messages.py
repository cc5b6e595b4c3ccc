"""All that is said on standard error is one line each, which begins with its kind."""

import logging
import warnings

import pytest

from neuro_deploy.cli.messages import complain, note, noted


def test_one_line_that_begins_with_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a name\nof two lines")
    note("a \x1b[31mred\x1b[0m name")
    assert capsys.readouterr().err.splitlines() == ["error: a name of two lines", "note: a \\x1b[31mred\\x1b[0m name"]


def test_what_is_logged_and_warned_of_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("neuro_deploy.datasets.layouts")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with noted():
            log.warning("%s: 2 left out", "words")
            log.info("not said")
            warnings.warn("the engine cannot be compiled here", stacklevel=1)
    log.warning("afterwards")
    shown = capsys.readouterr().err.splitlines()
    assert shown[:2] == ["note: words: 2 left out", "note: the engine cannot be compiled here"]
    assert not any(line.startswith("note: ") for line in shown[2:])
