"""Which Python runs Lava."""

import sys
from pathlib import Path

import pytest

from neuro_deploy import extras
from neuro_deploy.backends import lava, lava_python, loihi2
from neuro_deploy.errors import BackendError, MissingPackageError


@pytest.fixture(autouse=True)
def fresh() -> None:
    lava_python.ask.cache_clear()


def program(folder: Path, text: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_this_python_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lava_python.VARIABLE, "")
    monkeypatch.setattr(extras, "_importable", lambda package: True)
    assert lava_python.find() == sys.executable
    assert lava_python.named() is None


def test_no_lava_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lava_python.VARIABLE, raising=False)
    monkeypatch.setattr(extras, "_importable", lambda package: False)
    with pytest.raises(MissingPackageError, match="lava is not installed"):
        lava_python.find()
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(MissingPackageError, match="name that Python in NEURO_DEPLOY_LAVA_PYTHON"):
        lava_python.find()


def test_a_named_python_with_lava(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = program(tmp_path, """echo 'a greeting'; echo '{"python": "3.10.13", "lava": "0.10.0", "places": ["/opt/lava"]}'""")
    monkeypatch.setenv(lava_python.VARIABLE, name)
    assert lava_python.named() == lava_python.LavaPython(name, "3.10.13", "0.10.0", ("/opt/lava",))
    assert lava_python.find() == name
    assert extras.present("lava")
    assert "Lava's extension for Loihi" in str(loihi2.missing())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no such program"),
        ("folder", "that is a folder"),
        ("true", "that is no Python"),
        ("exit 3", "that is no Python"),
        ("echo nonsense", "that is no Python"),
        ("echo 1", "that is no Python"),
        (
            """echo '{"python": "3.12.1", "lava": null, "places": []}'""",
            "a Python 3.12.1 without Lava: install lava-nc and lava-dl",
        ),
    ],
)
def test_no_python_or_one_without_lava(text: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = str(tmp_path) if text == "folder" else str(tmp_path / "none") if text is None else program(tmp_path, text)
    monkeypatch.setenv(lava_python.VARIABLE, name)
    with pytest.raises(BackendError) as caught:
        lava_python.find()
    assert reason in str(caught.value)
    assert f"NEURO_DEPLOY_LAVA_PYTHON is '{name}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert loihi2.missing() == str(caught.value)


def test_a_real_python_without_lava(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lava").mkdir()  # a folder of the user's is not Lava
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(lava_python.VARIABLE, program(tmp_path, f'exec "{sys.executable}" -I -S "$@"'))
    with pytest.raises(BackendError, match="without Lava"):
        lava_python.find()


def test_the_worker_sees_no_packages_of_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONHOME", sys.prefix)
    variables = lava._environment(tmp_path)
    assert variables["PYTHONPATH"] == f"{tmp_path}"
    assert "PYTHONHOME" not in variables
