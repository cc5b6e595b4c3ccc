"""The benchmarks' statistics, the result file and its figures; no test says how fast anything is."""

import json
import sys
import types
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as bench
from benchmarks import tables
from benchmarks.measure import (
    Comparison,
    Curve,
    Section,
    Settings,
    Spread,
    alternate,
    fit_power,
    longer,
    readable,
    require,
    rounded,
)
from neuro_deploy.measure import machine

SETTINGS = Settings(Path("none.net"), 3, True)


def fake(settings: Settings) -> Section:
    """A benchmark that takes no time."""
    values = {"stock": [4.0] * settings.repeats, "ours": [2.0] * settings.repeats}
    curve = Curve("channels", "ours", [1, 2, 4], [[1.0], [4.0], [16.0]], "ms")
    return Section([Comparison("a step", "ms", "stock", values)], [curve], {"batch": 2}, ["[sic] checked"])


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    def here(name: str, settings: Settings) -> dict[str, object] | str:
        return fake(settings).to_dict() if name in ("training", "scaling") else "RuntimeError: no"

    monkeypatch.setattr(bench, "_child", here)
    return bench.run(["training", "scaling", "lava"], SETTINGS, Console(quiet=True))


def test_variants_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def variant(name: str, value: float) -> float:
        order.append(name)
        return value + len(order)

    values = alternate({name: (lambda name=name: variant(name, 10)) for name in "abc"}, 2)
    assert order == list("abccba")
    assert values == {"a": [11, 16], "b": [12, 15], "c": [13, 14]}


def test_ratios_are_of_pairs() -> None:
    """A machine that slows down to a third changes both of a pair and no ratio."""
    values = {"stock": [10.0, 30.0, 12.0], "ours": [5.0, 15.0, 4.0]}
    assert Comparison("", "ms", "stock", values).speed_up("ours") == Spread(2.0, 2.0, 3.0)
    assert Comparison("", "1/s", "stock", values, higher_is_better=True).speed_up("ours") == Spread(0.5, 1 / 3, 0.5)
    assert Comparison("", "ms", "stock", values).speed_up("stock") == Spread(1, 1, 1)


def test_ratios_without_a_partner_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Comparison("", "ms", "stock", {"stock": [1.0, 2.0], "ours": [1.0]}).speed_up("ours")


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 2.0])
def test_a_power_law_is_found(exponent: float) -> None:
    x = [2.0, 3.0, 8.0, 40.0]
    fit = fit_power(x, [3 * value**exponent for value in x])
    assert (fit.exponent, fit.factor, fit.r2) == pytest.approx((exponent, 3, 1))


def test_r2_falls_with_noise() -> None:
    assert fit_power([1, 2, 4, 8], [1, 4, 2, 8]).r2 == pytest.approx(0.64)


def test_short_runs_are_repeated() -> None:
    calls: list[int] = []
    mean = longer(lambda: calls.append(1) or 0.02, least=0.1)
    assert len(calls) == 1
    assert mean() == pytest.approx(0.02)
    assert len(calls) == 6
    assert longer(lambda: 5.0)() == 5.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (1.0, "1"),
        (99.94, "99.9"),
        (4319, "4319"),
        (43190, "43.2 k"),
        (1.5e6, "1500 k"),
        (2.579e9, "2579 M"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert readable(value) == text


def test_four_digits_are_kept() -> None:
    assert rounded({"a": [1.23456, 123456.7], "b": 123456, "c": None}) == {"a": [1.235, 123500.0], "b": 123456, "c": None}


def test_different_results_are_not_timed() -> None:
    require(True, "")
    with pytest.raises(RuntimeError, match="stock and ours: the results differ"):
        require(False, "stock and ours")


def test_the_result_file_holds_what_was_measured(results: dict[str, object], tmp_path: Path) -> None:
    bench.write(results, tmp_path)
    read = json.loads((tmp_path / "bench.json").read_text())
    assert read == json.loads(json.dumps(results))
    assert set(read["sections"]) == {"training", "scaling"}, "what failed is not there"
    assert {"cpu", "cores", "versions", "date", "load_start", "load_end"} <= set(read["machine"])
    ours = read["sections"]["training"]["comparisons"][0]["variants"]["ours"]
    assert ours == {
        "median": 2.0,
        "low": 2.0,
        "high": 2.0,
        "values": [2.0] * 3,
        "speed_up": {"median": 2.0, "low": 2.0, "high": 2.0},
    }
    assert read["sections"]["scaling"]["curves"][0]["fit"] == {"exponent": 2.0, "factor": 1.0, "r2": 1.0}
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "speedup.svg", "scaling.svg"}


def test_the_tables_show_it(results: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(results, Console(width=140))
    shown = capsys.readouterr().out
    assert "a step" in shown
    assert "[sic] checked" in shown


def test_the_last_word_of_a_benchmark_that_fails_is_the_reason() -> None:
    assert "invalid choice: 'nothing'" in str(bench._child("nothing", SETTINGS))


def test_a_benchmark_hands_its_section_to_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.fake", types.SimpleNamespace(measure=fake))
    monkeypatch.setitem(bench.SECTIONS, "training", "benchmarks.fake")
    output = tmp_path / "section.json"
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "training", "--quick", "--section-to", str(output)])
    assert bench.main() == 0
    assert json.loads(output.read_text()) == json.loads(json.dumps(fake(SETTINGS).to_dict()))


def test_the_machine_is_described_without_naming_it() -> None:
    described = machine.describe()
    assert described["cores"] > 0
    assert described["versions"]["numpy"]
    assert len(machine.load()) == 3
