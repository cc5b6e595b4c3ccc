"""Which Python runs Lava: this one, or the one that ``NEURO_DEPLOY_LAVA_PYTHON`` names.

Lava runs in a process of its own and exchanges plain files with this one, so it may have a Python, a NumPy and packages of its own.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from neuro_deploy import extras
from neuro_deploy.errors import BackendError
from neuro_deploy.files import expanded

VARIABLE = extras.ELSEWHERE["lava"]

_PATIENCE = 60.0
"""Seconds that an interpreter may take to say what it has."""

_QUESTION = """
import sys
sys.path[:] = [path for path in sys.path if path]  # without the present folder
import json, platform
from importlib.metadata import version
from importlib.util import find_spec
try:
    lava = version("lava-nc") if find_spec("lava.lib.dl.netx") else None
except Exception:
    lava = None
places = list(find_spec("lava").submodule_search_locations) if lava else []
print(json.dumps({"python": platform.python_version(), "lava": lava, "places": places}))
"""


@dataclass(frozen=True)
class LavaPython:
    """An interpreter that has Lava.

    Attributes:
        program: its path.
        python: its version.
        lava: the version of Lava that it has.
        places: folders of the package ``lava``.
    """

    program: str
    python: str
    lava: str
    places: tuple[str, ...]


def find() -> str:
    """The path of the interpreter that runs Lava.

    Raises:
        BackendError: ``NEURO_DEPLOY_LAVA_PYTHON`` names no interpreter, or one without Lava.
        MissingPackageError: it is not set, and Lava is not installed here.
    """
    if name := os.environ.get(VARIABLE):
        return ask(name).program
    extras.require("lava")
    return sys.executable


def named() -> LavaPython | None:
    """The interpreter that ``NEURO_DEPLOY_LAVA_PYTHON`` names; None if it is not set.

    Raises:
        BackendError: it is none, or has no Lava.
    """
    name = os.environ.get(VARIABLE)
    return ask(name) if name else None


def environment() -> dict[str, str]:
    """Variables for a process of another Python: all of ours but those that say where this Python's own files are."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "__PYVENV_LAUNCHER__")}


@functools.cache
def ask(name: str) -> LavaPython:
    """What an interpreter has.

    Args:
        name: its path, or its name on ``PATH``.

    Raises:
        BackendError: it is none, or has no Lava.
        ConfigError: it is in a home that nobody knows.
    """
    wrong = f"{VARIABLE} is {name!r}"
    path = str(expanded(name))
    program = shutil.which(path)
    if program is None:
        reason = "that is a folder" if Path(path).is_dir() else "there is no such program"
        raise BackendError(f"{wrong}, {reason}: name a Python that has Lava, as FOLDER/bin/python, or unset it")
    program = os.path.abspath(program)  # noqa: PTH100  a link is not followed: it is how a virtual environment knows its packages
    try:
        done = subprocess.run(
            [program, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=_PATIENCE,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
        answer = LavaPython(program, str(found["python"]), found["lava"] or "", tuple(found["places"]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, KeyError, TypeError) as error:
        raise BackendError(
            f"{wrong}, and that is no Python: name one that has Lava, as FOLDER/bin/python, or unset it"
        ) from error
    if not answer.lava:
        raise BackendError(
            f"{wrong}, a Python {answer.python} without Lava: install lava-nc and lava-dl there (they need Python 3.10), "
            "or name another one"
        )
    return answer
