"""The integer semantics: literal sequences, properties, a slow model in plain Python, and Lava's own code."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import missing, needs
from special import special_layers

from neuro_deploy.errors import RuleError
from neuro_deploy.ir import semantics
from neuro_deploy.ir.chain import Chain, Layer, dense
from neuro_deploy.ir.neurons import Lif, Sigma, SigmaDelta
from neuro_deploy.ir.synapses import Connection, Kernel, apply

if not missing("lava"):  # at once: Lava refuses to be imported after processes were started
    import lava_reference

LIMIT = 2**23

states = st.integers(1 - LIMIT, LIMIT)
decays = st.integers(0, 4096)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("state", "rate", "expected"),
    [
        ([5, -5, 1, -1, 0], 2048, [2, -2, 0, 0, 0]),
        ([100, -100], 0, [100, -100]),
        ([LIMIT - 1, 1 - LIMIT], 4096, [0, 0]),
        ([4096, -4096, 4095], 1, [4095, -4095, 4094]),
        ([4096, -4096, 4095], 4095, [1, -1, 0]),
    ],
)
def test_decay_of_known_values(state: list[int], rate: int, expected: list[int]) -> None:
    assert semantics.decay(ints(*state), rate).tolist() == expected


@given(states, decays)
def test_decay_truncates_toward_zero(state: int, rate: int) -> None:
    magnitude = (abs(state) * (4096 - rate)) >> 12
    assert semantics.decay(ints(state), rate)[0] == (magnitude if state >= 0 else -magnitude)


@given(states, states, decays)
def test_decay_is_monotone_and_never_grows(a: int, b: int, rate: int) -> None:
    low, high = semantics.decay(ints(min(a, b), max(a, b)), rate)
    assert low <= high
    assert abs(low) <= abs(min(a, b))


def test_wrap_keeps_the_positive_limit_only() -> None:
    current = ints(LIMIT, LIMIT + 1, -LIMIT, 1 - LIMIT, -LIMIT - 1, 3 * LIMIT + 5)
    assert semantics.wrap(current).tolist() == [LIMIT, 1 - LIMIT, LIMIT, 1 - LIMIT, LIMIT - 1, LIMIT + 5]


def test_clip() -> None:
    assert semantics.clip(ints(LIMIT, -LIMIT, 7)).tolist() == [LIMIT - 1, 1 - LIMIT, 7]


def run_steps(inputs: list[int], **parameters: int) -> list[tuple[int, int, bool]]:
    u, v = ints(0), ints(0)
    seen = []
    for value in inputs:
        u, v, s = semantics.lif_step(u, v, ints(value), **parameters)
        seen.append((int(u[0]), int(v[0]), bool(s[0])))
    return seen


def test_a_voltage_of_exactly_the_threshold_does_not_fire() -> None:
    assert run_steps([100, 0], current_decay=4096, voltage_decay=2048, threshold=100) == [(6400, 6400, False), (0, 3200, False)]


def test_a_neuron_fires_above_the_threshold_and_starts_again_at_zero() -> None:
    seen = run_steps([80, 80, 0, -3, 0], current_decay=4096, voltage_decay=2048, threshold=100)
    assert seen == [(5120, 5120, False), (5120, 0, True), (0, 0, False), (-192, -192, False), (0, -96, False)]


def test_a_current_with_memory_goes_on_charging() -> None:
    seen = run_steps([100, 0, 0], current_decay=2048, voltage_decay=0, threshold=1000)
    assert seen == [(6400, 6400, False), (3200, 9600, False), (1600, 11200, False)]


def test_bias_acts_on_the_voltage_alone() -> None:
    u, v, _ = semantics.lif_step(ints(0), ints(0), ints(1), current_decay=4096, voltage_decay=0, threshold=9, bias=ints(-3))
    assert (u[0], v[0]) == (64, -128)


@needs("lava")
@given(
    st.lists(
        st.integers(-(2**21), 2**21) | st.integers(-300, 300), min_size=1, max_size=12
    ),  # Lava's own int32 holds 12 of them
    st.integers(1, 4096),
    st.integers(0, 4095),
    st.integers(1, 2**17 - 1),
    st.integers(-4096, 4095),
)
def test_equals_lavas_own_neuron(inputs: list[int], current_decay: int, voltage_decay: int, threshold: int, bias: int) -> None:
    expected = lava_reference.lif_steps(
        ints(*inputs)[:, None], current_decay=current_decay, voltage_decay=voltage_decay, threshold=threshold, bias=ints(bias)
    )
    u, v = ints(0), ints(0)
    for value, state in zip(inputs, expected, strict=True):
        u, v, s = semantics.lif_step(
            u, v, ints(value), current_decay=current_decay, voltage_decay=voltage_decay, threshold=threshold, bias=ints(bias)
        )
        assert (u[0], v[0], s[0]) == (state["u"][0], state["v"][0], state["s"][0])


def slow_layer(layer: Layer, source: np.ndarray) -> tuple[list[list[int]], list[int], list[int]]:
    """One sample through one layer, word for word in Python integers."""

    def leak(z: int, rate: int) -> int:
        return (abs(z) * (4096 - rate) >> 12) * (1 if z >= 0 else -1)

    n = layer.size
    u, v, own, out = [0] * n, [0] * n, [0] * n, []
    before = [0] * source.shape[1]
    for row in source.tolist():
        a = [sum(int(w) * x for w, x in zip(layer.weight[i], before, strict=True)) for i in range(n)]
        if layer.weight_rec is not None:
            a = [a[i] + sum(int(w) * x for w, x in zip(layer.weight_rec[i], own, strict=True)) for i in range(n)]
        spikes = []
        for i in range(n):
            u[i] = leak(u[i], layer.current_decay) + 64 * a[i]
            v[i] = leak(v[i], layer.voltage_decay) + u[i] + (0 if layer.bias is None else 64 * int(layer.bias[i]))
            spikes.append(int(v[i] > 64 * layer.threshold))
            v[i] = 0 if spikes[-1] else v[i]
        own, before = spikes, row
        out.append(spikes)
    return out, u, v


@st.composite
def layers(draw: st.DrawFn, inputs: int) -> Layer:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 5))
    weight = 2 * rng.integers(-128, 128, (size, inputs))
    kind = draw(st.sampled_from(["dense", "delay line", "recurrent"]))
    line = 254 * np.eye(size, k=-1, dtype=np.int64)
    weight_rec = {"dense": None, "delay line": line, "recurrent": 2 * rng.integers(-50, 50, (size, size))}[kind]
    bias = draw(st.sampled_from([None, rng.integers(-20, 20, size)]))
    threshold, current, voltage = draw(st.integers(1, 500)), draw(st.integers(1, 4096)), draw(st.integers(0, 4095))
    return dense(weight, weight_rec, threshold, current, voltage, bias=bias)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 4), st.integers(1, 9), st.integers(1, 3))
def test_a_layer_equals_a_slow_model(data: st.DataObject, inputs: int, steps: int, samples: int) -> None:
    layer = data.draw(layers(inputs))
    source = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).integers(0, 8, (samples, steps, inputs))
    run = semantics.run_layer(layer, source, keep_voltages=True)
    assert run.voltages is not None
    assert (run.voltages[:, -1] == run.states["v"]).all()
    for sample in range(samples):
        spikes, u, v = slow_layer(layer, source[sample])
        assert run.sent[sample].tolist() == spikes
        assert run.states["u"][sample].tolist() == u
        assert run.states["v"][sample].tolist() == v


def test_a_spike_needs_one_step_a_layer() -> None:
    copy = dense(np.array([[254]]), None, 100, 4096, 2048)
    chain = Chain(1, 0, (copy, copy, copy), 1)
    injected = np.zeros((1, 6, 1), np.int32)
    injected[0, 1] = 1
    assert [int(run.sent[0, :, 0].argmax()) for run in semantics.run_chain(chain, injected)] == [2, 3, 4]


def slow_general(layer: Layer, source: np.ndarray) -> np.ndarray:
    """One sample through any layer, one synapse and one neuron after the other, in Python integers."""
    matrices = []
    for connection in layer.connections:
        matrix = apply(connection.weight, np.eye(connection.sources, dtype=np.int64)).T
        matrices.append((connection, matrix, np.broadcast_to(np.asarray(connection.delay), matrix.shape)))
    size, neurons = layer.size, layer.neurons
    sent = np.zeros((len(source), size), np.int64)
    states = [dict.fromkeys(("u", "v", "sigma", "act", "residue"), 0) for _ in range(size)]

    def own(value: Any, i: int) -> int:
        return int(np.broadcast_to(np.asarray(0 if value is None else value), size)[i])

    def leak(z: int, rate: int) -> int:
        return (abs(z) * (4096 - rate) >> 12) * (1 if z >= 0 else -1)

    for t in range(len(source)):
        for i, state in enumerate(states):
            a = 0 if layer.connections else int(source[t, i])
            for connection, matrix, delays in matrices:
                for j in range(matrix.shape[1]):
                    at = t - 1 - int(delays[i, j])
                    if at >= 0:
                        message = int((sent if connection.recurrent else source)[at, j])
                        a += int(matrix[i, j]) * (message if connection.graded else int(message != 0))
            if isinstance(neurons, Lif):
                if neurons.reset_interval and (t + 1) % neurons.reset_interval == neurons.reset_phase:
                    state["u"] = state["v"] = 0
                state["u"] = leak(state["u"], own(neurons.current_decay, i)) + 64 * a
                state["v"] = leak(state["v"], own(neurons.voltage_decay, i)) + state["u"] + 64 * own(neurons.bias, i)
                sent[t, i] = state["v"] > 64 * own(neurons.threshold, i)
                state["v"] = 0 if sent[t, i] else state["v"]
            elif isinstance(neurons, SigmaDelta):
                state["sigma"] += a
                scale = 1 << neurons.fraction
                act = max(state["sigma"] + scale * own(neurons.bias, i), 0) if neurons.sums else a * scale
                change = act - state["act"] + state["residue"]
                message = change if abs(change) >= scale * own(neurons.threshold, i) else 0
                state["act"], state["residue"] = act, change - message
                sent[t, i] = message >> neurons.state
            else:
                state["sigma"] += a
                sent[t, i] = state["sigma"]
    return sent


@settings(max_examples=100)
@given(special_layers(), st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([1, 40, 1 << 20]))
def test_any_layer_equals_a_slow_model(layer: Layer, seed: int, steps: int, block: int) -> None:
    source = np.random.default_rng(seed).integers(-3, 4, (2, steps, layer.sources))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(semantics, "_BLOCK", block)
        run = semantics.run_layer(layer, source)
    for sample in range(2):
        assert (run.sent[sample] == slow_general(layer, source[sample])).all()


def test_what_lava_has_no_bits_for_is_refused() -> None:
    sigma = Layer((Connection(np.array([[1 << 20]]), graded=True),), Sigma(), (1,), kind="dense")
    with pytest.raises(RuleError, match=r"a dense layer: a sum reaches 3145728000, Lava has 32 bits"):
        semantics.run_layer(sigma, np.full((1, 4, 1), 1000))
    kernel = Kernel(np.array([[[[200]]]]), (1, 1, 1))
    with pytest.raises(RuleError, match="beyond 2"):
        semantics.run_layer(Layer((Connection(kernel, graded=True),), Sigma(), (1, 1, 1)), np.full((1, 4, 1), 100_000))


def test_the_sum_of_a_convolution_wraps() -> None:
    assert semantics.wrap_sum(ints(LIMIT - 1, LIMIT, -LIMIT, -LIMIT - 1)).tolist() == [LIMIT - 1, -LIMIT, -LIMIT, LIMIT - 1]


@pytest.mark.parametrize(("rate", "steps"), [(4096, 1), (4095, 2), (2048, 23), (1024, 53), (128, 412), (1, 33592)])
def test_settle_steps_of_known_decays(rate: int, steps: int) -> None:
    assert semantics.settle_steps(rate) == steps


@given(st.integers(64, 4096), st.integers(1 - LIMIT, LIMIT - 1))
def test_every_voltage_is_zero_after_settling(rate: int, voltage: int) -> None:
    state = ints(voltage)
    for _ in range(semantics.settle_steps(rate)):
        state = semantics.decay(state, rate)
    assert state[0] == 0


def test_a_voltage_that_never_leaks_never_settles() -> None:
    with pytest.raises(RuleError, match="never"):
        semantics.settle_steps(0)
