"""Packages that only some parts need: whether they are there, and how to get them."""

import shutil
from importlib.util import find_spec

from neuro_deploy.errors import BackendError

EXTRAS = {"brian2_loihi": "emulators", "sanafe": "sanafe"}
"""The optional dependencies of this project that bring a package, by the name under which it is imported."""


def present(package: str) -> bool:
    """Whether a package can be imported; it is not."""
    return find_spec(package) is not None


def advice(package: str) -> str:
    """What to do when a package of :data:`EXTRAS` is missing; without a uv on PATH, ``make`` has brought one."""
    uv = "uv" if shutil.which("uv") else ".tools/uv/bin/uv"
    return f"{package} is not installed: {uv} pip install --python .venv/bin/python -e '.[{EXTRAS[package]}]'"


def require(package: str) -> None:
    """Refuse to go on without a package.

    Raises:
        BackendError: it is not installed; says how to install it.
    """
    if not present(package):
        raise BackendError(advice(package))
