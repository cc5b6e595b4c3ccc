"""What the report reads from spikes, against other ways to the same numbers."""

from pathlib import Path

import nets
import numpy as np
import pytest
from numpy.typing import NDArray

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.inputs import fingerprint
from neuro_deploy.ir.semantics import lif_step
from neuro_deploy.report import observe
from neuro_deploy.report.ranges import ranges
from neuro_deploy.training.models.legendre import discretise, impulse_response

STEPS = 12


def test_answers_are_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    voltages, labels = rng.integers(-9, 10, (40, 6, 3)), rng.integers(0, 3, 40)
    found = observe.answers(voltages, labels)
    right, settled, confusion = [0] * 6, [0] * 6, [[0] * 3 for _ in range(3)]
    for sample, label in zip(voltages, labels, strict=True):
        given = [max(range(3), key=lambda k: step[k]) for step in sample]
        for step in range(6):
            right[step] += given[step] == label
            settled[step] += len(set(given[step:])) == 1
        confusion[label][given[-1]] += 1
    assert found.right == tuple(right)
    assert found.settled == tuple(settled)
    assert found.confusion == tuple(map(tuple, confusion))
    assert 0 < settled[4] < settled[-1] == 40


def test_the_memory_is_the_recurrent_form_of_its_busiest_channel() -> None:
    """And a window without a change is remembered as it was."""
    order, length, steps = 5, 20, 20
    writes = np.random.default_rng(1).integers(0, 2, (steps, 3)).astype(np.uint8)
    writes[:, 1] = 1
    spikes = np.zeros((steps, 3 * order), np.uint8)
    spikes[:, 0], spikes[4:7, order + 2], spikes[:, order + 4] = 1, 1, 1
    found = observe.memory(writes, spikes, impulse_response(order, length), ("u", "m"))
    assert (found.source, found.target, found.channel, found.length) == ("u", "m", 1, length)
    assert found.writes == tuple(range(steps))
    assert found.spikes == ((), (), (4, 5, 6), (), tuple(range(steps)))
    a, b = discretise(order, length)
    state = np.zeros(order)
    for step in range(steps):
        state = a @ state + b
        assert np.array(found.states)[:, step] == pytest.approx(state, abs=1e-5)
    assert np.mean(found.window) == pytest.approx(1, abs=0.1)


def test_a_window_tells_when_something_happened() -> None:
    writes = np.zeros((64, 1), np.uint8)
    writes[20:26] = 1
    found = observe.memory(writes, np.ones((64, 16), np.uint8), impulse_response(16, 64), ("u", "m"))
    assert np.argmax(found.window) == pytest.approx(63 - 22.5, abs=2)


def test_a_sample_keeps_every_spike(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    encoded = nets.samples(graph, 2, STEPS)
    trace = IntegerBackend().run(network, encoded)
    found = observe.sample(trace, 1, encoded, np.array([2, 1]))
    assert (found.index, found.label, found.answer) == (1, 1, int(trace.readout[1].argmax()))
    assert np.array_equal(found.input, encoded[1])
    assert [part.name for part in found.populations] == list(trace.populations)
    for part in found.populations:
        again = np.zeros((STEPS, part.neurons), np.uint8)
        again[part.steps, part.indices] = 1
        assert np.array_equal(again, trace.populations[part.name][1])


def test_ranges_are_of_the_voltages_of_every_step(tmp_path: Path) -> None:
    graph = nets.tiny()
    network = nets.saved(graph, tmp_path, STEPS)
    trace = IntegerBackend().run(network, nets.samples(graph, 4, STEPS))
    found = ranges(network, trace, 2)
    assert [box.name for box in found.voltages] == ["s0", "s1", "s2", "s3", "out"]
    assert (found.weight_step, found.weight_limit) == (2, 256)
    assert found.voltage_limit == (2**23 - 1) / 64
    expected = np.abs(voltages(network.chain.layers[0], trace.input[:2])[:, 1 : 1 + STEPS, :5]) / 64
    assert found.voltages[0].quantiles is not None
    assert found.voltages[0].quantiles[-1] == expected.max()
    assert found.voltages[0].zeros == pytest.approx((expected == 0).mean())
    for weight, voltage in zip(found.weights, found.voltages, strict=True):
        assert weight.quantiles is not None
        assert voltage.quantiles is not None
        assert found.weight_step <= weight.quantiles[0] <= weight.quantiles[-1] <= found.weight_limit
        assert voltage.bound is not None
        assert 0 < voltage.quantiles[-1] <= voltage.bound <= found.voltage_limit
        assert list(voltage.quantiles) == sorted(voltage.quantiles)
    assert [box.threshold for box in found.voltages] == [200, 128, 100, 90, None]


def voltages(layer: Layer, source: NDArray[np.int32]) -> NDArray[np.int64]:
    """Of a layer that does not feed itself, step by step."""
    assert layer.weight_rec is None
    u = v = np.zeros((source.shape[0], layer.size), np.int64)
    found = []
    for step in range(source.shape[1]):
        a = source[:, step - 1] @ layer.weight.T if step else 0 * v
        constants = {"current_decay": layer.current_decay, "voltage_decay": layer.voltage_decay}
        u, v, _ = lif_step(u, v, a, threshold=layer.threshold, **constants)
        found.append(v)
    return np.stack(found, axis=1)


def test_a_fingerprint_tells_samples_from_others() -> None:
    samples, labels = np.arange(24, dtype=np.float32).reshape(4, 3, 2), np.array([0, 1, 2, 3])
    same = fingerprint(samples, labels)
    assert same == fingerprint(samples.copy(), labels.astype(np.int32))
    assert same == fingerprint(np.asfortranarray(samples), labels)
    others = [
        fingerprint(samples[:3], labels[:3]),
        fingerprint(samples[::-1], labels),
        fingerprint(samples, labels[::-1]),
        fingerprint(samples.reshape(4, 2, 3), labels),
    ]
    assert len({same, *others}) == 5
