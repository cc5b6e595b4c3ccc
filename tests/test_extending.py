"""Every example of docs/extending.md, in a copy of the project."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from needs import needs

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LEFT_OUT = shutil.ignore_patterns("results")  # __pycache__ has the compiled loops, which are good as long as their source is


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the project that commands need; changed and thrown away."""
    for folder in ("neuro_deploy", "training", "netx_models"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=LEFT_OUT, symlinks=True)
    return tmp_path


def marks(text: str) -> list[pytest.MarkDecorator]:
    """A section that trains or checks every executor is slow; one that trains or exports needs the packages of training."""
    slow = "check netx_models" in text or "train" in text
    trained = "train" in text or "neuro-deploy export" in text
    return [pytest.mark.slow] * slow + [needs("torch")] * trained


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "title",
    [pytest.param(title, marks=marks(text)) for title, text in SECTIONS.items() if BLOCK.search(text)],
)
def test_every_example_works(title: str, copy: Path) -> None:
    for language, text in BLOCK.findall(SECTIONS[title]):
        name = re.match(r"# (\S+\.(?:py|toml))\n", text)
        if language == "diff":
            change(copy, text)
        elif language == "console":
            for command in re.findall(r"^\$ (.*(?:\n(?!\$).*)*)", text, re.MULTILINE):
                show(copy, *command.splitlines())
        elif name is None:
            assert language == "python"
            run(copy, "-c", text)
        else:
            (copy / name[1]).write_text(text, encoding="utf-8")


def change(copy: Path, text: str) -> None:
    """Apply a diff: the lines that go, or those that stay beside the new ones, must be in the file once."""
    header, _, body = text.partition("\n")
    path = copy / header.removeprefix("--- ")
    content = path.read_text(encoding="utf-8")
    lines = [(line[:1] or " ", line[1:]) for line in body.splitlines()]
    while lines:
        before = ""
        while lines and lines[0][0] == " ":
            before = lines.pop(0)[1]
        gone, new = [], []
        while lines and lines[0][0] == "-":
            gone.append(lines.pop(0)[1])
        while lines and lines[0][0] == "+":
            new.append(lines.pop(0)[1])
        if not gone and not before and lines:  # new lines before the ones that follow
            gone = [line for _, line in itertools.takewhile(lambda line: line[0] == " ", lines)]
            lines, new = lines[len(gone) :], [*new, *gone]
        old = "\n".join(gone or [before])
        assert content.count(f"{old}\n") == 1, (path, old)
        content = content.replace(f"{old}\n", "\n".join([*([] if gone else [before]), *new, ""]))
    path.write_text(content, encoding="utf-8")


def show(copy: Path, command: str, *expected: str) -> None:
    """Run a command and find each line's text in what it prints; after ``!`` it must be refused."""
    program, *arguments = command.split()
    assert program == "neuro-deploy"
    refused = any(line.startswith("! ") for line in expected)
    ended = run(copy, "-m", "neuro_deploy.cli", *arguments, code=2 if refused else 0)
    shown = re.sub(r" +", " ", ended.stdout + ended.stderr)
    for line in expected:
        assert re.sub(r" +", " ", line.removeprefix("! ")) in shown, shown


def run(copy: Path, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended


def test_every_file_of_the_table_is_there() -> None:
    names = set(re.findall(r"`((?:neuro_deploy|training|models|backends|cli)/[\w/]*\.?\w*)`", PAGE))
    places = [ROOT, ROOT / "neuro_deploy", ROOT / "training"]
    assert len(names) > 8
    for name in names:
        assert any((place / name).exists() for place in places), name
