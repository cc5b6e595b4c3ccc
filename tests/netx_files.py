"""NetX files that this project did not make: random layers with whatever lava-dl's loader takes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

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
