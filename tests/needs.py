"""What needs more than the core is named here or marked: elsewhere a missing package is an error, as it is for the core's users."""

import pytest

from neuro_deploy import extras

WHOLE = {
    "lava": ["fused", "backends/test_backends_lava.py", "backends/test_backends_loihi2.py"],
    "torch": [
        "training",
        "benchmarks",
        "backends/test_backends_brian2loihi.py",
        "backends/test_host.py",
        "backends/test_sanafe.py",
        "cli/test_cli.py",
        "cli/test_cli_bad_input.py",
        "measure/test_neurobench.py",
        "recognition/test_anytime.py",
        "test_shipped.py",
    ],
    "matplotlib": ["report"],
    "soundfile": ["audio", "recognition"],
}
"""Packages, and the files and folders of tests of which nothing works without them."""


def left_out() -> list[str]:
    """Those of a package that is not installed, from the folder of the tests."""
    return [path for package, paths in WHOLE.items() if not extras.present(package) for path in paths]


def needs(*packages: str) -> pytest.MarkDecorator:
    """A mark for a test that cannot do without packages of extras."""
    missing = [package for package in packages if not extras.present(package)]
    return pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}")
