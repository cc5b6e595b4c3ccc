"""How far the frames of recordings are, on standard error."""

from collections.abc import Iterable, Iterator
from typing import Any


def watch_frames(frames: Iterable[Any], total: int) -> Iterator[Any]:
    """Hand on the frames of recordings as they are computed, and show how far they are on standard error.

    A terminal gets a bar, anything else one line.
    """
    from rich.console import Console
    from rich.progress import track

    errors = Console(stderr=True)
    if not errors.is_terminal:
        errors.print(f"note: computing the frames of {total:,} recordings ...", highlight=False)
    yield from track(frames, "computing frames", total, console=errors, transient=True, disable=not errors.is_terminal)
