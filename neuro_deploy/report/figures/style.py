"""What the figures of a report share: size, colours by meaning, and how one becomes an SVG file."""

import base64
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from rich.cells import cell_len, set_cell_size

STYLE = Path(__file__).with_name("report.mplstyle")

WIDTH = 7.2
"""Inches of a figure as wide as the page: its text has the size of the page's."""

DARK, ACCENT, MIDDLE, LIGHT, FAINT = "#1f3b57", "#c8641e", "#7fa6c4", "#cfdde8", "#e8e8e8"
"""From dark to faint, in this order of brightness also in print; the accent is for the one thing to look at."""

ROLES = {
    "compute": {"facecolor": DARK},
    "readout": {"facecolor": "#555555"},
    "tap": {"facecolor": MIDDLE, "hatch": "////", "edgecolor": "white"},
    "relay": {"facecolor": LIGHT, "hatch": "....", "edgecolor": DARK},
    "bias": {"facecolor": "white", "edgecolor": DARK},
    "input": {"facecolor": ACCENT},
}
"""How bars of the kinds of neurons look."""

COMPONENTS = {
    "soma": {"facecolor": DARK},
    "synapse": {"facecolor": MIDDLE, "hatch": "////", "edgecolor": "white"},
    "network": {"facecolor": LIGHT, "edgecolor": DARK},
}
"""How bars of the components of an energy look."""


NAME_MAX = 40
"""Columns of a name beside an axis, of which some scripts have two a character; there is room for no more."""


def label(name: str, columns: int = NAME_MAX) -> str:
    """A name as it stands in a figure: cut where it is long, and never a formula, which it is with two dollar signs."""
    short = name if cell_len(name) <= columns else set_cell_size(name, columns - 3) + "..."
    return short.replace("$", r"\$")


def image(draw: Callable[..., Figure], *arguments: Any, **options: Any) -> str:
    """A figure in the report's style as a ``data:`` address; the arguments are those of :func:`svg`."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(draw, *arguments, **options)).decode()


def svg(draw: Callable[..., Figure], *arguments: Any, **options: Any) -> bytes:
    """Draw a figure in the report's style.

    Args:
        draw: makes it.
        arguments: of ``draw``.
        options: of ``draw``.

    Returns:
        The content of an SVG file; the same numbers give the same text.
    """
    buffer = io.BytesIO()
    with style.context(STYLE), warnings.catch_warnings():
        # The text stays text, so the reader's fonts draw it, not those of this machine.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        draw(*arguments, **options).savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
