"""The locks agree with pyproject.toml and name no host; the Makefile and scripts/env.sh keep their promises.

A stand-in for uv makes the tests of env.sh quick: it writes down how it was called and installs nothing.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neuro_deploy import extras
from neuro_deploy.files import parse_toml

ROOT = Path(__file__).parent.parent
PYPROJECT = parse_toml((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
CORE_LOCK = (ROOT / "requirements-core.lock").read_text()
EMULATORS_LOCK = (ROOT / "requirements-emulators.lock").read_text()
UV_LOCK = (ROOT / "scripts" / "uv.txt").read_text()

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON = Path(sys.base_prefix) / "bin" / f"python{VERSION}"
on_310 = pytest.mark.skipif(VERSION != "3.10", reason=".venv is an environment of Python 3.10")
ENVIRONMENTS = [
    pytest.param((), ".venv", "requirements.lock", marks=on_310),
    (("core",), ".venv-core", "requirements-core.lock"),
]

FAKE_UV = f"""#!/bin/sh
echo "$*" >>uv.log
case "$1 $2" in
    --version*) echo "uv 0.13.9" ;;
    venv*) for last; do :; done; mkdir -p "$last/bin"; ln -s "{PYTHON}" "$last/bin/python" ;;
    "pip install") [ ! -e fail ] ;;
    "python find") exit 1 ;;
esac
"""
OTHER_PYTHON = """#!/bin/sh
if [ "$1" = --version ]; then echo Python 3.11.7; else exit 1; fi
"""


def run(*command: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with an environment that does not know of the make which runs these tests."""
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYENV_ROOT")}
    return subprocess.run(command, cwd=cwd, env=known | variables, capture_output=True, text=True, timeout=60)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def copy(tmp_path):
    """A copy of the files that decide the environments, with the stand-in as its uv."""
    for name in ("pyproject.toml", "requirements.lock", "requirements-core.lock", "scripts/env.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    program(tmp_path / "bin" / "uv", FAKE_UV)
    return tmp_path


def bring_up(copy: Path, *name: str, **variables: str) -> tuple[int, list[str], str]:
    """Run env.sh: exit status, what uv was asked to do (but its version), what was said."""
    log = copy / "uv.log"
    log.write_text("")
    variables = {"PATH": f"{copy / 'bin'}:{os.environ['PATH']}"} | variables
    done = run("scripts/env.sh", *name, cwd=copy, **variables)
    calls = [" ".join(line.split()[:2]) for line in log.read_text().splitlines() if line != "--version"]
    return done.returncode, [call.removesuffix(" --quiet") for call in calls], done.stderr


@pytest.mark.parametrize("text", [LOCK, CORE_LOCK, EMULATORS_LOCK, UV_LOCK], ids=["main", "core", "emulators", "uv"])
def test_locks_have_hashes_and_no_hosts(text):
    assert "://" not in text
    assert not re.search(r"--(extra-)?index|--find-links|@ |-c /", text)
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def names(requirements: list[str]) -> set[str]:
    return {re.split("[^a-z0-9-]", requirement)[0] for requirement in requirements}


def asked(*extras: str) -> set[str]:
    """Names of what the core and some extras ask for."""
    optional = PYPROJECT["project"]["optional-dependencies"]
    return names([*PYPROJECT["project"]["dependencies"], *(one for extra in extras for one in optional[extra])])


def locked(lock: str) -> set[str]:
    return names(re.findall(r"^\S+==", lock, flags=re.MULTILINE))


def test_the_lock_has_all_but_the_emulators():
    every = set(PYPROJECT["project"]["optional-dependencies"]) - extras.NOT_LOCKED
    assert asked(*every) - {"neuro-deploy"} <= locked(LOCK)
    assert not {"brian2-loihi", "sanafe", "neurobench"} & locked(LOCK)


def test_the_core_s_lock_has_the_core_and_its_tests():
    assert asked("test") <= locked(CORE_LOCK)
    assert not {"torch", "lava-nc", "lava-dl", "soundfile", "matplotlib"} & locked(CORE_LOCK)


def test_the_emulators_stand_beside_the_versions_of_the_lock():
    assert asked(*extras.NOT_LOCKED, "audio", "train", "test") <= locked(EMULATORS_LOCK)
    pins = {re.split("==", pin)[0]: pin for pin in re.findall(r"^[a-z0-9-]+==[^ ]+", LOCK, flags=re.MULTILINE)}
    others = re.findall(r"^[a-z0-9-]+==[^ ]+", EMULATORS_LOCK, flags=re.MULTILINE)
    assert [pin for pin in others if pins.get(pin.partition("==")[0], pin) != pin] == []


def test_versions_are_pinned_in_locks_alone():
    optional = PYPROJECT["project"]["optional-dependencies"]
    every = [*PYPROJECT["project"]["dependencies"], *(one for requirements in optional.values() for one in requirements)]
    assert [one for one in every if "==" in one.partition(";")[0] or one.partition(";")[0].strip() in names([one])] == []


def test_every_extra_is_one_of_the_project_s():
    optional = PYPROJECT["project"]["optional-dependencies"]
    assert {*extras.EXTRAS.values(), "test", "dev"} == set(optional)
    assert {*extras.NOT_LOCKED, *extras.ONLY_310} <= set(optional)


def test_targets_run_in_the_order_given():
    done = run("make", "-n", "-j2", "train", "export", "simulate", "CONFIG=other", "SAMPLES=3")
    commands = [line.partition("neuro-deploy ")[2] for line in done.stdout.splitlines() if "neuro-deploy " in line]
    assert commands == ["train other", "export other", "simulate netx_models/other.net --lava-samples 3"]


def test_make_alone_lists_every_target():
    (targets,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    shown = run("make").stdout
    assert [target for target in targets.split() if not re.search(rf"^  {target} +[A-Z]", shown, flags=re.MULTILINE)] == []


@pytest.mark.parametrize(("python", "reason"), [(OTHER_PYTHON, "is Python 3.11.7"), ("#!/bin/sh\nexit 127\n", "cannot be run")])
def test_a_wrong_python_is_one_line_and_exit_2(copy, python, reason):
    code, calls, said = bring_up(copy, PYTHON=str(program(copy / "other", python)))
    assert (code, calls) == (2, [])
    assert reason in said
    assert len(said.splitlines()) == 1


@on_310
def test_a_shim_that_fails_is_passed_over(copy):
    program(copy / "bin" / "python3.10", "#!/bin/sh\necho shim: command not found >&2\nexit 127\n")
    versions = copy / "pyenv" / "versions" / "3.10.99" / "bin"
    versions.mkdir(parents=True)
    (versions / "python3.10").symlink_to(PYTHON)
    code, calls, said = bring_up(copy, PYENV_ROOT=str(copy / "pyenv"))
    assert (code, calls[0]) == (0, "venv")
    assert "shim" not in said


@pytest.mark.parametrize(("name", "folder", "lock"), ENVIRONMENTS)
def test_nothing_is_installed_twice(copy, name, folder, lock):
    assert bring_up(copy, *name, PYTHON=str(PYTHON))[1] == ["venv", "pip install", "pip install"]
    assert (copy / folder / "bin" / "python").exists()
    assert bring_up(copy, *name) == (0, [], "")
    assert bring_up(copy, *name, PYTHON=str(PYTHON)) == (0, [], "")
    with (copy / lock).open("a") as file:
        file.write("# changed\n")
    assert bring_up(copy, *name)[1] == ["pip install", "pip install"]


@pytest.mark.parametrize(("name", "folder", "lock"), ENVIRONMENTS)
def test_an_unfinished_installation_is_made_anew(copy, name, folder, lock):
    (copy / "fail").touch()
    assert bring_up(copy, *name, PYTHON=str(PYTHON))[0] != 0
    assert not (copy / folder / ".stamp").exists()
    (copy / "fail").unlink()
    code, calls, said = bring_up(copy, *name, PYTHON=str(PYTHON))
    assert (code, calls) == (0, ["venv", "pip install", "pip install"])
    assert "did not finish" in said


def test_a_second_python_is_found_or_said_to_be_missing(copy):
    for version in ("3.11", "3.12", "3.13"):  # of this machine, if it has them
        program(copy / "bin" / f"python{version}", "#!/bin/sh\nexit 127\n")
    program(copy / "bin" / "python3", "#!/bin/sh\nexit 127\n")
    variables = {"PATH": f"{copy / 'bin'}:{os.environ['PATH']}", "PYENV_ROOT": str(copy / "none")}
    done = run("scripts/env.sh", "second", cwd=copy, **variables)
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert "no Python from 3.11 to 3.13" in line
    program(copy / "bin" / "python3.12", "#!/bin/sh\necho /there/python3.12\n")
    assert run("scripts/env.sh", "second", cwd=copy, **variables).stdout == "/there/python3.12\n"
