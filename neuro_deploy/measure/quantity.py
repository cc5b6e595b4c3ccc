"""Numbers that say where they are from."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "counted", "modelled"]
"""``measured`` by a counter or a clock, ``counted`` from the events of a run, or ``modelled``: counts times a named cost table."""


@dataclass(frozen=True)
class Quantity:
    """A number that says where it is from.

    Attributes:
        value: the number, or None where there is none; ``note`` then says why.
        unit: ``J``, ``s``, ``1/s``, ``spikes``, ...
        kind: how it was obtained.
        source: the counter, what was counted, or the cost table's title.
        note: what is left out, or why there is no value.
    """

    value: float | None
    unit: str
    kind: Kind
    source: str
    note: str = ""
