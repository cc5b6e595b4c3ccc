"""Settings and fixtures that all tests share."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from complete import pytest_addoption, pytest_configure, pytest_runtest_makereport  # noqa: F401
from hypothesis import settings
from needs import left_out, missing

from neuro_deploy.datasets.store import data_root

if TYPE_CHECKING:
    from neuro_deploy.training.data import Data

collect_ignore = [path for paths in left_out().values() for path in paths]


def pytest_report_header() -> list[str]:
    return [f"not collected, needs {package}: {', '.join(paths)}" for package, paths in left_out().items()]


# A time limit for one example fails by chance on a busy machine; pytest-timeout ends a test that hangs.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.toml, its training in runs and its network in netx_models; not to be changed."""
    import commands

    for package in ("torch", "sklearn", "lava"):
        if missing(package):
            pytest.skip(f"needs {package}")
    folder = tmp_path_factory.mktemp("project")
    commands.make(folder)
    return folder


@pytest.fixture
def project(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(exported, folder)
    monkeypatch.chdir(folder)
    return folder


ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "speech_commands_v001_12words.tar.xz"
"""Where recordings may lie beside the project."""


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the twelve words of Speech Commands: the user's, or a new one."""
    import commands

    if (data_root() / "speech_commands_12").is_dir():
        return data_root()
    if not ARCHIVE.is_file():
        pytest.skip("no recordings: neuro-deploy data fetch speech_commands_12")
    root = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NEURO_DEPLOY_DATA", str(root))
        assert commands.run("data", "fetch", "speech_commands_12", "--from", ARCHIVE) == 0
    return root


@pytest.fixture
def recordings(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twelve words are in the data root; without them the test is skipped."""
    monkeypatch.setenv("NEURO_DEPLOY_DATA", str(unpacked))


@pytest.fixture
def data_of(request: pytest.FixtureRequest) -> "Callable[[str], Data]":
    """The data of a configuration that is shipped with its network."""

    from neuro_deploy.training.config import load
    from neuro_deploy.training.data import load_data

    def load_of(name: str) -> "Data":
        settings = load(name).data
        if settings.name == "speech_commands":
            request.getfixturevalue("recordings")
        return load_data(settings)

    return load_of
