"""The compiled neuron against SLAYER's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training import slayer
from training.kernels import StackLags


def both(
    lif: slayer.LIF, current: torch.Tensor, threshold: float, grad: torch.Tensor
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Spikes and input gradients, compiled and stock."""
    results = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slayer.Neuron, "compiled", compiled)
            leaf = current.clone().requires_grad_()
            spikes = lif(leaf, threshold)
            spikes.backward(grad)
            assert leaf.grad is not None
            results.append((spikes.detach(), leaf.grad))
    return results


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    decay=st.integers(1, 4095),
    threshold=st.integers(1, 253),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
    integers=st.booleans(),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(1, 9)),
)
def test_compiled_neuron_is_slayers(
    seed: int, decay: int, threshold: int, scale: float, integers: bool, shape: tuple[int, int, int]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = threshold / slayer.WEIGHT_SCALE
    current = scale * unit * torch.randn(shape, generator=generator)
    if integers:
        current = (current * slayer.WEIGHT_SCALE).round() / slayer.WEIGHT_SCALE
    grad = torch.randn(shape, generator=generator)
    (spikes, gradient), (stock_spikes, stock_gradient) = both(slayer.LIF(decay, 0.25, 1.0), current, unit, grad)
    assert torch.equal(spikes, stock_spikes)
    largest = stock_gradient.abs().max()
    assert (gradient - stock_gradient).abs().max() <= 1e-6 * largest


def test_the_surrogate_is_what_its_parameters_say() -> None:
    """One step, so the gradient is the surrogate itself: height per threshold at the threshold, 1/e of it a width away."""
    threshold, width, height = 2.0, 0.25, 0.8
    current = torch.tensor([threshold, threshold * (1 + width), threshold * (1 - width)]).reshape(1, 1, 3)
    for _, gradient in both(slayer.LIF(2048, width, height), current, threshold, torch.ones(1, 1, 3)):
        expected = height / threshold * torch.exp(-torch.tensor([0.0, 1.0, 1.0]))
        torch.testing.assert_close(gradient.flatten(), expected, rtol=1e-4, atol=0)


def test_the_threshold_is_strict() -> None:
    current = torch.tensor([127, 128, 129, 0]).float().reshape(1, 1, 4) / slayer.WEIGHT_SCALE
    for spikes, _ in both(slayer.LIF(2048, 0.25, 1.0), current, 128 / slayer.WEIGHT_SCALE, torch.ones(1, 1, 4)):
        assert spikes.flatten().tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(("steps", "lags"), [(5, 3), (2, 4), (1, 1)])
def test_stacked_lags_and_their_gradient(steps: int, lags: int) -> None:
    spikes = torch.randn(2, steps, 3, dtype=torch.float64, requires_grad=True)
    stacked = StackLags.apply(spikes, lags).reshape(2, steps, lags, 3)
    for step in range(steps):
        for lag in range(lags):
            expected = spikes[:, step - lag] if step >= lag else torch.zeros(2, 3)
            assert torch.equal(stacked[:, step, lag].float(), expected.float())
    assert torch.autograd.gradcheck(lambda x: StackLags.apply(x, lags), (spikes,))
