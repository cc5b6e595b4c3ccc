"""The result file as tables for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.measure import readable

Values = Mapping[str, Any]


def show(results: Values, console: Console) -> None:
    """Print everything."""
    machine = results["machine"]
    load = f"load {machine['load_start'][0]} at the start, {machine['load_end'][0]} at the end"
    console.print(f"{machine['cpu']}, {machine['cores']} cores, {load}, {machine['date']}, {results['repeats']} repetitions")
    for name, section in results["sections"].items():
        console.rule(name)
        for table in section_tables(section):
            console.print(table)
        for note in section["notes"]:
            console.print(f"[dim]{escape(note)}[/dim]")


def section_tables(section: Values) -> Iterator[Table]:
    """Comparisons, curves and facts of one benchmark."""
    if section["comparisons"]:
        yield comparisons_table(section["comparisons"])
    if section["curves"]:
        yield curves_table(section["curves"])
    if section["facts"]:
        yield _facts_table(section["facts"])


def comparisons_table(comparisons: list[Values]) -> Table:
    """Median, lowest and highest of each variant, and how many times faster than the base it is, pair by pair."""
    table = _table(
        "what", "variant", "median", "lowest", "highest", "unit", "times faster", "lowest", "highest", left=(0, 1, 5)
    )
    for comparison in comparisons:
        for name, variant in comparison["variants"].items():
            ratio = variant["speed_up"]
            base = name == comparison["base"]
            table.add_row(
                comparison["title"] if base else "",
                name,
                *(readable(variant[key]) for key in ("median", "low", "high")),
                comparison["unit"],
                *(("1", "", "") if base else (readable(ratio[key]) for key in ("median", "low", "high"))),
            )
        table.add_section()
    return table


def curves_table(curves: list[Values]) -> Table:
    """Medians over the sizes and the fitted exponent."""
    table = _table("over", "variant", "exponent", "R2", "unit", "size: median", left=(0, 1, 4, 5))
    for curve in curves:
        points = "  ".join(f"{readable(point['x'])}: {readable(point['median'])}" for point in curve["points"])
        fit = curve["fit"]
        law = (f"{fit['exponent']:.2f}", f"{fit['r2']:.3f}") if fit else ("", "")
        table.add_row(curve["over"], curve["variant"], *law, curve["unit"], points)
    return table


def _facts_table(facts: Values) -> Table:
    table = _table("setting or count", "value", left=(0,))
    for name, value in facts.items():
        table.add_row(name, readable(value) if isinstance(value, float) else str(value))
    return table


def _table(*names: str, left: tuple[int, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index in left else "right", overflow="fold")
    return table
