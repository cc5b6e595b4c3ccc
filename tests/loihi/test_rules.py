"""The chip's rules: each alone, all at once, and none against a sound network."""

from dataclasses import replace
from typing import Any

import nets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from special import as_matrix, special_layers

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.chain import Chain, Layer, Segment, dense
from neuro_deploy.ir.neurons import Lif, SigmaDelta
from neuro_deploy.ir.semantics import run_chain, run_layer
from neuro_deploy.ir.synapses import Connection, Kernel
from neuro_deploy.loihi import rules
from neuro_deploy.loihi.bounds import current_bounds, row_bounds, voltage_bounds
from neuro_deploy.lowering import lower

USE = rules.Use(message_bits=3, steps=20)


def change(index: int, **fields: Any) -> Chain:
    chain = lower(nets.tiny())
    layers = list(chain.layers)
    layers[index] = nets.altered(layers[index], **fields)
    return replace(chain, layers=tuple(layers))


def with_weight(index: int, value: int, row: int = 0) -> Chain:
    weight = lower(nets.tiny()).layers[index].weight.copy()
    weight[row, 0] = value
    return change(index, weight=weight)


def test_a_sound_network_breaks_no_rule() -> None:
    assert rules.violations_of(lower(nets.tiny()), USE) == []


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (with_weight(3, 300), "layer 3 (s3): weight 300 exceeds 254"),
        (with_weight(3, -258), "layer 3 (s3): weight -258 is below -256"),
        (with_weight(3, 7), "layer 3 (s3): 1 odd weights, the first is 7"),
        (change(1, threshold=0), "layer 1 (s1): threshold 0 is outside 1..131071"),
        (change(1, threshold=1 << 17), "layer 1 (s1): threshold 131072 is outside 1..131071"),
        (change(1, voltage_decay=4096), "layer 1 (s1): voltage decay 4096 is outside 0..4095"),
        (change(1, current_decay=0), "layer 1 (s1): current decay 0 is outside 1..4096"),
        (change(1, bias=np.full(22, 5000)), "layer 1 (s1): bias 5000 is outside -4096..4095"),
        (change(4, weight=np.zeros((3, 8), np.int64)), "layer 4 (out): all weights are zero"),
        (change(4, weight=np.zeros((3, 9), np.int64)), "layer 3 (s3) [8] -> layer 4 (out) [9]: sizes differ"),
        (change(1, weight_rec=np.zeros((3, 9), np.int64)), "layer 1 (s1): recurrent weights of shape [3, 9]"),
    ],
)
def test_a_broken_rule_says_what_and_which_limit(chain: Chain, message: str) -> None:
    (violation,) = [v for v in rules.violations_of(chain, USE) if message in v]
    assert violation


def test_all_violations_are_reported_at_once() -> None:
    chain = with_weight(3, 301)
    layers = (nets.altered(chain.layers[0], threshold=-1), *chain.layers[1:])
    with pytest.raises(RuleError) as caught:
        rules.check(replace(chain, layers=layers), message_bits=0, steps=20)
    for part in ("threshold -1", "weight 301 exceeds", "301", "0 message bits", "odd"):
        assert part in str(caught.value)


def test_a_weight_that_lava_would_store_otherwise() -> None:
    inhibitory = dense(np.array([[-256, 0]]), np.array([[254]]), 100, 4096, 2048)
    chain = Chain(1, 1, (inhibitory, dense(np.array([[2]]), None, 131071, 4096, 0)), 1)
    (violation,) = rules.violations_of(chain, USE)
    assert "layer 0: weight -256 at [0, 0] would be stored as -255" in violation


def wide(weight: int, inputs: int, *, threshold: int = 100, decay: int = 2048, rest: int = 0) -> Chain:
    """``inputs`` graded channels on one neuron, and a read-out."""
    first = dense(np.array([[weight] * inputs + [rest]]), None, threshold, 4096, decay)
    return Chain(1, inputs, (first, dense(np.array([[2]]), None, 131071, 4096, 0)), 40)


@pytest.mark.parametrize(("inputs", "broken"), [(73, False), (74, True)])
def test_the_current_must_not_wrap(inputs: int, broken: bool) -> None:
    # 7 * 254 * 73 * 64 = 8,306,816 is the last below 2**23.
    found = [v for v in rules.current_range(wide(254, inputs, rest=-2), USE) if "wraps" in v]
    assert bool(found) == broken
    if broken:
        assert "layer 0: neuron 0's current can reach 8420608" in found[0]


@pytest.mark.parametrize(("inputs", "broken"), [(36, False), (37, True)])
def test_the_voltage_must_not_clip(inputs: int, broken: bool) -> None:
    # Inhibition that halves each step adds up to twice itself.
    assert bool(rules.voltage_range(wide(-256, inputs, rest=2), USE)) == broken


def of_others(layer: Layer) -> Chain:
    return Chain(1, layer.sources, (layer,), 0, constant=False)


@settings(max_examples=150)
@given(special_layers(), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_no_run_of_any_lif_layer_leaves_the_bounds(layer: Layer, seed: int, steps: int) -> None:
    """Convolutions, delays, resets, parameters of each neuron, graded inputs of either sign."""
    if not isinstance(layer.neurons, Lif) or not layer.connections:
        return
    injected = np.random.default_rng(seed).choice([-3, 0, 3], (4, steps, layer.sources))
    current = current_bounds(of_others(layer), 0, 2, steps=steps)
    never = replace(layer, neurons=replace(layer.neurons, threshold=(1 << 17) - 1))
    for each in (layer, never):
        states = run_layer(each, injected).states
        lowest, highest = voltage_bounds(each, current, steps)
        assert (states["u"] >= current[0]).all()
        assert (states["u"] <= current[1]).all()
        assert (states["v"] >= lowest).all()
        assert (states["v"] <= np.maximum(highest, 0)).all()


@settings(max_examples=100)
@given(special_layers(), st.integers(0, 3))
def test_a_neuron_s_input_reaches_its_bounds(layer: Layer, bits: int) -> None:
    """One synapse after the other at its worst."""
    low, high = np.zeros((2, layer.size), np.int64)
    for one in layer.connections:
        own = layer.graded if one.recurrent else True
        most = (1 if not one.graded or not own else 2**24 - 1 if one.recurrent else 2**bits - 1) * as_matrix(one)
        least = -most if one.graded and own else 0 * most
        low += np.minimum(most, least).sum(axis=1)
        high += np.maximum(most, least).sum(axis=1)
    found = row_bounds(of_others(layer), 0, bits)
    assert (found[0] == low).all()
    assert (found[1] == high).all()


def test_graded_messages_of_neurons_have_24_bits() -> None:
    first = Layer((Connection(np.array([[3]]), graded=True),), SigmaDelta(1), (1,))
    for graded, most in ((True, 2**24 - 1), (False, 1)):
        last = Layer((Connection(np.array([[-2]]), graded=graded),), Lif(1, 4096, 0), (1,))
        low, high = row_bounds(Chain(1, 1, (first, last), 0, constant=False), 1, 3)
        assert (low[0], high[0]) == (-2 * most, 2 * most * graded)


@pytest.mark.parametrize(("value", "decay", "interval", "risk"), [(100, 4096, 0, ""), (100, 1, 0, "current"), (900, 0, 2, "")])
def test_what_the_worst_input_could_do_is_told(value: int, decay: int, interval: int, risk: str) -> None:
    kernel = Kernel(np.full((1, 1, 3, 3), value // 9), (4, 4, 1))
    layer = Layer((Connection(kernel),), Lif(10, decay, 4096, reset_interval=interval), (2, 2, 1), kind="conv")
    sdnn = Layer((Connection(np.full((2, 4), 1 << 7), graded=True),), SigmaDelta(1), (2,))
    found = rules.risks_of(Chain(1, 16, (layer, sdnn), 0, constant=False), rules.Use(0, 5000))
    assert len(found) == bool(risk)
    assert risk in "".join(found)
    assert rules.risks_of(lower(nets.tiny()), USE) == []


def test_the_rules_of_a_network_of_others() -> None:
    """All at once, by layer, neuron and limit; sigma-delta neurons have no decays and no 17 bits."""
    delayed = Layer((Connection(np.full((3, 4), 2), delay=np.full((3, 4), 63)),), Lif(np.array([1, 0, 1 << 17]), 0, 4095), (3,))
    mixed = Layer((Connection(np.array([[3, -200, 2]])),), Lif(5, np.array([4097]), 4096, np.array([-5000])), (1,))
    sdnn = Layer((Connection(np.array([[3]])),), SigmaDelta(1 << 20), (1,))
    chain = Chain(1, 4, (delayed, mixed, sdnn), 0, constant=False)
    assert rules.violations_of(chain, USE) == [
        "layer 1: 1 odd weights, the first is 3: beside others of the other sign and beyond 127 they need a ninth bit, which Lava's "
        "simulation has, but the chip does not",
        "layer 0: threshold 131072 is outside 1..131071 (of 2 neurons, 1 the first)",
        "layer 0: current decay 0 is outside 1..4096",
        "layer 1: current decay 4097 is outside 1..4096",
        "layer 1: voltage decay 4096 is outside 0..4095",
        "layer 1: bias -5000 is outside -4096..4095",
        "layer 0: a delay of 63 steps exceeds 62: use shorter ones",
    ]


def readout(weight: int, sources: int) -> Chain:
    first = dense(np.full((sources, 2), 2), None, 100, 4096, 2048)
    return Chain(1, 1, (first, dense(np.full((1, sources), weight), None, 131071, 4096, 0)), 40)


@pytest.mark.parametrize(
    ("weight", "sources", "message"),
    [(254, 25, ""), (254, 26, "fires above 8388544"), (-254, 25, ""), (-254, 26, "clips below -8388607")],
)
def test_the_readout_must_hold_a_sample(weight: int, sources: int, message: str) -> None:
    # 20 steps * 64 * 254 * 25 = 8,128,000.
    found = rules.readout_range(readout(weight, sources), USE)
    assert bool(found) == bool(message)
    assert message in "".join(found)


def test_the_bias_line_is_on_at_each_step_of_a_readout() -> None:
    sources = (Segment("a", 0, 25, "compute", "a", 0), Segment("bias", 25, 26, "bias", "bias", 0))
    last = dense(np.array([[254] * 25 + [-200]]), None, 131071, 4096, 0)
    chain = Chain(1, 1, (dense(np.full((26, 2), 2), None, 100, 4096, 2048, sources), last), 40)
    low, high = row_bounds(chain, 1, 3, bias_always=True)
    assert (low[0], high[0]) == (-200, 25 * 254 - 200)
    low, high = row_bounds(chain, 1, 3)
    assert (low[0], high[0]) == (-200, 25 * 254)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4096), st.integers(0, 4095))
def test_no_run_leaves_the_bounds(seed: int, current_decay: int, voltage_decay: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [2 * rng.integers(-128, 128, shape) for shape in ((3, 4), (3, 3), (2, 3))]
    first = dense(
        weights[0], weights[1], int(rng.integers(1, 300)), current_decay, voltage_decay, bias=rng.integers(-50, 50, 3)
    )
    chain = Chain(1, 3, (first, dense(weights[2], None, 131071, 4096, 0)), 0)
    injected = rng.integers(0, 8, (4, 30, 4))
    injected[..., 3] = rng.integers(0, 2, (4, 30))
    low, high = current_bounds(chain, 0, 3)
    # The voltage before the reset is not recorded; a threshold that is never reached shows it.
    silent = nets.altered(first, threshold=(1 << 17) - 1)
    for layer in (first, silent):
        run, _ = run_chain(replace(chain, layers=(layer, chain.layers[1])), injected)
        lowest, highest = voltage_bounds(layer, (low, high), 30)
        assert (run.states["u"] >= low).all()
        assert (run.states["u"] <= high).all()
        assert (run.states["v"] >= lowest).all()
        assert (run.states["v"] <= np.maximum(highest, 0)).all()
