"""What a test needs and does not find is said, and with ``--complete`` it is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from needs import WHOLE, missing, needs

TESTS = Path(__file__).parent
ONE = """
import pytest

@pytest.mark.skipif(True, reason="needs a browser: of any make")
def test_a_page(): pass

def test_data(): pytest.skip("no recordings: fetch them")
"""


@pytest.mark.parametrize(
    ("options", "failed"),
    [((), False), (("--complete",), True), (("--complete", "--may-miss", "a browser"), False)],
)
@needs(*WHOLE)  # where some are left out, --complete is refused at once
def test_a_missing_part(tmp_path: Path, options: tuple[str, ...], failed: bool) -> None:
    (tmp_path / "test_one.py").write_text(ONE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "complete", "-c", os.devnull, *options, str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == int(failed), done.stdout + done.stderr
    assert ("1 skipped, 1 error" if failed else "2 skipped") in done.stdout


@pytest.mark.skipif(not any(map(missing, WHOLE)), reason="everything is installed")
def test_files_that_are_left_out() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--complete", "tests/test_needs.py"], cwd=TESTS.parent, capture_output=True, text=True
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--complete: not collected for want of" in done.stderr
