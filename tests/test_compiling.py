"""Compiled functions: the machine code they keep, and what they do where none can be kept."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config
from numba.core import caching

from neuro_deploy.compiling import _wanted_threads, compiled
from neuro_deploy.errors import ConfigError

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("threads", ["abc", "0", "-1", "1.5", "100000", "1,2"])
def test_threads_that_are_no_number_are_refused(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    with pytest.raises(ConfigError, match=f"NUMBA_NUM_THREADS is '{threads}': make it a number from 1 to 1024"):
        _wanted_threads()


@pytest.mark.parametrize(("threads", "number"), [("3", 3), (" 2 ", 2), ("", None), (" ", None)])
def test_threads_of_the_environment(threads: str, number: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    assert _wanted_threads() == number


def test_the_engine_does_not_hide_a_wrong_number_of_threads() -> None:
    program = (
        "from neuro_deploy.backends.fast import FastBackend\n"
        "try:\n    FastBackend()._compile(None, None, 0)\nexcept ValueError as error:\n    print(error)\n"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "abc"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("the environment variable NUMBA_NUM_THREADS is 'abc'")
    assert done.stderr == ""


def module(folder: Path) -> Any:
    """A compiled function in a file of its own, imported afresh."""
    source = folder / "doubling.py"
    if not source.exists():
        source.write_text(
            "from neuro_deploy.compiling import compiled\n\n\n@compiled()\ndef double(values):\n    return 2 * values\n"
        )
    spec = importlib.util.spec_from_file_location("doubling", source)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_machine_code_is_kept_for_the_next_program(tmp_path: Path) -> None:
    assert module(tmp_path).double(21) == 42
    again = module(tmp_path).double
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("content", [b"", b"half", None])
def test_damaged_machine_code_is_compiled_again(tmp_path: Path, suffix: str, content: bytes | None) -> None:
    module(tmp_path).double(21)
    (kept,) = (tmp_path / "__pycache__").glob(f"*.{suffix}")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert module(tmp_path).double(21) == 42
    assert sum(module(tmp_path).double.stats.cache_hits.values()) == 0  # not called yet
    again = module(tmp_path).double
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1  # mended


def test_no_place_for_machine_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    assert module(tmp_path).double(21) == 42
    assert [path.name for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")] == []


def test_a_disk_that_fills_up_does_not_stop_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, name: str, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", full)
    assert module(tmp_path).double(21) == 42


def test_without_a_home_no_folder_named_tilde_is_made(tmp_path: Path) -> None:
    program = (
        "import os, pwd; pwd.getpwuid = lambda user: {}[user]; del os.environ['HOME']\n"
        "from neuro_deploy.compiling import _Places, caching\n"
        "assert caching._UserWideCacheLocator not in _Places._locator_classes\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_a_compiled_function_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))

    @compiled()
    def total(values: Any) -> Any:
        result = 0
        for value in values:
            result += value
        return result

    assert total(np.arange(5)) == 10
    assert list(tmp_path.rglob("*.nbc"))


def test_numba_is_imported_without_scipy_and_still_finds_it() -> None:
    pytest.importorskip("scipy")
    program = """
import sys
import neuro_deploy.compiling, numba, numpy as np
print("scipy.linalg" in sys.modules)
product = numba.njit(lambda a, b: np.dot(a, b))
print(product(np.full((2, 2), 3.0), np.eye(2)).tolist(), "scipy.linalg" in sys.modules)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines() == ["False", "[[3.0, 3.0], [3.0, 3.0]] True"]
