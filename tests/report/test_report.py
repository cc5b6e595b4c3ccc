"""The report of a small network: its numbers, its page in a browser, and what becomes of older results."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from browser import CHROMIUM, Page, opened
from commands import MODEL, Lava, inside, labels, reference, run

from neuro_deploy import extras
from neuro_deploy.backends import lava
from neuro_deploy.backends.host import HostRun
from neuro_deploy.errors import BackendError
from neuro_deploy.measure.counts import count
from neuro_deploy.measure.energy.delays import with_delays
from neuro_deploy.measure.energy.model import energy
from neuro_deploy.measure.energy.tables import load_table, names
from neuro_deploy.measure.neurobench import neurobench
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.netx import digest, load_network
from neuro_deploy.report import store
from neuro_deploy.report.html import SECTIONS
from neuro_deploy.report.model import Report
from neuro_deploy.report.readable import readable, with_unit
from neuro_deploy.report.rows import delay_product
from neuro_deploy.verify.simulation import load_result
from neuro_deploy.workbench import bench as workbench

SAMPLES = 6
FOLDER = Path("runs/tiny")


def timed(self: object, name: str) -> tuple[HostRun, ...]:
    """In the place of seconds of measuring."""
    if name == "torch-gpu":
        raise BackendError("torch-gpu: torch finds no GPU")
    time, rate = Quantity(0.25, "s", "measured", "a clock", "a <model>"), Quantity(4.0, "1/s", "measured", "a clock")
    return (HostRun("Spiking LMUFormer", name, "batch 256", time, rate, Quantity(None, "J", "measured", "RAPL", "no counter")),)


@pytest.fixture(scope="module")
def reported(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a report of its first samples; the working directory, not to be changed."""
    folder = tmp_path_factory.mktemp("reported") / "project"
    copytree(exported, folder)
    with pytest.MonkeyPatch.context() as patch, inside(folder):
        patch.setattr(lava, "LavaBackend", Lava)
        patch.setattr(extras, "present", lambda package: package not in ("brian2_loihi", "sanafe"))
        patch.setattr(workbench.Workbench, "time", timed)
        assert run("report", "tiny.toml", "--samples", SAMPLES, "--lava-samples", 2) == 0
        yield folder


def test_it_is_of_the_network_and_the_samples(reported: Path) -> None:
    report = store.load(FOLDER / "report.json")
    network, trace, simulation = load_network(Path(MODEL)), reference(SAMPLES), load_result(FOLDER / "simulation.json")
    assert report.network.net_sha256 == digest(network)
    assert report.data.sha256 == simulation.data_sha256
    assert sum(report.network.neurons.values()) == sum(layer.size for layer in network.chain.layers)
    assert report.answers.right[-1] == round(SAMPLES * trace.accuracy(labels(SAMPLES)))
    assert sum(map(sum, report.answers.confusion)) == report.data.samples == SAMPLES
    assert sum(len(part.steps) for part in report.sample.populations) == sum(s[0].sum() for s in trace.populations.values())
    assert [memory.source for memory in report.memories] == ["u"]
    assert all(check.equal and check.compared > 0 for check in report.checks)
    assert [check.backend for check in report.checks] == ["torch", "fast", "lava-fused", "lava"]


def test_its_counts_and_energies_are_those_of_the_reference(reported: Path) -> None:
    report = store.load(FOLDER / "report.json")
    chain, trace = load_network(Path(MODEL)).chain, reference(SAMPLES)
    counts = count(trace, chain)
    rows = {backend.name: backend.quantities for backend in report.backends}
    totals = counts.totals
    assert totals.active_updates is not None
    for name in ("integer", "fast", "lava-fused"):
        assert rows[name]["spikes"].value == pytest.approx(totals.compute_spikes / SAMPLES)
        assert rows[name]["active"].value == pytest.approx(totals.active_updates / SAMPLES)
    assert sum(row.neurons for row in report.counts) == sum(report.network.neurons.values())
    for name, field in (("relay_spikes", "spikes"), ("relay_synops", "synops")):
        own = sum(getattr(row, field) for row in report.counts if row.role not in ("compute", "readout"))
        assert rows["integer"][name].value == pytest.approx(own)
    assert [model.table for model in report.energies] == list(names())
    for model in report.energies:
        expected = energy(counts, load_table(model.table)).total
        assert rows[f"{model.table} (modelled)"]["energy"] == model.total == expected
        if expected.value is None:
            assert not model.shares
            continue
        assert model.relays.value is not None
        assert model.delays.value is not None
        assert sum(share.energy for share in model.shares) == pytest.approx(expected.value)
        assert sum(part.value or 0 for part in model.components.values()) == pytest.approx(expected.value)
        delayed = energy(with_delays(counts, chain), load_table(model.table)).total.value
        assert delayed is not None
        assert model.delays.value == pytest.approx(expected.value - delayed)
        relays = sum(share.energy for share in model.shares if share.role in ("tap", "relay", "bias"))
        assert model.relays.value == pytest.approx(relays)
        assert 0 < model.delays.value <= model.relays.value < expected.value


def test_neurobench_is_of_the_same_run(reported: Path) -> None:
    chain = load_network(Path(MODEL)).chain
    found = store.load(FOLDER / "report.json").benchmark
    assert found["ConnectionSparsity"].value == pytest.approx(
        100 * neurobench(count(reference(SAMPLES), chain), chain).ConnectionSparsity
    )
    weights = sum(layer.weight.size + (0 if layer.weight_rec is None else layer.weight_rec.size) for layer in chain.layers)
    assert found["Footprint"].value == weights
    assert "Effective_ACs" in (FOLDER / "report.html").read_text()


def test_what_is_absent_says_why(reported: Path) -> None:
    rows = {backend.name: backend.quantities for backend in store.load(FOLDER / "report.json").backends}
    for name, advice in (("brian2loihi", ".[emulators]"), ("sanafe", ".[sanafe]"), ("loihi2", "INRC"), ("torch-gpu", "no GPU")):
        assert rows[name]["energy"].value is None
        assert advice in rows[name]["energy"].note
    host = rows["torch-cpu Spiking LMUFormer, batch 256"]
    assert host["latency"].value == 0.25
    assert (host["edp"].value, host["edp"].note) == (None, "no counter")


def test_every_quantity_has_a_kind_and_a_source(reported: Path) -> None:
    """On the page too: each value leads to an entry of the sources, which names them."""
    text = (FOLDER / "report.html").read_text()
    report = store.load(FOLDER / "report.json")
    for backend in report.backends:
        for name, quantity in backend.quantities.items():
            assert quantity.source, (backend.name, name)
            if name in ("latency", "throughput", "energy", "edp", "accuracy"):
                assert readable(quantity) in text
    page = Page(text)
    references = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#source-")}
    entries = {item["id"] for item in page.all("li") if item.get("id", "").startswith("source-")}
    assert references <= entries
    assert len(entries) > 5
    assert "a &lt;model&gt;" in text, "what comes from outside is escaped"


def test_the_page_is_whole_and_accessible(reported: Path) -> None:
    text = (FOLDER / "report.html").read_text()
    assert len(text) < 5e6
    page = Page(text)
    assert page.headings == ["tiny: counts and energy across backends", *SECTIONS.values()]
    assert page.elements[0] == ("html", {"lang": "en"})
    assert not page.all("script")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert link["href"][1:] in ids
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    images = page.all("img")
    assert len(images) == 10
    for image in images:
        assert image["src"].startswith("data:image/svg+xml;base64,")
        assert len(image["alt"]) > 20
    for _, attributes in page.elements:
        assert not attributes.get("src", "").startswith(("http", "//"))
        assert not attributes.get("href", "").startswith(("http", "//"))


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a browser: Chromium or Chrome, as apt-get install chromium has it"
)


@needs_chromium
def test_a_browser_opens_it_without_a_word_and_without_a_network(reported: Path, tmp_path: Path) -> None:
    found = opened(FOLDER / "report.html", tmp_path)
    assert found.messages == []
    page = Page(found.dom)
    assert page.headings == ["tiny: counts and energy across backends", *SECTIONS.values()]
    assert "<title>tiny: counts and energy across backends</title>" in found.dom


@needs_chromium
def test_the_page_lets_nothing_in_and_the_browser_tells(reported: Path, tmp_path: Path) -> None:
    """So that the test before this one can fail."""
    page = tmp_path / "page.html"
    page.write_text(
        (FOLDER / "report.html").read_text().replace("<main>", '<main><img src="https://example.org/x.png" alt="">')
    )
    messages = opened(page, tmp_path / "profile").messages
    assert len(messages) == 1
    assert "example.org" in messages[0]
    assert "Content Security Policy" in messages[0]


def test_the_same_simulation_is_used_again_and_another_is_not(
    reported: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (FOLDER / "simulation.json").read_bytes()
    assert run("report", "tiny.toml", "--samples", SAMPLES) == 0
    shown = capsys.readouterr().out
    assert "is of this network and these samples: used" in shown
    assert "every spike and every read-out is that of the reference" in shown
    assert (FOLDER / "simulation.json").read_bytes() == before
    asked: list[int] = []
    monkeypatch.setattr(
        "neuro_deploy.cli.reports.run_all",
        lambda *a, **k: asked.append(a[1]) or load_result(FOLDER / "simulation.json"),
    )
    run("report", "tiny.toml", "--samples", SAMPLES - 1)
    assert asked == [SAMPLES - 1]
    assert "is of others: simulated again" in capsys.readouterr().out


def test_a_difference_is_shown_and_ends_with_1(reported: Path, tmp_path: Path) -> None:
    report = store.load(FOLDER / "report.json")
    first = "sample 0, p, step 3, neuron 1: expected 1, found 0"
    checks = (report.checks[0].model_copy(update={"mismatches": 7, "first": first}), *report.checks[1:])
    page, data = store.save(report.model_copy(update={"checks": checks}), tmp_path)
    assert f"first at {first}" in page.read_text()
    assert "They differ." in page.read_text()
    assert store.load(data).checks[0].mismatches == 7


def test_a_report_is_the_same_after_reading(reported: Path) -> None:
    report = store.load(FOLDER / "report.json")
    assert Report.model_validate_json(report.model_dump_json()) == report
    assert json.loads((FOLDER / "report.json").read_text())["format"] == "neuro-deploy report"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123456, "s", "12.3 ms"),
        (1.05e-4, "J", "105 \N{MICRO SIGN}J"),
        (3.94e-7, "J s", "394 nJ s"),
        (0.0, "J", "0 J"),
        (99.1666, "%", "99.17 %"),
        (2534506.0, "", "2,534,506"),
        (94.44, "", "94.4"),
        (1666.7, "1/s", "1,667 /s"),
        (0.2278, "1/s", "0.228 /s"),
        (-38.0, "", "-38"),
    ],
)
def test_numbers_are_readable(value: float, unit: str, text: str) -> None:
    assert with_unit(value, unit) == text


def test_the_energy_delay_product_is_as_good_as_its_parts() -> None:
    joules, seconds = Quantity(2.0, "J", "measured", "RAPL"), Quantity(3.0, "s", "measured", "a clock")
    product = delay_product({"energy": joules, "latency": seconds})["edp"]
    assert (product.value, product.unit, product.kind) == (6.0, "J s", "measured")
    least = replace(seconds, note="at least")
    modelled = delay_product({"energy": replace(joules, kind="modelled"), "latency": least})["edp"]
    assert (modelled.kind, modelled.note) == ("modelled", "at least")
    absent = delay_product({"energy": replace(joules, value=None, note="no counter"), "latency": seconds})["edp"]
    assert (absent.value, absent.note) == (None, "no counter")
    assert "edp" not in delay_product({"latency": seconds})
