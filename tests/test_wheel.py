"""The wheel, as its users have it: built, installed where nothing else is, used in another folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neuro_deploy import __version__

ROOT = Path(__file__).parents[1]
MEGABYTES = 250
"""What the core and its dependencies may need on the disk, without the bytecode that Python keeps of them."""

UNREACHABLE = re.compile(r"error sending request|dns error|failed to fetch|network|timed? ?out|offline", re.IGNORECASE)


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment that knows nothing of this one."""
    hidden = ("PYTHON", "UV_", "VIRTUAL_ENV", "NEURO_DEPLOY")
    known = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=known | variables, capture_output=True, text=True, timeout=240
    )


@pytest.fixture(scope="module")
def uv() -> Path:
    """The uv that made this environment."""
    own = ROOT / ".tools" / "uv" / "bin" / "uv"
    found = own if own.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("needs uv")
    return Path(found)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what is committed here, without fetching anything."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("neuro_deploy", "training"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = run(sys.executable, "-W", "ignore", "-c", build, folder, cwd=source)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(uv: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment that has the wheel, and what it asks for in the versions of the lock."""
    folder = tmp_path_factory.mktemp("installed")
    lock = (ROOT / "requirements-core.lock").read_text()
    (folder / "versions").write_text(
        "".join(f"{pin}\n" for pin in re.findall(r"^([a-z0-9].*?) *\\$", lock, flags=re.MULTILINE))
    )
    assert run(uv, "venv", "--no-project", "--python", sys.executable, folder / "env", cwd=folder).returncode == 0
    options = ("--no-config", "--only-binary", ":all:", "--constraint", folder / "versions")
    done = run(uv, "pip", "install", "--python", folder / "env" / "bin" / "python", *options, wheel, cwd=folder)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"no packages can be fetched now: {done.stderr.splitlines()[-1].strip()}")
    assert done.returncode == 0, done.stderr
    return folder / "env"


def test_the_core_is_small(installed: Path) -> None:
    (packages,) = installed.glob("lib/python3*/site-packages")
    size = sum(path.stat().st_blocks * 512 for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert size / 2**20 < MEGABYTES
    names = {path.name for path in packages.iterdir()}
    assert not names & {"torch", "lava", "matplotlib", "soundfile.py", "tests", "benchmarks", "training"}


def test_the_core_works_in_another_folder(installed: Path, tmp_path: Path) -> None:
    for path in ROOT.glob("netx_models/digits.*"):
        shutil.copy(path, tmp_path)
    variables = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    command = installed / "bin" / "neuro-deploy"
    shown = run(command, "--version", cwd=tmp_path, **variables)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert __version__ in shown.stdout
    for arguments in ("simulate digits.net --backend fast", "check digits.net"):
        done = run(command, *arguments.split(), "--samples", 2, cwd=tmp_path, **variables)
        assert done.returncode == 0, done.stderr
