"""Damaged and hostile inputs, made at random from good ones; equal seeds make equal inputs."""

import copy
import io
import json
import math
import random
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from neuro_deploy.training.archive import pack, unpack

Mutation = Callable[[random.Random, bytes], bytes]

NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    255,
    65536,
    10**6,
    10**12,
    2**31,
    2**63,
    2**64,
    10**40,
    0.5,
    -0.0,
    1e-308,
    1e30,
    1e308,
    math.inf,
    math.nan,
)
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    None,
    True,
    "",
    "x",
    "é" * 99,
    "x" * 9999,
    "../../x",
    "a\nb",
    "\x00",
    [],
    {},
    [[]],
    {"a": 1},
)
WORDS = tuple(value.to_bytes(8, "little", signed=value < 0) for value in (0, -1, 1, 255, 1 << 31, 1 << 40, (1 << 63) - 1))


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Bits that flipped, bytes that were lost, doubled or replaced, and files that were cut."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        head = rng.random() < 0.5  # where the lengths are
        place = rng.randrange(min(len(found), 512) if head else len(found)) if found else 0
        end, other = place + rng.randrange(1, 99), rng.randrange(len(found) + 1)
        kind = rng.randrange(7)
        if kind == 0 and found:
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            found[place : place + 8] = rng.choice(WORDS)
        elif kind == 2:
            found[place : place + 4] = rng.choice(WORDS)[:4]
        elif kind == 3:
            found[place:end] = found[other : other + end - place]
        elif kind == 4:
            del found[place:end]
        elif kind == 5:
            found[place:place] = found[place:end] * rng.choice((1, 2, 50))
        elif rng.random() < 0.3:
            del found[place:]
    return bytes(found)


def changed(rng: random.Random, values: Any) -> Any:
    """A copy of nested values in which some were replaced, left out, or given other names."""
    values = copy.deepcopy(values)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = values
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.85:
                place = place[key]
                continue
            kind = rng.randrange(8)
            if kind == 0:
                del place[key]
            elif kind == 1 and isinstance(place, dict):
                place[rng.choice(("surprise", "", "name", "channels"))] = place.pop(key)
            elif kind == 2 and isinstance(place, list):
                place.extend([place[key]] * rng.choice((1, 5, 5000)))
            elif kind == 3 and isinstance(place[key], int | float):
                place[key] = place[key] * rng.choice((2, -1, 10, 1000)) + rng.choice((0, 1, 0.5))
            else:
                place[key] = copy.deepcopy(rng.choice(VALUES))
            break
    return values


def manifest(rng: random.Random, content: bytes) -> bytes:
    return json.dumps(changed(rng, json.loads(content))).encode()


def checkpoint(rng: random.Random, content: bytes) -> bytes:
    values = unpack(content)
    part = "weights" if "weights" in values else "network"
    weights = values.pop(part)
    about = changed(rng, values) if rng.random() < 0.7 else values
    if about is values or rng.random() < 0.3:
        key = rng.choice(list(weights))
        weight, kind = weights[key], rng.randrange(6)
        if kind == 0:
            weights[key] = weight.flatten()[:1]
        elif kind == 1:
            weights[key] = weight.double()
        elif kind == 2:
            weights[key] = weight.to(bool)
        elif kind == 3:
            weights[f"{key}.more"] = weights.pop(key)
        else:
            weights[key] = (weight * 0 + rng.choice((-1, 1e30, 3e38, -3e38, math.nan, math.inf))).to(weight.dtype)
    return pack(about | {part: weights})


def hdf5(rng: random.Random, content: bytes) -> bytes:
    """One data set of a NetX file replaced, removed or linked elsewhere."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        old, kind = file[name], rng.randrange(8)
        values = old[()] if isinstance(old, h5py.Dataset) else np.zeros(3)
        del file[name]
        if kind == 0:
            file[name] = rng.choice((h5py.SoftLink("/layer"), h5py.SoftLink(f"/{name}"), h5py.ExternalLink("/dev/zero", "/")))
        elif kind == 1:
            shape = rng.choice(((), (0,), (1 << 40,), (1 << 20, 1 << 20), (3, 5, 7)))
            file.create_dataset(name, shape, rng.choice(("i2", "f8", "u8", "S9")), chunks=True if shape and shape[0] else None)
        elif kind == 2:
            file[name] = file["layer"]
        elif kind == 3:
            file[name] = np.asarray(values).reshape(-1)
        elif kind == 4:
            file[name] = rng.choice((b"dense_rec", b"input", b"conv", "\u00e9", np.array([b"CUBA", b"x"]), h5py.Empty("f8")))
        elif kind == 5 and np.asarray(values).dtype.kind in "biuf":
            file[name] = np.asarray(values).astype(float) * rng.choice((-1, 0, 2, 1000, 1e300, math.nan))
        elif kind == 6:
            file[name] = np.array(rng.choice((0, -1, 1 << 20, (1 << 63) - 1, 0.5, math.nan)))
    return buffer.getvalue()


def arrays(rng: random.Random, content: bytes) -> bytes:
    """An array of a NumPy file of another type, shape, order or values, or under another name."""
    buffer = io.BytesIO()
    if not content.startswith(b"PK"):
        np.save(buffer, _array(rng, np.load(io.BytesIO(content))), allow_pickle=True)
        return buffer.getvalue()
    values = dict(np.load(io.BytesIO(content)))
    name = rng.choice(list(values))
    values[name] = _array(rng, values[name])
    if rng.random() < 0.2:
        values[rng.choice(("x", "labels", "samples", "a/b", "../x"))] = values.pop(name)
    rng.choice((np.savez, np.savez_compressed))(buffer, **values)
    return buffer.getvalue()


def _array(rng: random.Random, values: Any) -> Any:
    kind = rng.randrange(7)
    if kind == 0:
        return values.astype(
            rng.choice(("?", "i1", "u1", ">i4", ">u8", "i8", "f2", "f4", ">f8", "g", "c16", "U5", "S5", "O", "M8[s]"))
        )
    if kind == 1:
        shape = rng.choice(((-1,), (1, -1), (-1, 1), (*values.shape, 1), (1, *values.shape), values.shape[::-1]))
        return values.reshape(shape)
    if kind == 2:
        return values[tuple(slice(None, rng.choice((0, 1, length - 1, length))) for length in values.shape)]
    if kind == 3:
        return np.array(rng.choice((0, [], [[]], 1.5, "x", None, True, [values.tolist()])))
    if kind == 4:
        return np.asfortranarray(values)[rng.choice((slice(None), slice(None, None, -1), slice(None, None, 2)))]
    values = values.astype(rng.choice((values.dtype, "f8", "i8")))
    number = rng.choice(
        [number for number in NUMBERS if values.dtype.kind == "f" or (number == number // 1 and abs(number) < 2**63)]
    )
    values[tuple(rng.randrange(length) for length in values.shape)] = number
    return values


def settings(rng: random.Random, content: bytes) -> bytes:
    """Values and lines of a TOML file replaced."""
    lines = content.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 3))):
        index, kind = rng.randrange(len(lines)), rng.randrange(6)
        key, given, _ = lines[index].partition("=")
        if given and kind < 4:
            value = rng.choice(
                (*NUMBERS, "'x'", "''", "[]", "[1]", "true", "{}", "'" + "x" * 9999 + "'", "1979-05-27", '"\\u0000"')
            )
            lines[index] = f"{key}= {value}"
        elif kind == 4:
            lines.insert(index, lines[rng.randrange(len(lines))])
        else:
            del lines[index]
            lines = lines or [""]
    return "\n".join(lines).encode()
