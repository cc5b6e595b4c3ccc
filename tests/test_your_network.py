"""Every command and snippet of docs/your_network.md, in the order of the page, in a folder of its own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from needs import needs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "your_network.md"
BLOCKS = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

CODES = {"simulate iris.net --data iris.npz": 2, "check iris.net": 1}
"""Exit codes other than 0, by how a command begins."""


def command(line: str) -> list[str]:
    program, *arguments = shlex.split(line)
    return [sys.executable, *arguments] if program == "python" else [sys.executable, "-m", "neuro_deploy.cli", *arguments]


def words(text: str) -> list[str]:
    """Words without numbers, which a processor may change in their last places."""
    return re.findall(r"[A-Za-z_]{3,}", text)


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs("torch", "lava", "sklearn")
@pytest.mark.filterwarnings("ignore")
def test_the_page_from_its_first_command_to_its_last(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    run, accuracies = 0, []
    for kind, text in BLOCKS.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "python":
            first, _, code = text.partition("\n")
            (tmp_path / first.removeprefix("# ")).write_text(code)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            ended = subprocess.run(command(line), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
            expected = next((code for begin, code in CODES.items() if f"{begin} " in f"{line} "), 0)
            assert ended.returncode == expected, (line, ended.stdout, ended.stderr)
            said = words(f"{ended.stdout} {ended.stderr}")
            assert set(words(shown)) <= set(said), (line, set(words(shown)) - set(said), ended.stdout)
            accuracies += map(float, re.findall(r"(?: fast +50 +|SLAYER: )([\d.]+)", ended.stdout))
            run += 1
    assert run == 10
    trained, lost, found = accuracies
    assert trained > 90
    assert lost < 50
    assert abs(found - trained) < 2.5
