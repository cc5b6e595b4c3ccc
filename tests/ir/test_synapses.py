"""Synapses of any kind: torch's own convolution, and a matrix of one synapse after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.synapses import (
    Connection,
    Integers,
    Kernel,
    accumulate,
    apply,
    convolve,
    fan_in,
    fan_out,
    laid_out,
    number,
)


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    taps = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    least = [max(1, dilation[i] * (taps[i] - 1) + 1 - 2 * padding[i]) for i in range(2)]
    source = tuple(low + draw(st.integers(0, 5)) for low in least)
    weight = (
        2 * rng.integers(-128, 128, (groups * outputs, inputs, *taps)) * (rng.random((groups * outputs, inputs, *taps)) < 0.8)
    )
    return Kernel(weight, (*source, groups * inputs), stride, padding, dilation, groups)


@st.composite
def connections(draw: st.DrawFn) -> Connection:
    if draw(st.booleans()):
        return Connection(draw(kernels()), delay=draw(st.integers(0, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    weight = rng.integers(-9, 10, shape) * (rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.5, 1])))
    return Connection(weight, delay=draw(st.sampled_from([0, 2, rng.integers(0, 4, shape)])))


def as_matrix(connection: Connection) -> Integers:
    """One message of each source after the other."""
    return apply(connection.weight, np.eye(connection.sources, dtype=np.int64)).T


@needs("torch")
@settings(max_examples=200)
@given(kernels(), st.integers(0, 2**32 - 1))
def test_a_convolution_is_that_of_torch(kernel: Kernel, seed: int) -> None:
    import torch

    source = np.random.default_rng(seed).integers(-9, 10, (2, *kernel.source))
    expected = torch.nn.functional.conv2d(
        torch.tensor(source.transpose(0, 3, 1, 2), dtype=torch.float64),
        torch.tensor(kernel.weight, dtype=torch.float64),
        stride=kernel.stride,
        padding=kernel.padding,
        dilation=kernel.dilation,
        groups=kernel.groups,
    )
    found = convolve(kernel, source.reshape(2, -1)).reshape(2, *kernel.target)
    assert (found == expected.numpy().transpose(0, 2, 3, 1)).all()


@settings(max_examples=300)
@given(connections())
def test_runs_hold_each_synapse_once(connection: Connection) -> None:
    lying = laid_out(connection)
    found = np.zeros((4, connection.neurons, connection.sources), np.int64)
    for source in range(connection.sources):
        for run in range(lying.first[source], lying.first[source + 1]):
            start, length, offset = lying.start[run], lying.length[run], lying.offset[run]
            found[lying.delay[run], start : start + length, source] += lying.weight[offset : offset + length]
    matrix = as_matrix(connection)
    for delay in range(4):
        assert (found[delay] == np.where(np.asarray(connection.delay) == delay, matrix, 0)).all()


@settings(max_examples=200)
@given(connections())
def test_counts_of_synapses(connection: Connection) -> None:
    matrix = as_matrix(connection)
    assert (fan_out(connection) == np.count_nonzero(matrix, axis=0)).all()
    assert (fan_in(connection) == np.count_nonzero(matrix, axis=1)).all()
    assert number(connection) == np.count_nonzero(matrix)


@pytest.mark.parametrize("largest", [1, 2**16, 2**23])
def test_products_are_exact_whatever_the_precision(largest: int) -> None:
    rng = np.random.default_rng(0)
    weight = 2 * rng.integers(-128, 128, (7, 301))
    messages = rng.integers(-largest, largest + 1, (5, 301))
    assert (accumulate(weight, messages) == np.einsum("ij,bj->bi", weight, messages)).all()


def test_sums_that_no_number_holds_are_refused() -> None:
    with pytest.raises(RuleError, match="exact below"):
        accumulate(np.full((1, 2), 1 << 40), np.full((1, 2), 1 << 12))
