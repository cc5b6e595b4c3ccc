"""What can go wrong, in kinds a caller can tell apart.

Every error that a user can cause is a :class:`NeuroDeployError`; the command line prints its message on one line and
exits with code 2. A message says what, which value, which limit and what to do.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class NeuroDeployError(Exception):
    """Base of all errors that are the user's to mend."""


class ConfigError(NeuroDeployError, ValueError):
    """A configuration has an unknown key or an impossible value."""


class ModelFileError(NeuroDeployError, ValueError):
    """A NetX file, a manifest or a checkpoint is missing, damaged, or does not fit the others."""


class RuleError(NeuroDeployError, ValueError):
    """A network breaks a limit of the chip or of the NetX format; lists every violation."""


class InputError(NeuroDeployError, ValueError):
    """A sample has the wrong shape, a NaN or a value outside the encoder's range."""


class DatasetError(NeuroDeployError, ValueError):
    """A data set is unknown, missing, damaged, or cannot be fetched."""


class BackendError(NeuroDeployError, RuntimeError):
    """A backend is unknown, cannot run here, or died while running."""


class MissingPackageError(NeuroDeployError, ImportError):
    """A package is not installed that an extra of this project brings."""


class OutputError(NeuroDeployError, OSError):
    """A result cannot be written (no permission, disk full)."""


def problems(error: "ValidationError") -> str:
    """All that is wrong with values, on one line: where, what is wrong, which value."""
    found = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        value = f" (it is {problem['input']!r})" if not isinstance(problem["input"], dict) else ""
        found.append(f"{where}: {message}{value}" if where else message)
    return "; ".join(found)
