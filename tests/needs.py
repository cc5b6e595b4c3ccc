"""What needs more than the core is named here or marked: elsewhere a missing package is an error, as it is for the core's users."""

from collections.abc import Mapping
from importlib.util import find_spec

import pytest

WHOLE: Mapping[str, tuple[str, ...]] = {
    "lava": ("fused", "backends/test_backends_lava.py", "backends/test_backends_loihi2.py"),
    "torch": (
        "training",
        "benchmarks",
        "backends/test_backends_brian2loihi.py",
        "backends/test_host.py",
        "backends/test_sanafe.py",
        "cli/test_cli.py",
        "cli/test_cli_bad_input.py",
        "cli/test_fuzz.py",
        "measure/test_neurobench.py",
        "recognition/test_anytime.py",
        "test_shipped.py",
    ),
    "matplotlib": ("report",),
    "soundfile": ("audio", "datasets", "recognition", "cli/test_fuzz.py"),
}
"""Packages, and the files and folders of tests of which nothing works without them."""


def missing(package: str) -> bool:
    """Whether a package cannot be imported here; a Python of Lava's own is none of the tests'."""
    return find_spec(package) is None


def left_out() -> dict[str, tuple[str, ...]]:
    """Files and folders that are not collected, from the folder of the tests, by the package that they miss."""
    return {package: paths for package, paths in WHOLE.items() if missing(package)}


def needs(*packages: str) -> pytest.MarkDecorator:
    """A mark for a test that cannot do without packages of extras."""
    absent = [package for package in packages if missing(package)]
    return pytest.mark.skipif(bool(absent), reason=f"needs {' and '.join(absent)}")
