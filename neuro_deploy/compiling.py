"""Numba, for every loop that is compiled: where the machine code is kept, and on how many threads it runs.

Importing this module imports Numba.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from neuro_deploy.errors import ConfigError

__all__ = ["THREADS", "compiled"]

_VARIABLE = "NUMBA_NUM_THREADS"

_MOST_THREADS = 1024
"""More are a slip of the keyboard, and a machine may not be able to start them."""


def _wanted_threads() -> int | None:
    """Threads that the environment asks for; Numba answers what it cannot read with a traceback, or much later."""
    text = os.environ.get(_VARIABLE, "").strip()
    if not text:
        os.environ.pop(_VARIABLE, None)  # set to nothing is not set
        return None
    if not (text.isdecimal() and 1 <= int(text) <= _MOST_THREADS):
        raise ConfigError(
            f"the environment variable {_VARIABLE} is {text!r}: make it a number from 1 to {_MOST_THREADS}, or unset it"
        )
    return int(text)


_wanted = _wanted_threads()

_SCIPY = "scipy.linalg.cython_blas"


@contextmanager
def _without_scipy() -> Iterator[None]:
    """Import Numba without SciPy, which it only asks whether it is there; that takes 0.3 s, and no kernel here multiplies matrices.

    Afterwards Numba's answer is what it would have been: it imports SciPy itself where a kernel of somebody needs it.
    """
    if "numba" in sys.modules or _SCIPY in sys.modules or find_spec("scipy") is None:
        yield
        return
    sys.modules[_SCIPY] = None  # type: ignore[assignment]  # an import of it fails
    try:
        yield
    finally:
        del sys.modules[_SCIPY]
    from numba.np import arraymath

    arraymath._HAVE_BLAS = True


with _without_scipy():
    import numba  # it reads the variable when it is imported
    from numba.core import caching
    from numba.np import arraymath  # noqa: F401  asks for SciPy

THREADS = _wanted or int(numba.config.NUMBA_NUM_THREADS)
"""As many as this process may use cores, or the environment variable ``NUMBA_NUM_THREADS``."""


def _has_home() -> bool:
    try:
        return Path.home().is_absolute()
    except RuntimeError:  # neither HOME nor the list of users says
        return False


class _Places(caching.CompileResultCacheImpl):
    """Numba's places for machine code, but for one in a home that nobody knows: that would be a folder named ``~``."""

    _locator_classes = tuple(
        place for place in caching.CacheImpl._locator_classes if place is not caching._UserWideCacheLocator or _has_home()
    )


class _Cache(caching.FunctionCache):
    """Machine code on the disk that saves time where it can be read and written, and is no reason to stop where it cannot."""

    _impl_class = _Places

    def load_overload(self, *arguments: Any) -> Any:
        """The machine code, or None; a damaged file, as a crash leaves it, is begun again."""
        try:
            return super().load_overload(*arguments)
        except Exception:  # unpickling a damaged file can fail in any way
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep machine code, unless the disk is full."""
        with suppress(OSError):
            super().save_overload(*arguments)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function on its first call, to run without Python's lock; the machine code is kept for the next program.

    It is kept beside the source, or in the user's cache folder, or in ``NUMBA_CACHE_DIR``; where none of them can be written (an
    installation that belongs to somebody else, a user without a home) each program compiles anew, which takes some seconds.

    Args:
        options: further ones of ``numba.njit``.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, **options)(function)
        with suppress(RuntimeError):  # no place
            dispatcher._cache = _Cache(function)  # what its option cache=True does, with Numba's own
        return dispatcher

    return decorate
