"""Names of others in a report: whatever they hold, a reader sees them as text and a browser runs nothing."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nets
import numpy as np
import pytest
from browser import CHROMIUM, Page, opened
from commands import Lava, inside, run

from neuro_deploy import extras
from neuro_deploy.backends import lava
from neuro_deploy.ir.graph import INPUT, Graph
from neuro_deploy.ir.network import Network
from neuro_deploy.lowering import lower
from neuro_deploy.netx import save_network
from neuro_deploy.report.html import render
from neuro_deploy.report.model import Report

WORD = "intruder"
"""In every hostile name, so that it is found wherever it went."""

HOSTILE = (
    f"<script>document.title='{WORD}';console.error('{WORD}')</script>",
    f"<img src=x onerror=\"console.error('{WORD}')\">",
    f"</td></table></style></title></script><svg onload=console.error('{WORD}')>",
    f"\" onmouseover=\"console.error('{WORD}')\" id='{WORD}' x='",
    f"javascript:console.error('{WORD}')",
    f"{{{{ 7 * 7 }}}}{{% raw %}}<!-- {WORD} --><![CDATA[{WORD}]]>&lt;{WORD}&gt;",
    f"$\\frac{{{WORD}}}$ $x_$",
    f"\N{CJK UNIFIED IDEOGRAPH-8A9E}\N{GRINNING FACE}\N{RIGHT-TO-LEFT OVERRIDE}{WORD}" + "m" * 200,
)
CONFIG = f"<img src=x onerror=console.error('{WORD}')>"
"""A name of a folder, so without a slash."""

SAMPLES = '" onmouseover="console.error(1)" \' <svg onload=console.error(2)>.npz'
"""A name of a file."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page of a network whose names are hostile, and of samples in a file whose name is."""
    folder = tmp_path_factory.mktemp("names")
    graph = renamed(nets.tiny())
    about = replace(nets.about(graph, 20), config=CONFIG, classes=HOSTILE[5:])
    data = Path(CONFIG) / SAMPLES
    with pytest.MonkeyPatch.context() as patch, inside(folder):
        save_network(Network.of(lower(graph), about), Path("hostile.net"))
        data.parent.mkdir()
        with data.open("wb") as file:
            np.savez(file, samples=nets.samples(graph, 4, 20), labels=np.array([0, 1, 2, 1]))
        patch.setattr(lava, "LavaBackend", Lava)
        patch.setattr(extras, "present", lambda package: package not in ("brian2_loihi", "sanafe"))
        assert run("report", "hostile.net", "--data", data, "--lava-samples", 2) == 0
        yield Path("runs") / CONFIG


def renamed(graph: Graph) -> Graph:
    """Its populations have hostile names."""
    names = {INPUT: INPUT} | dict(zip(graph.populations, HOSTILE, strict=False))
    populations = {names[name]: replace(part, name=names[name]) for name, part in graph.populations.items()}
    projections = tuple(replace(p, source=names[p.source], target=names[p.target]) for p in graph.projections)
    return Graph(graph.channels, populations, projections)


def structure(text: str) -> list[tuple[str, list[str]]]:
    """Elements of a page with the names of their attributes."""
    return [(tag, list(attributes)) for tag, attributes in Page(text).elements]


def test_names_make_no_element_and_no_attribute(report: Path) -> None:
    text = (report / "report.html").read_text()
    values = (report / "report.json").read_text()
    for index, name in enumerate((*HOSTILE, CONFIG, SAMPLES)):
        written = json.dumps(name, ensure_ascii=False)[1:-1]
        assert written in values, f"{name} is nowhere in the report"
        values = values.replace(written, f"plain{index}")
    harmless = render(Report.model_validate_json(values))
    assert WORD not in harmless
    assert structure(text) == structure(harmless)
    for tag, attributes in Page(text).elements:
        assert tag not in ("script", "object", "embed", "iframe", "form", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in ("href", "src", "id", "style", "action") or WORD not in value, (tag, name, value)


def test_figures_show_names_as_text(report: Path) -> None:
    """Two dollar signs are no formula, and no name is so long that nothing else has room."""
    images = [image["src"].partition("base64,")[2] for image in Page((report / "report.html").read_text()).all("img")]
    drawn = " ".join(base64.b64decode(image).decode() for image in images)
    assert "<script" not in drawn
    assert "onload" not in drawn.replace("svg onload=console", "")
    assert "$\\frac{intruder}$ $x_$" in drawn


needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium or Chrome, as apt-get install chromium brings it: a browser decides what runs"
)


@needs_chromium
@pytest.mark.parametrize("policy", [True, False], ids=["as it is", "without its policy"])
def test_a_browser_runs_nothing(policy: bool, report: Path, tmp_path: Path) -> None:
    """Even without the page's policy, which forbids scripts in any case."""
    text = (report / "report.html").read_text()
    page = tmp_path / "page.html"
    page.write_text(text if policy else text.replace("Content-Security-Policy", "X"))
    found = opened(page, tmp_path / "profile")
    assert found.messages == []
    assert Page(found.dom).headings[0] == f"{CONFIG}: counts and energy across backends"
    assert [tag for tag, _ in structure(found.dom)] == [tag for tag, _ in structure(text)]


@needs_chromium
def test_the_browser_would_run_such_names(tmp_path: Path) -> None:
    """So that the test before this one can fail."""
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><html><head><title></title></head><body>{HOSTILE[0]}{CONFIG}</body></html>")
    messages = opened(page, tmp_path / "profile").messages
    assert sum(WORD in message for message in messages) == 2
