"""Numbers that say where they are from."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "counted", "modelled"]


@dataclass(frozen=True)
class Quantity:
    """A number that says where it is from.

    Attributes:
        value: None if it is not available; ``note`` says why.
        unit: such as ``J``, ``s``, ``1/s`` or ``spikes``.
        kind: measured by a clock or a counter, counted in a run, or modelled from counts and a cost table.
        source: the counter, what was counted, or the cost table's title.
        note: what is left out, or why there is no value.
    """

    value: float | None
    unit: str
    kind: Kind
    source: str
    note: str = ""
