"""The figures show the numbers that they are given, also where these are odd."""

import base64

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuro_deploy.report.figures import answers, energy, memory, merit, ranges, spikes
from neuro_deploy.report.figures.style import image, label


def text_of(draw: object, *arguments: object) -> str:
    """The SVG as text."""
    address = image(draw, *arguments)  # type: ignore[arg-type]
    return base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).decode()


def bars(axes: Axes) -> dict[str, list[float]]:
    """Widths by the label of their container."""
    return {str(part.get_label()): [bar.get_width() for bar in part] for part in axes.containers}  # type: ignore[attr-defined]


def test_the_same_numbers_give_the_same_figure() -> None:
    first, second = (text_of(spikes.rates, {"s0": 0.15, "u": rate}) for rate in (0.3, 0.3))
    assert first == second
    assert "30.0" in first, "text is text, not paths"
    assert first != text_of(spikes.rates, {"s0": 0.15, "u": 0.31})


def test_a_raster_has_a_mark_for_each_spike() -> None:
    frames = np.arange(8).reshape(8, 1)
    figure = spikes.raster(frames, [("a", 3, (0, 5, 7), (2, 0, 1)), ("silent", 200, (), ())])
    _, first, second = figure.axes
    assert first.lines[0].get_xydata().tolist() == [[0, 2], [5, 0], [7, 1]]
    assert second.lines[0].get_xydata().size == 0
    assert [axes.get_ylabel() for axes in figure.axes] == ["input", "a", "silent"]
    assert first.get_position().height < second.get_position().height


def test_an_input_of_many_channels_is_an_image() -> None:
    figure = spikes.raster(np.ones((8, 40), int), [("a", 3, (0,), (2,))])
    assert figure.axes[0].images[0].get_array().shape == (40, 8)


def test_stacks_add_up() -> None:
    rows = [("one", {"soma": 1e-6, "synapse": 2e-6, "network": 0.0}), ("two", {"soma": 3e-6, "network": 4e-6})]
    figure = energy.components(rows)
    found = bars(figure.axes[0])
    assert list(found) == ["soma", "synapse", "network"]
    assert [width for widths in found.values() for width in widths] == pytest.approx([1e-6, 3e-6, 2e-6, 0, 0, 4e-6])
    starts = [bar.get_x() for bar in figure.axes[0].containers[2]]  # type: ignore[attr-defined]
    assert starts == pytest.approx([3e-6, 3e-6])
    svg = text_of(energy.components, rows)
    assert "3 \N{MICRO SIGN}J" in svg
    assert "7 \N{MICRO SIGN}J" in svg


def test_no_energy_is_no_error() -> None:
    for draw in (energy.components, energy.shares, energy.relays):
        assert isinstance(draw([]), Figure)
    assert "no numbers" in text_of(energy.cost, [energy.Cost("a", (1.0, True), None)])


def test_costs_are_filled_where_they_were_measured() -> None:
    figure = energy.cost([energy.Cost("a", (0.5, True), (2.0, False)), energy.Cost("b", None, (3.0, True))])
    left, right = figure.axes
    marks = [[line for line in axes.lines if line.get_marker() == "o"] for axes in (left, right)]
    assert [line.get_xdata() for line in marks[0]] == [[0.5]]
    assert [line.get_xdata() for line in marks[1]] == [[2.0], [3.0]]
    assert [line.get_color() == "white" for line in marks[1]] == [True, False]


@pytest.mark.parametrize("classes", [2, 12, 35])
def test_a_confusion_has_every_count(classes: int) -> None:
    counts = np.diag(np.arange(1, classes + 1))
    counts[0, 1] = 77
    figure = answers.confusion(counts, [f"word {k}" for k in range(classes)])
    texts = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert texts[1, 0] == "77"
    assert len(texts) == classes + 1
    assert figure.get_figwidth() <= 7.2


def test_accuracy_over_steps_is_in_per_cent() -> None:
    figure = answers.over_steps((1, 3, 4), (0, 2, 4), 4, 5)
    right, chance, settled = figure.axes[0].lines
    assert list(right.get_ydata()) == [25, 75, 100]
    assert list(settled.get_ydata()) == [0, 50, 100]
    assert set(chance.get_ydata()) == {20}


def test_a_memory_without_spikes_and_one_of_a_longer_sample() -> None:
    silent = memory.memory((), np.zeros((3, 10)), [(), (), ()], np.zeros(10), ("u", "m"))
    assert [label.get_text() for label in silent.axes[0].get_yticklabels()] == ["u", "order 0", "order 1", "order 2"]
    longer = memory.memory((0, 5, 29), np.ones((12, 30)), [(1,)] * 12, np.ones(10), ("u", "m"))
    shown = longer.axes[0].get_yticklabels()
    assert len(shown) == 1 + memory.SHOWN
    ticks = longer.axes[1].collections[-1].get_segments()  # type: ignore[attr-defined]
    assert [segment[0][0] for segment in ticks] == [0], "of the window, the last spike alone"


def test_ranges_are_boxes_over_their_format() -> None:
    rows = [ranges.Row("a", (2, 4, 8, 16, 32, 64, 128), 20, 200), ranges.Row("silent", None, None, None)]
    figure = ranges.ranges(rows, ranges.Format(2, 256), rows, ranges.Format(1 / 64, 2**17))
    left, right = figure.axes
    formats = [bar for bar in left.patches if bar.get_height() > 0.8]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in formats] == [(2, 256)] * 2
    boxes = [bar for bar in left.patches if bar.get_height() < 0.8]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in boxes] == [(8, 32)]
    assert {line.get_marker(): list(line.get_xdata()) for line in right.lines if len(line.get_xdata())} == {
        "D": [200],
        "|": [20],
    }


def test_models_are_a_curve_of_spikes_and_marks_without() -> None:
    points = [
        merit.Point("wide", 3e6, 0.96, 0.01, True),
        merit.Point("thin", 1e6, 0.94, 0.01, True),
        merit.Point("gru", 6e6, 0.95, 0.02, False),
    ]
    (axes,) = merit.tradeoff(points).axes
    curve, marks = (container.lines[0] for container in axes.containers)  # type: ignore[attr-defined]
    assert curve.get_xydata().tolist() == [[1e6, 94.0], [3e6, 96.0]]
    assert marks.get_xydata().tolist() == [[6e6, 95.0]]
    assert [text.get_text() for text in axes.texts] == ["wide", "thin", "gru"]
    assert axes.get_xscale() == "log"
    (alone,) = merit.tradeoff(points[:2]).axes
    assert alone.get_xscale() == "linear"


def test_networks_of_the_least_size() -> None:
    """Without a computing population, of one step, of one class: there is little to draw, and nothing to complain of."""
    assert "spikes in 100 neuron-steps" in text_of(spikes.rates, {})
    assert "model step" in text_of(spikes.raster, np.ones((1, 1), int), [])
    assert "settled" in text_of(answers.over_steps, [1], [1], 1, 1)
    assert "true class" in text_of(answers.confusion, [[1]], ["a"])


def test_names_are_cut_to_the_room_that_there_is() -> None:
    wide, long, formula = "\N{CJK UNIFIED IDEOGRAPH-8A9E}" * 255, "m" * 255, r"$\bad{x}$ $y$"
    assert label(long) == "m" * 37 + "..."
    assert label(wide) == wide[:18] + " ..."
    assert formula in text_of(spikes.rates, {formula: 0.1, wide: 0.2, long: 0.3})
    text_of(answers.confusion, [[1, 0], [0, 1]], [wide, long])
    text_of(spikes.raster, np.ones((8, 1), int), [(wide, 3, (0,), (2,)), (long, 3, (0,), (2,))])
