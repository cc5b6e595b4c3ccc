"""Settings and fixtures that all tests share."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# A time limit for one example fails by chance on a busy machine; pytest-timeout ends a test that hangs.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.toml, its training in runs and its network in netx_models; not to be changed."""
    import commands

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
