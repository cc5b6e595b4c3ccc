"""Random synapses and layers of any kind, and chains of them."""

import numpy as np
from hypothesis import strategies as st

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.neurons import Lif, Sigma, SigmaDelta
from neuro_deploy.ir.synapses import Connection, Integers, Kernel, apply


@st.composite
def special_layers(draw: st.DrawFn, sources: int | None = None, sizes: tuple[int, ...] = (1, 2, 3, 5)) -> Layer:
    """One layer, of so many sources or of any number."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    first = draw(st.sampled_from(["matrix", "kernel", "input"]))
    connections: tuple[Connection, ...] = ()
    shape: tuple[int, ...] = (sources or draw(st.sampled_from(sizes)),)
    graded = draw(st.booleans())
    if first == "kernel":
        kernel = _kernel(rng, (3, 4, 2) if sources is None else _place(rng, sources))
        connections, shape = (Connection(kernel, graded=graded, delay=draw(st.integers(0, 2))),), kernel.target
    elif first == "matrix":
        matrix = rng.integers(-60, 61, (draw(st.sampled_from(sizes)), sources or draw(st.sampled_from(sizes))))
        matrix *= rng.random(matrix.shape) < draw(st.sampled_from([0.1, 0.5, 1]))
        of_neuron = np.repeat(rng.integers(0, 6, (len(matrix), 1)), matrix.shape[1], axis=1)
        delay = draw(st.sampled_from([0, 3, rng.integers(0, 4, matrix.shape), of_neuron]))
        connections, shape = (Connection(matrix, graded=graded, delay=delay),), matrix.shape[:1]
        if draw(st.booleans()):
            back = rng.integers(-60, 61, shape * 2)
            connections += (Connection(back, True, graded, draw(st.sampled_from([0, rng.integers(0, 4, back.shape)]))),)
    size = int(np.prod(shape))
    bias = draw(st.sampled_from([None, rng.integers(-20, 20, size)]))
    lif = Lif(
        draw(st.sampled_from([50, -3, rng.integers(1, 200, size)])),
        draw(st.sampled_from([4096, 0, rng.integers(0, 4097, size)])),
        draw(st.sampled_from([0, 512, 4096, rng.integers(0, 4097, size)])),
        bias,
        *draw(st.sampled_from([(0, 0), (5, 0), (4, 3)])),
    )
    delta = SigmaDelta(
        draw(st.integers(0, 20) | st.just(rng.integers(0, 20, size))),
        bias,
        sums=bool(connections),
        fraction=3,
        state=draw(st.integers(0, 3)),
    )
    recurrent = len(connections) > 1  # a graded loop grows beyond all numbers
    return Layer(connections, lif if recurrent else draw(st.sampled_from([lif, delta, Sigma()])), shape, kind="any")


def _place(rng: np.random.Generator, sources: int) -> tuple[int, int, int]:
    """A shape of so many neurons."""
    divisors = [width for width in range(1, sources + 1) if sources % width == 0]
    width = int(rng.choice(divisors))
    height = int(rng.choice([height for height in divisors if sources // width % height == 0]))
    return width, height, sources // width // height


def _kernel(rng: np.random.Generator, source: tuple[int, int, int]) -> Kernel:
    channels = source[2]
    groups = int(rng.choice([groups for groups in (1, 1, 2, 3) if channels % groups == 0]))
    taps = rng.integers(1, 4, 2)
    stride, dilation = rng.integers(1, 3, 2), rng.integers(1, 3, 2)
    padding = np.maximum(
        rng.integers(0, 2, 2), -((np.array(source[:2]) - dilation * (taps - 1) - 1) // 2)
    )  # at least one place
    weight = rng.integers(-9, 10, (groups * rng.integers(1, 4), channels // groups, *taps))
    return Kernel(weight, source, *(tuple(map(int, pair)) for pair in (stride, padding, dilation)), groups)  # type: ignore[arg-type]


@st.composite
def special_chains(draw: st.DrawFn) -> Chain:
    """Up to four layers, which fit."""
    layers: list[Layer] = []
    width: int | None = None
    for _ in range(draw(st.integers(1, 4))):
        layers.append(draw(special_layers(width, (1, 3, 8, 21, 63, 64, 255, 256, 257, 300))))
        width = layers[-1].size
    return Chain(1, layers[0].sources, tuple(layers), 0, constant=False)


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
