"""The compiled neuron against SLAYER's own."""

import math

import numba
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro_deploy.training import kernels
from neuro_deploy.training.kernels import Affine, Filter, StackLags, Synapses
from neuro_deploy.training.models import slayer
from neuro_deploy.training.models.network import Map, Memory
from neuro_deploy.training.models.norm import affine_of


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
    omitted = math.exp(-40) / unit * grad.abs().sum()  # surrogates below it are zero here, and subnormal products in SLAYER
    largest = stock_gradient.abs().max()
    assert (gradient - stock_gradient).abs().max() <= 1e-6 * largest + omitted


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


def test_scaled_input_is_a_scaled_current() -> None:
    """Gain and shift give the spikes of the current that they make, and the gradients that torch finds through it."""
    generator = torch.Generator().manual_seed(0)
    values, grad = torch.randn(2, 3, 7, 5, generator=generator)
    gain, shift = torch.randn(2, 5, generator=generator)
    lif = slayer.LIF(1000, 0.25, 1.0)
    found = [tensor.clone().requires_grad_() for tensor in (values, gain, shift)]
    spikes = lif(found[0], 0.5, (found[1], found[2]))
    spikes.backward(grad)
    expected = [tensor.clone().requires_grad_() for tensor in (values, gain, shift)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slayer.Neuron, "compiled", False)
        stock = lif(expected[0] * expected[1] + expected[2], 0.5)
    stock.backward(grad)
    assert spikes.sum() > 0
    assert torch.equal(spikes, stock)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=2e-6, atol=1e-7)


def test_states_beyond_32_bits_are_slayers_too() -> None:
    """With hardly any leak a large current adds up to more than 32 bits."""
    current = torch.full((1, 40, 2), -60_000.0)
    current[..., 1] *= -1
    for spikes, _ in both(slayer.LIF(1, 0.25, 1.0), current, 1.0, torch.ones_like(current)):
        assert spikes[..., 0].sum() == 0  # 40 steps of -60,000 * 4096 would wrap around to positive
        assert spikes[..., 1].sum() == 40


def test_a_surrogate_far_from_the_threshold_is_small_and_then_zero() -> None:
    current = torch.tensor([[[-1e30, -1e4, -40.0, -8.0, 10.0, 30.0]]])
    (_, ours), (_, stock) = both(slayer.LIF(2048, 0.25, 1.0), current, 1.0, torch.ones_like(current))
    torch.testing.assert_close(ours, stock, rtol=1e-6, atol=1e-17)  # e^-40 is 4e-18
    assert ((ours > 0) == torch.tensor([False, False, False, True, True, False])).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    inputs=st.integers(1, 3),
    order=st.integers(1, 5),
    lags=st.integers(1, 9),
    steps=st.integers(1, 7),
)
def test_filter_is_the_memorys_own(seed: int, inputs: int, order: int, lags: int, steps: int) -> None:
    """Integers, so that both are exact: the compiled filter against torch's products, forward and backward."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.randint(0, 2, (20, steps, inputs), generator=generator).float()
    weight = torch.randint(-256, 255, (inputs * order, lags), generator=generator).float()
    grad = torch.randint(-9, 9, (20, steps, inputs * order), generator=generator).float()
    check_equal_products(Memory("u", inputs, torch.zeros(order, lags)), spikes, weight, grad)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 9), st.integers(1, 40)),
    outputs=st.integers(1, 9),
    lags=st.integers(1, 4),
    rate=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_synapses_are_the_products_of_a_map(
    seed: int, shape: tuple[int, int, int], outputs: int, lags: int, rate: float
) -> None:
    """Integers, so that both are exact: spike by spike against matrix products, forward and backward."""
    samples, steps, inputs = shape
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(shape, generator=generator) < rate).float()
    weight = torch.randint(-256, 255, (outputs, lags * inputs), generator=generator).float()
    grad = torch.randint(-9, 9, (samples, steps, outputs), generator=generator).float()
    check_equal_products(Map("s", inputs, outputs, lags), spikes, weight, grad)


def check_equal_products(part: Map | Memory, spikes: torch.Tensor, weight: torch.Tensor, grad: torch.Tensor) -> None:
    """What a map gives and its two gradients, from compiled loops and from torch."""
    results = []
    for compiled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slayer.Neuron, "compiled", compiled)
            leaves = [tensor.clone().requires_grad_() for tensor in (spikes, weight)]
            product = part.apply_weight(leaves[1], leaves[0])
            product.backward(grad)
            results.append([product.detach(), *(leaf.grad for leaf in leaves)])
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


def test_synapses_of_real_weights_are_near_the_product_and_always_the_same() -> None:
    """Sums in another order round differently; their order does not depend on the threads."""
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(33, 20, 50, generator=generator) < 0.2).float()
    weight = torch.randn(30, 3 * 50, generator=generator, requires_grad=True)
    results = []
    before = numba.get_num_threads()
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            weight.grad = None
            summed = Synapses.apply(spikes, weight)
            summed.square().sum().backward()
            assert weight.grad is not None
            results.append((summed.detach(), weight.grad.clone()))
    finally:
        numba.set_num_threads(before)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    expected = StackLags.apply(spikes, 3) @ weight.t()
    torch.testing.assert_close(results[0][0], expected.detach(), rtol=1e-5, atol=1e-5)


def test_filter_gradient_of_spikes_alone() -> None:
    spikes, weight = torch.ones(2, 3, 1, requires_grad=True), torch.ones(2, 4)
    Filter.apply(spikes, weight).sum().backward()
    assert spikes.grad is not None
    assert spikes.grad.flatten().tolist() == [6, 4, 2, 6, 4, 2]


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_affine_is_torchs_batch_norm(offset: float) -> None:
    """Also where the mean is a thousand times the deviation."""
    generator = torch.Generator().manual_seed(0)
    values = (torch.randn(6, 7, 5, generator=generator) + offset).double()
    grad = torch.randn(6, 7, 5, generator=generator).double()
    norm = torch.nn.BatchNorm1d(5).double()
    torch.nn.init.uniform_(norm.weight, 0.5, 2.0)
    torch.nn.init.normal_(norm.bias)
    theirs = values.clone().requires_grad_()
    expected = norm(theirs.flatten(0, 1)).reshape(values.shape)
    expected.backward(grad)
    ours = values.float().requires_grad_()
    weight, bias = (tensor.detach().float().requires_grad_() for tensor in (norm.weight, norm.bias))
    gain, shift, statistics = Affine.apply(ours, weight, bias, norm.eps)
    (gain * ours + shift).backward(grad.float())
    assert statistics.count == 42
    near = {"rtol": 1e-4, "atol": 3e-4 * max(1.0, offset / 100)}
    torch.testing.assert_close(torch.from_numpy(statistics.mean), values.mean((0, 1)).float(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        torch.from_numpy(statistics.variance), values.float().double().var((0, 1), correction=0).float(), rtol=1e-5, atol=0
    )
    for found, reference in ((ours.grad, theirs.grad), (bias.grad, norm.bias.grad)):
        torch.testing.assert_close(found, reference.float(), **near)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_move_as_torchs(momentum: float | None) -> None:
    """With the momentum None they are the mean of all batches."""
    batches = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.nn.BatchNorm1d(5, momentum=momentum) for _ in range(2))
    for batch in batches:
        affine_of(ours, batch)
        theirs(batch.flatten(0, 1))
    assert ours.num_batches_tracked == theirs.num_batches_tracked
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_normalised_neurons_are_both_steps_in_one() -> None:
    """The same spikes, and the gradients of batch norm and neuron one after the other."""
    values, grad = torch.randn(2, 8, 7, 5, generator=torch.Generator().manual_seed(0))
    lif, norm = slayer.LIF(2048, 0.25, 1.0), torch.nn.BatchNorm1d(5)
    results = []
    for fused in (True, False):
        leaf = values.clone().requires_grad_()
        norm.zero_grad()
        if fused:
            spikes, _ = lif.normalised(leaf, norm)
        else:
            gain, shift, _ = Affine.apply(leaf, norm.weight, norm.bias, norm.eps)
            spikes = lif(leaf, scaling=(gain, shift))
        spikes.backward(grad)
        results.append([spikes.detach(), leaf.grad, norm.weight.grad.clone(), norm.bias.grad.clone()])
    assert 0 < results[0][0].mean() < 1
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_a_machine_without_a_compiler_is_warned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no code\ncan be made")

    monkeypatch.setattr(Affine, "apply", broken)
    kernels.work.cache_clear()
    try:
        current = torch.randn(2, 5, 3)
        with pytest.warns(UserWarning, match="no code can be made.*SLAYER's own loops run instead"):
            spikes = slayer.LIF(2048, 0.25, 1.0)(current)
        assert torch.equal(spikes, slayer.LIF(2048, 0.25, 1.0)(current))
    finally:
        kernels.work.cache_clear()
