"""Samples of a file through a network's encoder: every form of the same numbers gives the same integers; others are one line."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.inputs import Signature
from neuro_deploy.ir.manifest import Encoder
from neuro_deploy.workbench.samples import from_file

STEPS, CHANNELS = 4, 3
SIGNATURE = Signature(Encoder(message_bits=4, scale=2.0, offset=-1.0), STEPS, CHANNELS, 5)
CLIPPING = Signature(Encoder(message_bits=4, scale=2.0, offset=-1.0, clip=True), STEPS, CHANNELS, 5)
VALUES = (np.arange(24) % 7).reshape(2, STEPS, CHANNELS)
INTEGERS = 2 * (VALUES + 1)


def saved(path: Path, values: NDArray[Any]) -> Path:
    np.save(path, values)
    return path


@pytest.mark.parametrize("kind", ["<f8", ">f8", "f4", "f2", "g", "i1", ">u2", "u8", "i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_equal_numbers_are_equal_samples(kind: str, order: str, tmp_path: Path) -> None:
    samples = from_file(SIGNATURE, saved(tmp_path / "a.npy", np.asarray(VALUES, kind, order=order)), False)
    assert (samples.encoded == INTEGERS).all()
    assert samples.sha256 == from_file(SIGNATURE, saved(tmp_path / "b.npy", VALUES), False).sha256
    owned = [samples.encoded]
    if np.dtype(kind).kind != "f":
        owned.append(from_file(SIGNATURE, saved(tmp_path / "c.npy", np.asarray(INTEGERS, kind, order=order)), True).encoded)
    for encoded in owned:
        assert (encoded == INTEGERS).all()
        assert encoded.dtype == np.int32
        assert encoded.flags.c_contiguous
        assert encoded.flags.writeable, "torch complains of what it may not write to, as of a file that is mapped"


@pytest.mark.parametrize("encoded", [False, True])
def test_no_more_samples_are_encoded_than_are_used(encoded: bool, tmp_path: Path) -> None:
    values = np.concatenate(
        [INTEGERS if encoded else VALUES, np.full((1, STEPS, CHANNELS), 10**9)]
    )  # the last cannot be encoded
    np.savez(tmp_path / "a.npz", samples=values, labels=[1, 2, 3])
    samples = from_file(SIGNATURE, tmp_path / "a.npz", encoded, used=2)
    assert (samples.encoded == INTEGERS).all()
    assert len(samples.values) == 2
    assert samples.labels is not None
    assert samples.labels.tolist() == [1, 2]
    with pytest.raises(InputError, match="sample"):
        from_file(SIGNATURE, tmp_path / "a.npz", encoded, used=3)
    with pytest.raises(InputError, match=r"4 samples asked for, .*a.npz has 2: ask for fewer"):
        samples.first(4)


def test_truth_values_are_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", VALUES > 3)
    assert (from_file(SIGNATURE, path, False).encoded == 2 + 2 * (VALUES > 3)).all()
    assert (from_file(SIGNATURE, path, True).encoded == (VALUES > 3)).all()


def test_the_largest_numbers_are_clipped_where_the_encoder_clips(tmp_path: Path) -> None:
    values = VALUES.astype(float)
    values[0, 0, :2] = 1e308, -1e308
    samples = from_file(CLIPPING, saved(tmp_path / "a.npy", values), False)
    assert samples.encoded[0, 0].tolist() == [15, 0, 6]
    assert len(samples.sha256) == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (math.nan, "sample 1 has nan at step 2, channel 0: only finite values"),
        (math.inf, "sample 1 has inf"),
        (-math.inf, "sample 1 has -inf"),
        (7.0, "sample 1 has 7 at step 2, channel 0: the encoder takes -1 to 6.5"),
        (1e308, r"sample 1 has 1e\+308"),
    ],
)
def test_a_number_that_the_encoder_does_not_take(change: float, message: str, tmp_path: Path) -> None:
    values = VALUES.astype(float)
    values[1, 2, 0] = change
    with pytest.raises(InputError, match=f"a.npy: {message}"):
        from_file(SIGNATURE, saved(tmp_path / "a.npy", values), False)


def test_a_number_that_no_double_holds(tmp_path: Path) -> None:
    values = VALUES.astype(np.longdouble)
    values[0, 0, 0] = np.longdouble("1e4000")
    with pytest.raises(InputError, match="sample 0 has inf"):
        from_file(CLIPPING, saved(tmp_path / "a.npy", values), False)


@pytest.mark.parametrize(
    "values",
    [
        VALUES[:0],
        VALUES[:, :0],
        VALUES[:, :, :0],
        VALUES[0],
        VALUES.reshape(-1),
        VALUES.transpose(0, 2, 1),
        np.array(3),
        VALUES[None],
    ],
    ids=str,
)
@pytest.mark.parametrize("encoded", [False, True])
def test_other_shapes(values: NDArray[Any], encoded: bool, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"samples have shape \[.*\], the network reads \[samples, 4, 3\] and at least one sample"
    ):
        from_file(SIGNATURE, saved(tmp_path / "a.npy", values), encoded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v + 2, "an encoded sample holds 16, a graded spike carries 0 to 15"),
        (lambda v: v - 3, "an encoded sample holds -1,"),
        (lambda v: v.astype("u8") + (1 << 63), "an encoded sample holds 92233720368547758"),
        (lambda v: v.astype(float), "encoded samples are of type float64: they must be integers; encode the samples first"),
    ],
)
def test_integers_that_no_spike_carries(change: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        from_file(SIGNATURE, saved(tmp_path / "a.npy", change(INTEGERS)), True)
