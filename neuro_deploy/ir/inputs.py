"""From a sample to what is injected into the chip: encode to graded integers, stack frames, append the silence."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.manifest import InputSpec


def encode(samples: ArrayLike, spec: InputSpec) -> NDArray[np.int32]:
    """Quantise samples to the graded integers that the network was trained on.

    Args:
        samples: numbers [samples, T, channels] in the data's own unit.
        spec: the encoder.

    Returns:
        int32 [samples, T, channels], ``round((x - offset) * scale)`` with halves to even.

    Raises:
        InputError: wrong shape, NaN or infinity, or, where the encoder does not clip, a value outside ``0 .. 2**message_bits - 1``
            after scaling.
    """
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != spec.channels:
        raise InputError(
            f"samples have shape {list(values.shape)}, the network reads [samples, steps, {spec.channels}]: reshape them"
        )
    if not np.isfinite(values).all():
        where = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"sample {where[0]} has {values[tuple(where)]} at step {where[1]}, channel {where[2]}: only finite values"
        )
    with np.errstate(over="ignore"):  # infinite is outside, too
        encoded = np.rint((values - spec.offset) * spec.scale)
    limit = 2**spec.message_bits - 1
    if spec.clip:
        encoded = encoded.clip(0, limit)
    outside = (encoded < 0) | (encoded > limit)
    if outside.any():
        where = np.argwhere(outside)[0]
        low, high = spec.offset, spec.offset + limit / spec.scale
        raise InputError(
            f"sample {where[0]} has {values[tuple(where)]:g} at step {where[1]}, channel {where[2]}: "
            f"the encoder takes {low:g} to {high:g}; rescale the data or train with another encoder"
        )
    integers: NDArray[np.int32] = encoded.astype(np.int32)
    return integers


def inject(encoded: NDArray[np.int32], spec: InputSpec, silence: int) -> NDArray[np.int32]:
    """Lay out encoded samples as the host feeds them, step by step.

    Args:
        encoded: int32 [samples, T, channels], see :func:`encode`.
        spec: number of stacked frames and place of the constant channel.
        silence: steps of zeros after the sample, D + G.

    Returns:
        int32 [samples, T + silence, frames * channels + 1].
    """
    samples, steps, channels = encoded.shape
    injected = np.zeros((samples, steps + silence, spec.frames * channels + 1), np.int32)
    for lag in range(min(spec.frames, steps)):
        injected[:, lag:steps, lag * channels : (lag + 1) * channels] = encoded[:, : steps - lag]
    injected[:, :steps, spec.constant_channel] = 1
    return injected


def fingerprint(samples: NDArray[np.float32], labels: NDArray[np.int64] | None) -> str:
    """What tells data from other data, whatever the encoder: SHA-256 of samples and labels, in hexadecimal.

    Args:
        samples: [samples, T, channels] in the data's own unit.
        labels: [samples], or None where nobody knows them.
    """
    digest = hashlib.sha256(str(samples.shape).encode())
    digest.update(np.ascontiguousarray(samples, "<f4").tobytes())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").tobytes())
    return digest.hexdigest()
