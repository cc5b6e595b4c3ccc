"""The Legendre memory against its definition."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import eval_legendre

from neuro_deploy.training.models.legendre import impulse_response, state_space


@pytest.mark.parametrize(("order", "length"), [(1, 4), (6, 16), (16, 64), (32, 128)])
def test_impulse_response_is_the_recurrent_form(order: int, length: int) -> None:
    """Hold-discretised by the exponential of the augmented matrix, and run as a recurrence."""
    a, b = state_space(order, length)
    augmented = np.zeros((order + 1, order + 1))
    augmented[:order, :order], augmented[:order, order:] = a, b
    step = expm(augmented)
    spikes = np.random.default_rng(0).integers(0, 2, length)
    memory = np.zeros(order)
    for spike in spikes:
        memory = step[:order, :order] @ memory + step[:order, order] * spike
    response = impulse_response(order, length)
    assert response.shape == (order, length)
    np.testing.assert_allclose(response[:, ::-1] @ spikes, memory, atol=1e-9)


def test_the_memory_holds_the_window() -> None:
    """A slow signal can be read back at any lag with shifted Legendre polynomials: m is its projection."""
    order, length = 12, 64
    steps = np.arange(4 * length)
    signal = np.sin(2 * np.pi * steps / length)
    a, b = state_space(order, length)
    augmented = np.zeros((order + 1, order + 1))
    augmented[:order, :order], augmented[:order, order:] = a, b
    step = expm(augmented)
    memory = np.zeros(order)
    for value in signal:
        memory = step[:order, :order] @ memory + step[:order, order] * value
    lags = np.linspace(0.1, 0.9, 9)
    decoded = np.stack([eval_legendre(i, 2 * lags - 1) for i in range(order)], axis=1) @ memory
    expected = np.sin(2 * np.pi * (steps[-1] + 0.5 - lags * length) / length)
    np.testing.assert_allclose(decoded, expected, atol=0.05)
