"""A package that is missing is one line that says what to do in this installation."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neuro_deploy import extras
from neuro_deploy.audio.front_end import FrontEnd
from neuro_deploy.audio.recordings import file_frames
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.datasets.download import download
from neuro_deploy.errors import MissingPackageError
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.netx import load_network
from neuro_deploy.verify import simulation

ROOT = Path(__file__).parents[1]
SPEC = FrontEndSpec()

WITHOUT = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from neuro_deploy import cli, extras
extras.find_spec = lambda name: None if name in {packages!r} else object()
sys.argv = ["neuro-deploy", *{arguments!r}]
cli.main()
"""


def in_core(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A run of the command line where no extra is installed."""
    code = WITHOUT.format(packages=tuple(extras.EXTRAS), arguments=arguments)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("package", "python", "checkout", "expected"),
    [
        ("soundfile", (3, 13), False, "soundfile is not installed: pip install 'neuro-deploy[audio]'"),
        ("soundfile", (3, 10), True, "soundfile is not installed: make env"),
        ("torch", (3, 10), True, "torch is not installed: make env"),
        ("torch", (3, 10), False, "torch is not installed: pip install 'neuro-deploy[train]'"),
        (
            "lava",
            (3, 12),
            False,
            "lava is not installed, and needs Python 3.10: pip install 'neuro-deploy[lava]' there, "
            "and name that Python in NEURO_DEPLOY_LAVA_PYTHON",
        ),
        ("torch", (3, 12), True, "torch is not installed, and needs Python 3.10: pip install 'neuro-deploy[train]' there"),
        ("sanafe", (3, 10), True, "sanafe is not installed: uv pip install --python .venv/bin/python -e '.[sanafe]'"),
    ],
)
def test_advice_fits_the_installation(
    monkeypatch: pytest.MonkeyPatch, package: str, python: tuple[int, int], checkout: bool, expected: str
) -> None:
    monkeypatch.setattr(extras.sys, "version_info", (*python, 0))  # type: ignore[attr-defined]
    monkeypatch.setattr(extras, "_is_checkout", lambda: checkout)
    monkeypatch.setattr(extras.shutil, "which", lambda name: name)  # type: ignore[attr-defined]
    assert extras.advice(package) == expected


def test_an_environment_of_its_own_is_no_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert not extras._is_checkout()
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    assert extras._is_checkout()
    monkeypatch.setattr(extras, "_ROOT", tmp_path)  # a wheel's: no scripts beside the package
    assert not extras._is_checkout()


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("soxr", lambda: FrontEnd(SPEC, 8000)),
        ("kaldi_native_fbank", lambda: FrontEnd(SPEC, 16000)),
        ("soundfile", lambda: file_frames(Path("some.wav"), SPEC)),
        ("requests", lambda: download("x:", Path("part"), lambda have, total: None)),
        ("lava", lambda: LavaBackend().run(load_network(ROOT / "netx_models" / "digits.net"), np.zeros((1, 1, 1), np.int32))),
    ],
)
def test_who_uses_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, package: str, use: Callable[[], object]) -> None:
    monkeypatch.setattr(extras, "present", lambda name: name != package)
    with pytest.raises(MissingPackageError, match=f"^{package} is not installed"):
        use()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("simulate netx_models/digits.net --backend lava --samples 1", "lava"),
        ("train digits", "train"),
        ("export digits", "train"),
        ("sweep digits --set train.rate=0.1", "train"),
        ("evaluate netx_models/digits.npz", "train"),
        ("report digits", "report"),
        ("stream netx_models/digits.net", "report"),
        ("classify netx_models/speech_commands_12.net no.wav", "audio"),
        ("simulate netx_models/digits.net --cluster dask://127.0.0.1:9", "cluster"),
    ],
)
def test_a_verb_without_its_extra_is_one_line(arguments: str, extra: str) -> None:
    ended = in_core(*arguments.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    package = line.removeprefix("error: ").removeprefix("cluster: ").split()[0]
    assert extras.EXTRAS[package] == extra, line
    assert f"{package} is not installed" in line


@pytest.mark.parametrize("arguments", ["--version", "--help", "data list"])
def test_other_verbs_do_without(arguments: str) -> None:
    ended = in_core(*arguments.split())
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_import_that_fails_for_another_reason_is_no_missing_package() -> None:
    assert extras.explained(ImportError("a symbol is undefined", name="numpy")) is None
    assert extras.explained(ImportError("without a name")) is None


def test_versions_are_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name not in ("neuro-deploy", "numpy"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(simulation, "version", version)
    assert simulation.versions() == {"neuro-deploy": "1", "numpy": "1"}
