"""NetX files that this project did not make: random layers with whatever lava-dl's loader takes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.synapses import Kernel

KINDS = ("mixed", "even", "full", "positive", "negative", "large", "powers")


@dataclass
class FileLayer:
    weight: NDArray[np.int64]
    weight_rec: NDArray[np.int64] | None = None
    bias: NDArray[np.int64] | None = None
    neuron: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    shape: tuple[int, ...] = ()


def weights(rng: np.random.Generator, shape: tuple[int, int], kind: str) -> NDArray[np.int64]:
    ranges = {"mixed": (-40, 60), "full": (-256, 255), "positive": (0, 120), "negative": (-100, 0), "large": (0, 320)}
    if kind == "even":
        found = 2 * rng.integers(-60, 60, shape)
    elif kind == "powers":
        found = -(2 ** rng.integers(0, 8, shape))
    else:
        found = rng.integers(*ranges[kind], shape)
    found *= rng.random(shape) < rng.choice([0.05, 0.3, 1.0])
    found[0, 0] = 60 if kind != "negative" and kind != "powers" else -64
    return found


def layer(rng: np.random.Generator, inputs: int, size: int) -> FileLayer:
    kind = str(rng.choice(KINDS))
    recurrent = rng.random() < 0.5
    rec_kind = (
        "negative" if kind in ("powers", "negative") else str(rng.choice(["mixed", "even", "positive", "full", "powers"]))
    )
    return FileLayer(
        weights(rng, (size, inputs), kind),
        weights(rng, (size, size), rec_kind) if recurrent else None,
        rng.integers(-300, 500, size) if rng.random() < 0.7 else None,
        {
            "type": b"CUBA",
            "iDecay": int(rng.choice([0, 1, 700, 4095, 4096])),
            "vDecay": int(rng.choice([0, 1, 128, 2048, 4095, 4096])),
            "vThMant": int(rng.choice([1, 60, 200, 1000])),
            "refDelay": 1,
            "gradedSpike": False,
        },
    )


def network(rng: np.random.Generator, channels: int, depth: int = 3, largest: int = 21) -> list[FileLayer]:
    sizes = [channels, *rng.integers(1, largest, depth).tolist()]
    return [layer(rng, before, size) for before, size in itertools.pairwise(sizes)]


def write(path: Path, layers: Sequence[FileLayer]) -> Path:
    with h5py.File(path, "w") as file:
        for index, one in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            kind = one.kind or ("dense" if one.weight_rec is None else "dense_rec")
            group["type"] = np.array([kind.encode()], "S10")
            group["shape"] = np.array(one.shape or one.weight.shape[:1])
            group["weight"] = one.weight
            if one.weight_rec is not None:
                group["weight_rec"] = one.weight_rec
            if one.bias is not None:
                group["bias"] = one.bias
            for name, value in one.extra.items():
                group[name] = value
            for name, value in one.neuron.items():
                group[f"neuron/{name}"] = value
    return path


@dataclass
class FileNetwork:
    """A file of layers of any kind, and how it is loaded.

    Attributes:
        layers: for :func:`write`.
        shape: (width, height, channels) or (channels,) of the input.
        bits: of the input's messages.
        loading: options of the loader.
        signed: the input may be negative.
    """

    layers: list[FileLayer]
    shape: tuple[int, ...]
    bits: int
    loading: dict[str, Any]
    signed: bool = False


def mixed(rng: np.random.Generator) -> FileNetwork:
    """A small random network with layers of all kinds."""
    first = str(rng.choice(["input", "conv", "dense"]))
    shape: tuple[int, ...] = (int(rng.integers(5, 9)), int(rng.integers(5, 9)), int(rng.choice([1, 2, 4])))
    if first == "dense":
        shape = (int(rng.integers(3, 12)),)
    bits = int(rng.choice([0, 4]))
    made = FileNetwork([], shape, bits, {}, signed=first == "input" or bits > 0)
    if rng.random() < 0.4:
        made.loading |= {"reset_interval": int(rng.integers(3, 9)), "reset_offset": int(rng.integers(0, 4))}
    if first == "input":
        neuron = _neuron(rng, "SDNN" if rng.random() < 0.5 else "CUBA", 0) | {"vThMant": int(rng.integers(1, 6))}
        made.layers.append(FileLayer(np.array(64), neuron=neuron, kind="input", shape=shape[::-1]))
    elif first == "conv":
        made.loading["input_shape"] = shape
    while len(shape) == 3 and (not made.layers or rng.random() < 0.6) and min(shape[:2]) > 2:
        made.layers.append(_conv(rng, shape))
        shape = made.layers[-1].shape[::-1]
    if len(shape) == 3:
        made.layers.append(FileLayer(np.array(0), kind="flatten", shape=(1,)))
    for last in (False, True):
        inputs = int(np.prod(shape))
        made.layers.append(_matrix(rng, inputs, int(rng.integers(2, 12)), last=last))
        shape = (len(made.layers[-1].weight),)
    return made


def _neuron(rng: np.random.Generator, kind: str, size: int) -> dict[str, Any]:
    decay = rng.integers(1, 4097, size) if size and rng.random() < 0.3 else int(rng.choice([1, 900, 4096]))
    lif = {
        "type": b"CUBA",
        "iDecay": decay,
        "vDecay": int(rng.choice([0, 128, 4095, 4096])),
        "vThMant": int(rng.integers(5, 300)),
    }
    return lif if kind == "CUBA" else {"type": b"SDNN", "vThMant": int(rng.integers(0, 3))}


def _small(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> NDArray[np.int64]:
    """Few and small weights in front of neurons whose sums grow."""
    largest, share = (120, 0.7) if kind == "CUBA" else (6, 0.4)
    found = rng.integers(-largest, largest + largest // 2, shape) * (rng.random(shape) < share)
    found.reshape(-1)[0] = 4
    return found


def _conv(rng: np.random.Generator, source: tuple[int, ...]) -> FileLayer:
    kind = str(rng.choice(["CUBA", "SDNN"]))
    groups = int(rng.choice([n for n in (1, 2) if source[2] % n == 0]))
    taps = int(rng.integers(1, 4)), int(rng.integers(1, 4))  # (y, x), as in the file
    stride, padding, dilation = (tuple(rng.integers(low, 3, 2).tolist()) for low in (1, 0, 1))
    weight = _small(rng, (groups * int(rng.integers(1, 4)), source[2] // groups, *taps), kind)
    kernel = Kernel(
        weight.transpose(0, 1, 3, 2), (source[0], source[1], source[2]), stride[::-1], padding[::-1], dilation[::-1], groups
    )
    if min(kernel.target) < 1:
        return _conv(rng, source)
    extra = {"stride": np.array(stride), "padding": np.array(padding), "dilation": np.array(dilation), "groups": groups}
    bias = rng.integers(-9, 10, kernel.target if rng.random() < 0.5 else kernel.target[2:]) if rng.random() < 0.6 else None
    return FileLayer(weight, bias=bias, neuron=_neuron(rng, kind, 0), extra=extra, kind="conv", shape=kernel.target[::-1])


def _matrix(rng: np.random.Generator, inputs: int, size: int, *, last: bool) -> FileLayer:
    kind = str(rng.choice(["CUBA", "SDNN"]))
    weight = _small(rng, (size, inputs), kind)
    neuron = _neuron(rng, kind, size)
    bias = rng.integers(-9, 10, size) if rng.random() < 0.6 else None
    if last and kind == "SDNN" and rng.random() < 0.5:
        neuron, bias = neuron | {"sigma_output": True}, None
    if last and rng.random() < 0.2:
        neuron, bias = {}, None
    if kind == "CUBA" and neuron and rng.random() < 0.4:
        return FileLayer(weight, _small(rng, (size, size), kind), bias, neuron)
    delays = [None, 2, rng.integers(0, 4, size), rng.integers(0, 66, inputs), rng.integers(0, 5, (size, inputs))]
    delay = delays[rng.integers(len(delays))]
    return FileLayer(weight, None, bias, neuron, {} if delay is None else {"delay": delay})


def inputs(rng: np.random.Generator, made: FileNetwork, steps: int) -> NDArray[np.int32]:
    """int32 [steps, *shape] that such a network reads."""
    low, high = (-5, 12) if made.signed else (0, 2)
    shape = (steps, *made.shape)
    return (rng.integers(low, high, shape) * (rng.random(shape) < 0.4)).astype(np.int32)
