"""The integer semantics: literal sequences, properties, a slow model in plain Python, and Lava's own code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import missing, needs

from neuro_deploy.errors import RuleError
from neuro_deploy.ir import semantics
from neuro_deploy.ir.chain import Chain, Layer

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
    return Layer(weight, weight_rec, threshold, current, voltage, bias=bias)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 4), st.integers(1, 9), st.integers(1, 3))
def test_a_layer_equals_a_slow_model(data: st.DataObject, inputs: int, steps: int, samples: int) -> None:
    layer = data.draw(layers(inputs))
    source = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).integers(0, 8, (samples, steps, inputs))
    run = semantics.run_layer(layer, source, keep_voltages=True)
    assert run.voltages is not None
    assert (run.voltages[:, -1] == run.v).all()
    for sample in range(samples):
        spikes, u, v = slow_layer(layer, source[sample])
        assert run.spikes[sample].tolist() == spikes
        assert run.u[sample].tolist() == u
        assert run.v[sample].tolist() == v


def test_a_spike_needs_one_step_a_layer() -> None:
    copy = Layer(np.array([[254]]), None, 100, 4096, 2048)
    chain = Chain(1, 0, (copy, copy, copy), 1)
    injected = np.zeros((1, 6, 1), np.int32)
    injected[0, 1] = 1
    assert [int(run.spikes[0, :, 0].argmax()) for run in semantics.run_chain(chain, injected)] == [2, 3, 4]


@pytest.mark.parametrize("largest", [1, 2**16, 2**23])
def test_products_are_exact_whatever_the_precision(largest: int) -> None:
    rng = np.random.default_rng(0)
    weight = 2 * rng.integers(-128, 128, (7, 301))
    spikes = rng.integers(0, largest + 1, (5, 301))
    assert (semantics.accumulate(weight, spikes) == np.einsum("ij,bj->bi", weight, spikes)).all()


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
