"""The layers of a NetX file as stock ``lava.lib.dl.netx.hdf5.Network`` (lava-dl 0.6.0) makes them, and what it makes of them silently.

Each reader below has its counterpart there: ``create_input``, ``create_dense``, ``create_conv``, ``get_neuron_params``.
"""

import math
from dataclasses import dataclass, replace

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.manifest import NEURONS_MAX, Loading
from neuro_deploy.ir.neurons import Lif, Neurons, Sigma, SigmaDelta
from neuro_deploy.ir.synapses import SYNAPSES_MAX, Connection, Kernel, Shape, flattened, number
from neuro_deploy.loihi import limits
from neuro_deploy.loihi.weights import stored_weights
from neuro_deploy.netx.inspection import VALUES
from neuro_deploy.netx.values import Reader

Integers = NDArray[np.int64]

SUPPORTED = ("input", "conv", "flatten", "dense", "dense_rec")

UNSUPPORTED = ("pool", "convT", "unpool", "average", "concat", "dense_comp")
"""What lava-dl exports and its loader refuses, or loads into neurons that are not modelled here."""

_STATE_BITS = 6
"""``state_exp`` of the loader."""

_SDNN_MESSAGE_BITS = 16
"""Of sigma-delta neurons, if the file says nothing."""

_WEIGHT = 64
"""By which the user of an ``input`` layer multiplies the input, if the file says nothing."""

_INTEGRATOR = Lif(1 << 17, 0, 4096)
"""What the loader makes of a dense layer without neurons."""


@dataclass(frozen=True)
class Found:
    """What is in a NetX file.

    Attributes:
        chain: the layers, with weights as they act.
        notes: what acts otherwise than it is written, one line each.
        transform: (weight, bias) by which the user is to transform the input of a first layer of neurons; None without such a layer.
    """

    chain: Chain
    notes: tuple[str, ...] = ()
    transform: tuple[int, int] | None = None


@dataclass
class _State:
    """What the loader knows at a layer of the file.

    Attributes:
        reader: of the file.
        loading: the loader's options.
        bits: message bits of what comes from the layer before.
        shape: of the layer before, or of the input where it is known.
        flatten: a flatten layer was passed.
        layers: found so far.
        notes: see :class:`Found`.
        transform: see :class:`Found`.
    """

    reader: Reader
    loading: Loading
    bits: int
    shape: Shape
    flatten: bool
    layers: list[Layer]
    notes: list[str]
    transform: tuple[int, int] | None = None

    def note(self, where: h5py.Group, message: str) -> None:
        self.notes.append(f"{(where.name or '').strip('/').replace('layer/', 'layer ')}: {message}")


def find_layers(reader: Reader, loading: Loading, message_bits: int) -> Found:
    """All layers of an open file.

    Args:
        reader: of the file.
        loading: the loader's options.
        message_bits: of the input.

    Raises:
        ModelFileError: something that stock Lava does not load, or loads into something else.
    """
    group = reader.group(reader.file, "layer")
    state = _State(reader, loading, message_bits, loading.input_shape, False, [], [])
    count = len(group) if loading.num_layers is None else min(len(group), loading.num_layers)
    for index in range(count):
        where = reader.group(group, str(index))
        layer = _read(state, where)
        if layer is not None:
            state.shape = layer.shape
            if index >= loading.skip_layers:
                _keep(state, where, layer)
    if not state.layers:
        reader.fail(group, f"there is no layer{' left' if len(group) else ''}")
    first = state.layers[0]
    shape = _input_shape(first)
    chain = Chain(1, first.sources, tuple(state.layers), 0, constant=False, input_shape=shape if len(shape) > 1 else ())
    return Found(chain, tuple(state.notes), state.transform if not first.connections else None)


def _input_shape(first: Layer) -> Shape:
    if not first.connections:
        return first.shape
    weight = first.connections[0].weight
    return weight.source if isinstance(weight, Kernel) else (first.sources,)


def _keep(state: _State, where: h5py.Group, layer: Layer) -> None:
    reader = state.reader
    if state.layers and layer.sources != state.layers[-1].size:
        reader.fail(
            where,
            f"weight has {layer.sources} columns and the layer before has {state.layers[-1].size} neurons: sizes must be equal",
        )
    state.layers.append(layer)
    neurons = sum(layer.size for layer in state.layers)
    if neurons > NEURONS_MAX:
        reader.fail(where, f"{neurons:,} neurons up to here, at most {NEURONS_MAX:,} are read: as many as a Loihi 2 has")
    synapses = sum(number(connection) for layer in state.layers for connection in layer.connections)
    if synapses > SYNAPSES_MAX:
        reader.fail(where, f"{synapses:,} synapses up to here, at most {SYNAPSES_MAX:,} are read: as many as a Loihi 2 has")


def _read(state: _State, where: h5py.Group) -> Layer | None:
    """A layer of the file; None of one without neurons, which says something of the next one."""
    kind = state.reader.text(where, "type")
    if kind not in SUPPORTED:
        what = "does not run in Lava" if kind in UNSUPPORTED else "is unknown"
        state.reader.fail(where, f"layer type {kind!r} {what}: only {', '.join(SUPPORTED)} are read")
    if kind == "flatten":
        state.flatten = True
        return None
    if kind == "input":
        return _read_input(state, where)
    if kind == "conv":
        return _read_conv(state, where)
    return _read_dense(state, where, kind)


def _shape(state: _State, where: h5py.Group) -> Shape:
    """As Lava has it: the file's from the last axis to the first."""
    sizes = state.reader.integers(where, "shape", 1, VALUES).reshape(-1).tolist()
    if math.prod(sizes) > NEURONS_MAX:
        state.reader.fail(where, f"shape {sizes} has {math.prod(sizes):,} neurons, at most {NEURONS_MAX:,} are read")
    return tuple(sizes[::-1])


def _read_input(state: _State, where: h5py.Group) -> Layer | None:
    """Neurons on the input itself; without neurons it says the input's shape."""
    reader = state.reader
    if state.layers:
        reader.fail(where, "an input layer after other layers: it must be the first")
    if "neuron" not in where:
        if "shape" in where:
            state.shape = _shape(state, where)
        return None
    shape = _shape(state, where)
    neurons, state.bits = _neurons(state, where, shape, on_input=True)
    weight = reader.scalar(where, "weight", -(1 << 23), 1 << 23) if "weight" in where else _WEIGHT
    bias = reader.scalar(where, "bias", -(1 << 23), 1 << 23) if "bias" in where else 0
    state.transform = weight, bias
    return Layer((), neurons, shape, kind="input")


def _read_dense(state: _State, where: h5py.Group, kind: str) -> Layer:
    reader = state.reader
    if "weight/real" in where or "real" in where:
        reader.fail(where, "complex weights are not supported: use layers without resonate-and-fire neurons")
    if len(state.shape) > 1 and state.layers and not state.flatten:
        reader.fail(
            where, f"a {kind} layer behind neurons of shape {list(state.shape)}: Lava needs a flatten layer between them"
        )
    size = math.prod(_shape(state, where))
    weight = reader.matrix(where, "weight", size)
    back = None
    if kind == "dense_rec":
        back = reader.matrix(where, "weight_rec", size)
        if back.shape[1] != size:
            reader.fail(where, f"weight_rec has {back.shape[1]} columns and the layer has {size} neurons: it must be square")
    before = math.prod(state.shape) if state.layers else weight.shape[1]
    if weight.shape[1] != before:
        reader.fail(
            where, f"weight has {weight.shape[1]} columns and the layer before has {before} neurons: sizes must be equal"
        )
    acting, acting_rec = _acting(state, where, weight, back)
    delay = _delays(state, where, "delay", weight.shape)
    if state.flatten and state.layers:
        order = flattened(state.shape)
        acting = np.ascontiguousarray(acting[:, order])
        delay = delay if isinstance(delay, int) else np.ascontiguousarray(delay[:, order])
    state.flatten = False
    graded = state.bits > 0
    connections = [Connection(acting, graded=graded, delay=delay)]
    if acting_rec is not None:
        late = _delays(state, where, "delay_rec", acting_rec.shape)
        if not isinstance(delay, int) or delay:
            state.note(
                where, "delay is read as that of the forward synapses; stock Lava gives it to the recurrent ones too, and fails"
            )
        connections.append(Connection(acting_rec, recurrent=True, graded=graded, delay=late))
    neurons, state.bits = _neurons(state, where, (size,))
    return Layer(tuple(connections), neurons, (size,), kind=kind)


def _acting(state: _State, where: h5py.Group, weight: Integers, back: Integers | None) -> tuple[Integers, Integers | None]:
    """The weights that act; what differs from those that are written is noted."""
    if not weight.any() and (back is None or not back.any()):
        state.reader.fail(where, "all weights are zero, which lava-dl cannot load: remove the layer or train it")
    acting, acting_rec = stored_weights(weight, back)
    pairs = [("weight", weight, acting)]
    if back is not None and acting_rec is not None:
        pairs.append(("weight_rec", back, acting_rec))
    for what, written, kept in pairs:
        if (written != kept).any():
            at = tuple(int(i) for i in np.argwhere(written != kept)[0])
            state.note(
                where,
                f"{np.count_nonzero(written != kept):,} of {written.size:,} values of {what} act as others: "
                f"{written[at]} at {list(at)} acts as {kept[at]}",
            )
    return acting, acting_rec


def _delays(state: _State, where: h5py.Group, name: str, shape: tuple[int, ...]) -> int | Integers:
    """Steps beyond one: one for all, or int64 [neurons, sources]."""
    if name not in where:
        return 0
    values = state.reader.integers(where, name, 0, 1 << 20)
    if values.max(initial=0) > limits.DELAY_MAX:
        state.note(where, f"{name} of {values.max()} steps: Lava has at most {limits.DELAY_MAX} and cuts it there")
        values = np.minimum(values, limits.DELAY_MAX)
    if values.ndim == 0:
        return int(values)
    if values.ndim == 1 and values.size == shape[0]:  # of each neuron, which Lava asks first
        values = values.reshape(-1, 1)
    elif values.ndim == 1 and values.size == shape[1]:
        values = values.reshape(1, -1)
    elif values.shape != shape:
        state.reader.fail(
            where, f"{name} has shape {list(values.shape)}, expected one value, {shape[0]}, {shape[1]} or {list(shape)}"
        )
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _read_conv(state: _State, where: h5py.Group) -> Layer:
    reader = state.reader
    if state.flatten:
        reader.fail(where, "a convolution behind a flatten layer: remove the flatten layer")
    if len(state.shape) != 3:
        known = f"it is {list(state.shape)}" if state.shape else "it is not stated"
        reader.fail(where, f"the input of a convolution has (width, height, channels), and {known}: give --input-shape W,H,C")
    if "delay" in where and reader.integers(where, "delay", 0, 1 << 20).any():
        state.note(where, "delay of a convolution: Lava ignores it")
    written = reader.integers(where, "weight", limits.WEIGHT_MIN_MIXED, limits.WEIGHT_MAX_UNSIGNED)
    if written.ndim == 5 and written.shape[4] == 1:
        written = written[..., 0]
    if written.ndim != 4 or not written.size:
        reader.fail(where, f"weight has shape {list(written.shape)}, expected [channels, inputs, height, width]")
    stride, dilation = reader.pair(where, "stride", 1, 1 << 12), reader.pair(where, "dilation", 1, 1 << 12)
    padding, groups = reader.pair(where, "padding", 0, 1 << 12), reader.scalar(where, "groups", 1, 1 << 20)
    source = state.shape[0], state.shape[1], state.shape[2]
    if source[2] != written.shape[1] * groups or written.shape[0] % groups:
        reader.fail(
            where,
            f"weight {list(written.shape)} in {groups} groups does not fit {source[2]} input channels: sizes must be equal",
        )
    kernel = Kernel(np.ascontiguousarray(written.transpose(0, 1, 3, 2)), source, stride, padding, dilation, groups)
    if min(kernel.target) < 1:
        reader.fail(
            where, f"a kernel of {list(written.shape[2:])} is larger than its input of {[source[1], source[0]]} (height, width)"
        )
    shape = _shape(state, where)
    if shape != kernel.target:
        reader.fail(
            where, f"shape is {list(shape[::-1])}, and the convolution makes {list(kernel.target[::-1])}: sizes must be equal"
        )
    connection = Connection(kernel, graded=state.bits > 0)
    neurons, state.bits = _neurons(state, where, shape)
    return Layer((connection,), neurons, shape, kind="conv")


def _neurons(state: _State, where: h5py.Group, shape: Shape, *, on_input: bool = False) -> tuple[Neurons, int]:
    """The neurons of a layer, and the message bits of what they send."""
    reader = state.reader
    if "neuron" not in where and len(shape) == 1:
        state.note(where, "without neurons: Lava makes it an integrator that fires beyond 131,072")
        return replace(_INTEGRATOR, bias=_bias(state, where, shape, on_input), **_reset(state)), 0
    neuron = reader.group(where, "neuron")
    kind = reader.text(neuron, "type")
    if kind not in ("CUBA", "LOIHI", "SDNN"):
        reader.fail(neuron, f"neuron type {kind!r} is not supported: use CUBA or SDNN")
    if kind == "SDNN":
        return _sigma_delta(state, where, neuron, shape, on_input)
    bits = reader.scalar(neuron, "messageBits", 0, limits.MESSAGE_BITS_MAX) if "messageBits" in neuron else 0
    size = math.prod(shape)
    lif = Lif(
        reader.of_all(neuron, "vThMant", 0, limits.THRESHOLD_MAX, size),
        reader.of_all(neuron, "iDecay", 0, limits.CURRENT_DECAY_MAX, size),
        reader.of_all(neuron, "vDecay", 0, limits.CURRENT_DECAY_MAX, size),
        _bias(state, where, shape, on_input),
        **_reset(state),
    )
    return lif, bits


def _sigma_delta(state: _State, where: h5py.Group, neuron: h5py.Group, shape: Shape, on_input: bool) -> tuple[Neurons, int]:
    reader = state.reader
    if state.loading.reset_interval is not None:
        state.note(where, "sigma-delta neurons are not reset: Lava ignores the reset interval")
    bits = _SDNN_MESSAGE_BITS
    if "messageBits" in neuron:
        bits = reader.scalar(neuron, "messageBits", 0, limits.MESSAGE_BITS_MAX)
    if "sigma_output" in neuron and not on_input:
        if "bias" in where:
            reader.fail(where, "bias of sigma neurons, which have none: remove it")
        return Sigma(), bits
    threshold = reader.scalar(neuron, "vThMant", 0, limits.THRESHOLD_MAX)
    bias = _bias(state, where, shape, on_input)
    fraction = state.loading.spike_exp + _STATE_BITS
    return SigmaDelta(threshold, bias, sums=not on_input, fraction=fraction, state=_STATE_BITS), bits


def _bias(state: _State, where: h5py.Group, shape: Shape, on_input: bool) -> Integers | None:
    """Of each neuron; one for each channel is that of all its neurons. That of an input layer is the user's to add."""
    if "bias" not in where or on_input:
        return None
    values = state.reader.integers(where, "bias", limits.BIAS_MIN, limits.BIAS_MAX)
    if len(shape) == 1:
        values = values.reshape(-1)
    if values.shape != shape and not (values.ndim == 1 and values.size == shape[-1]):
        state.reader.fail(where, f"bias has {values.size} values and the layer has {math.prod(shape)} neurons")
    return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1)


def _reset(state: _State) -> dict[str, int]:
    """Periodic resets: a layer's are one step later than those of the layer before it."""
    interval = state.loading.reset_interval
    if interval is None:
        return {}
    return {"reset_interval": interval, "reset_phase": (state.loading.reset_offset + 1 + len(state.layers)) % interval}
