"""Synapses of any kind: torch's own convolution, and a matrix of one synapse after the other."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs
from special import as_matrix, connections, kernels

from neuro_deploy.errors import RuleError
from neuro_deploy.ir.synapses import (
    Connection,
    Kernel,
    accumulate,
    convolve,
    fan_in,
    fan_out,
    number,
    places,
    rows,
)


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


@settings(max_examples=200)
@given(connections())
def test_counts_of_synapses(connection: Connection) -> None:
    matrix = as_matrix(connection)
    assert (fan_out(connection) == np.count_nonzero(matrix, axis=0)).all()
    assert (fan_in(connection) == np.count_nonzero(matrix, axis=1)).all()
    assert number(connection) == np.count_nonzero(matrix)


@settings(max_examples=200)
@given(connections(), st.integers(0, 2**32 - 1))
def test_synapses_of_some_neurons(connection: Connection, seed: int) -> None:
    matrix = as_matrix(connection)
    low, high = np.sort(np.random.default_rng(seed).integers(0, len(matrix) + 1, 2))
    neurons, sources = rows(connection, low, high)
    assert (np.diff(neurons) >= 0).all()
    assert sorted(np.stack((neurons, sources), axis=1).tolist()) == np.argwhere(matrix[low:high]).tolist()


@settings(max_examples=100)
@given(kernels())
def test_places_are_the_synapses_of_a_kernel_without_zeros(kernel: Kernel) -> None:
    full = replace(kernel, weight=np.ones_like(kernel.weight))
    assert places(Connection(kernel)) == np.count_nonzero(as_matrix(Connection(full)))
    assert places(Connection(np.zeros((3, 4), np.int64))) == 12


@pytest.mark.parametrize("largest", [1, 2**16, 2**23])
def test_products_are_exact_whatever_the_precision(largest: int) -> None:
    rng = np.random.default_rng(0)
    weight = 2 * rng.integers(-128, 128, (7, 301))
    messages = rng.integers(-largest, largest + 1, (5, 301))
    assert (accumulate(weight, messages) == np.einsum("ij,bj->bi", weight, messages)).all()


def test_sums_that_no_number_holds_are_refused() -> None:
    with pytest.raises(RuleError, match="exact below"):
        accumulate(np.full((1, 2), 1 << 40), np.full((1, 2), 1 << 12))
