"""Reports side by side, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import run

from neuro_deploy.errors import InputError
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report import store
from neuro_deploy.report.compare import as_json, compare
from neuro_deploy.report.model import Backend, DataFacts, NetworkFacts, Report
from neuro_deploy.report.views import Answers, Ranges, Sample, Spikes

SILENT = Spikes(name="s", neurons=3, steps=(), indices=())

HASHES = {name: name * 64 for name in "abcdef"}


def report(network: str = "a", data: str = "d", **backends: dict[str, Quantity]) -> Report:
    """A small one; the figures' data is empty."""
    return Report(
        created="2026-01-01 00:00 UTC",
        machine="none",
        versions={"neuro-deploy": "0"},
        network=NetworkFacts(
            config=f"net-{network}",
            net_sha256=HASHES[network],
            classes=("x", "y"),
            steps=4,
            latency=3,
            gap=5,
            neurons={"compute": 6, "tap": 4 if network == "a" else 8, "readout": 2},
            synapses=40,
        ),
        data=DataFacts(name="digits", samples=10, sha256=HASHES[data]),
        unquantised_accuracy=Quantity(None, "%", "counted", "not run", "left out"),
        backends=tuple(Backend(name=name, what="", quantities=quantities) for name, quantities in backends.items()),
        checks=(),
        counts=(),
        energies=(),
        benchmark={},
        rates={"s": 0.5},
        answers=Answers(right=(1, 2), settled=(0, 2), confusion=((1, 0), (0, 1))),
        sample=Sample(index=0, label=0, answer=0, input=((1,), (0,)), populations=(SILENT,)),
        memories=(),
        ranges=Ranges(weights=(), weight_step=2, weight_limit=256, voltages=(), voltage_step=1, voltage_limit=9, samples=1),
    )


def counted(value: float) -> Quantity:
    return Quantity(value, "", "counted", "events")


def joules(value: float | None, kind: Any = "modelled") -> Quantity:
    return Quantity(value, "J", kind, "a table", "" if value is not None else "no counter")


FIRST = report(fast={"spikes": counted(100), "energy": joules(2e-6)}, lava={"spikes": counted(100), "energy": joules(None)})
SECOND = report("b", fast={"spikes": counted(80), "energy": joules(3e-6, "measured")}, brian={"spikes": counted(0)})
THIRD = report(fast={"spikes": counted(0), "energy": joules(1e-6)})


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """a.json to c.json, and d.json, which is of other samples; the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("a", FIRST), ("b", SECOND), ("c", THIRD), ("d", report(data="e"))):
        Path(f"{name}.json").write_text(content.model_dump_json())


def test_differences_are_to_the_first() -> None:
    found = compare([(Path("a"), FIRST), (Path("b"), SECOND), (Path("c"), THIRD)])
    rows = {(row.backend, row.name): row for row in found.rows}
    spikes = rows["fast", "spikes"]
    assert [spikes.difference(index) for index in (1, 2)] == [-20, -100]
    assert [spikes.relative(index) for index in (1, 2)] == [-0.2, -1]
    assert rows["network", "neurons"].difference(1) == 4
    assert rows["network", "synapses"].relative(2) == 0
    assert not found.same_network
    assert found.same_data


def test_what_is_of_another_kind_or_missing_is_not_subtracted() -> None:
    found = compare([(Path("a"), FIRST), (Path("b"), SECOND), (Path("c"), THIRD)])
    rows = {(row.backend, row.name): row for row in found.rows}
    energy = rows["fast", "energy"]
    assert energy.difference(1) is None, "modelled and measured"
    assert energy.difference(2) == pytest.approx(-1e-6)
    assert rows["lava", "spikes"].difference(1) is None, "the second has no such backend"
    assert rows["brian", "spikes"].quantities[0] is None
    assert ("lava", "energy") not in rows, "nobody has a value"
    assert ("network", "accuracy, real-valued") not in rows
    zero = compare([(Path("c"), THIRD), (Path("a"), FIRST)])
    spikes = next(row for row in zero.rows if row.name == "spikes")
    assert (spikes.difference(1), spikes.relative(1)) == (100, None), "no share of zero"


def test_other_data_is_refused_unless_asked_for() -> None:
    other = report(data="e")
    with pytest.raises(InputError, match=r"b.json is of 10 samples of digits \(eeeeeeee\), a.json of .*\(dddddddd\)"):
        compare([(Path("a.json"), FIRST), (Path("b.json"), other)])
    assert not compare([(Path("a.json"), FIRST), (Path("b.json"), other)], different_data=True).same_data


def test_the_table(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", "a.json", "b.json", "c.json") == 0
    shown, errors = capsys.readouterr()
    assert errors == ""
    assert "different networks, the same samples" in shown
    cells = [line.split() for line in shown.splitlines()]
    assert ["fast", "spikes", "#100", "#80", "-20", "-20.00", "#0", "-100", "-100.00"] in cells
    assert ["brian", "spikes", "-", "#0", "-", "-", "-", "-", "-"] in cells
    energy = next(line for line in shown.splitlines() if line.split()[:1] == ["energy"])
    assert energy.split()[1::2][:2] == ["~2", "3"], "modelled beside measured"
    assert run("compare", "a.json", "c.json") == 0
    assert "the same network, the same samples" in capsys.readouterr().out
    assert run("compare", "a.json", "d.json", "--different-data") == 0
    assert "the same network, DIFFERENT samples" in capsys.readouterr().out


def test_the_json(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", "a.json", "b.json", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    pairs = [(Path("a.json"), FIRST), (Path("b.json"), SECOND)]
    assert found == json.loads(json.dumps(as_json(compare(pairs))))
    assert (found["same_network"], found["same_data"]) == (False, True)
    row = next(row for row in found["rows"] if (row["backend"], row["quantity"]) == ("fast", "spikes"))
    assert row["differences"] == [-20]
    assert row["values"][0] == {"value": 100.0, "unit": "", "kind": "counted", "source": "events", "note": ""}


def change(edit: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        values = json.loads(path.read_text())
        edit(values)
        path.write_text(json.dumps(values))

    return damage


BAD: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (Path.unlink, ("no such file", "neuro-deploy report CONFIG")),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-40]), ("no JSON, or damaged",)),
    "not text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), ("no JSON, or damaged",)),
    "a list": (lambda path: path.write_text("[]"), ("not a report of this program",)),
    "a simulation": (lambda path: path.write_text('{"format_version": 2, "config": "x"}'), ("not a report of this program",)),
    "a newer one": (change(lambda v: v.update(format_version=99)), ("format_version 99, this program reads 1",)),
    "no kind": (change(lambda v: v["backends"][0]["quantities"]["spikes"].pop("kind")), ("backends.0.quantities.spikes",)),
    "another kind": (
        change(lambda v: v["backends"][0]["quantities"]["spikes"].update(kind="guessed")),
        ("backends.0.quantities.spikes.kind",),
    ),
    "an unknown key": (change(lambda v: v.update(more=1)), ("more", "damaged")),
    "NaN": (change(lambda v: v["rates"].update(s=float("nan"))), ("rates.s",)),
    "NaN in a quantity": (
        change(lambda v: v["backends"][0]["quantities"]["spikes"].update(value=float("nan"))),
        ("backends.0.quantities.spikes.value",),
    ),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), ("directory",)),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_are_no_reports(files: None, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage, texts = BAD[case]
    damage(Path("b.json"))
    assert run("compare", "a.json", "b.json") == 2
    shown, errors = capsys.readouterr()
    assert shown == ""
    assert errors.startswith("error: b.json")
    assert errors.count("\n") == 1
    for text in texts:
        assert text in errors


def test_one_report_is_nothing_to_compare(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", "a.json") == 2
    assert capsys.readouterr().err == "error: 1 report to compare: name two or more report.json\n"


def test_other_data_through_the_command_line(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", "a.json", "d.json") == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "--different-data" in errors


def test_a_report_without_figures_is_written_and_read(tmp_path: Path) -> None:
    """What a network without memory, or a machine without tables, leaves empty."""
    page, data = store.save(FIRST, tmp_path)
    assert store.load(data) == FIRST
    assert "Legendre memory" not in page.read_text()
