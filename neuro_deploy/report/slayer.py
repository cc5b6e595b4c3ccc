"""A SLAYER module beside its NetX file, as tables for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from neuro_deploy.report.tables import plain_table
from neuro_deploy.workbench.slayer.compare import Moment, SlayerCheck


def slayer_tables(found: SlayerCheck) -> RenderableType:
    """Blocks and layers, the first divergence with the states around it, and the likely causes."""
    names = ("block", "layer", "offset", "compared", "messages", "mismatching", "mismatching\nalone")
    table = plain_table("SLAYER and Lava", names, left=("block",))
    table.caption = (
        "Offset: steps by which SLAYER's record is later than the chip's, from the structure. Alone: the layer is fed what\n"
        "SLAYER's block before sent, so the first that mismatches alone is where the cause is."
    )
    for row in found.rows:
        numbers = (row.layer, row.offset, row.compared, row.messages, row.mismatches, row.alone)
        table.add_row(row.block, *(f"{number:,}" for number in numbers))
    parts: list[RenderableType] = [table]
    if found.around:
        parts.append(_states(found.around))
    parts.append(Text(str(found), style="green" if found.equal else "bold red"))
    return Group(*parts)


def _states(around: tuple[Moment, ...]) -> RenderableType:
    states = list(around[0].lava)
    table = plain_table("the neuron around it", ("step", *(f"{name}, {who}" for name in states for who in ("SLAYER", "Lava"))))
    for moment in around:
        values = (values.get(name) for name in states for values in (moment.slayer, moment.lava))
        table.add_row(f"{moment.step}", *("-" if value is None else f"{value:,}" for value in values))
    return table
