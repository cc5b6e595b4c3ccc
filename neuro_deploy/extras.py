"""Packages that only some parts need: whether they are there, and how to get them."""

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from neuro_deploy.errors import MissingPackageError

EXTRAS: Mapping[str, str] = {
    "kaldi_native_fbank": "audio",
    "soundfile": "audio",
    "soxr": "audio",
    "requests": "audio",
    "matplotlib": "report",
    "jinja2": "report",
    "torch": "train",
    "sklearn": "train",
    "scipy": "train",
    "pynvml": "train",
    "lava": "lava",
    "distributed": "cluster",
    "brian2_loihi": "emulators",
    "sanafe": "sanafe",
    "neurobench": "neurobench",
}
"""The optional dependencies of this project that bring a package, by the name under which it is imported."""

ONLY_310 = frozenset({"train", "lava", "neurobench"})
"""Extras that no later Python can have: Lava and SLAYER were last released for 3.10."""

NOT_LOCKED = frozenset({"emulators", "sanafe", "neurobench"})
"""Extras that ``make env`` leaves out."""

ELSEWHERE: Mapping[str, str] = {"lava": "NEURO_DEPLOY_LAVA_PYTHON"}
"""Packages that another Python may have instead of this one, with the variable that names it."""

_ROOT = Path(__file__).parents[1]


def present(package: str) -> bool:
    """Whether a package can be used: imported here (it is not), or in the Python that the user named for it."""
    return _importable(package) or (package in ELSEWHERE and bool(os.environ.get(ELSEWHERE[package])))


def advice(package: str) -> str:
    """What to do when a package of :data:`EXTRAS` is missing, in one line that fits this installation."""
    extra = EXTRAS[package]
    if extra in ONLY_310 and sys.version_info[:2] != (3, 10):
        name = f", and name that Python in {ELSEWHERE[package]}" if package in ELSEWHERE else ""
        return f"{package} is not installed, and needs Python 3.10: pip install 'neuro-deploy[{extra}]' there{name}"
    return f"{package} is not installed: {_command(extra)}"


def require(*packages: str) -> None:
    """Refuse to go on without packages of :data:`EXTRAS`.

    Raises:
        MissingPackageError: one is not installed; says how to install it.
    """
    for package in packages:
        if not present(package):
            raise MissingPackageError(advice(package))


def explained(error: ImportError) -> MissingPackageError | None:
    """An import that failed, as the user's error; None if no package of :data:`EXTRAS` is missing."""
    package = (error.name or "").partition(".")[0]
    return MissingPackageError(advice(package)) if package in EXTRAS and not _importable(package) else None


def _importable(package: str) -> bool:
    return find_spec(package) is not None


def _command(extra: str) -> str:
    """How to install an extra here: a checkout's own environment is made by ``make``, which brings a uv where there is none."""
    if not _is_checkout():
        return f"pip install 'neuro-deploy[{extra}]'"
    if extra not in NOT_LOCKED:
        return "make env"
    uv = "uv" if shutil.which("uv") else ".tools/uv/bin/uv"
    return f"{uv} pip install --python .venv/bin/python -e '.[{extra}]'"


def _is_checkout() -> bool:
    """Whether this program runs in the environment that the Makefile of its own folder makes."""
    return (_ROOT / "scripts" / "env.sh").is_file() and Path(sys.prefix).resolve() == (_ROOT / ".venv").resolve()
