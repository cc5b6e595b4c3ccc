"""What the loader really stores for a layer's weights."""

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.loihi.limits import WEIGHT_MAX_MIXED, WEIGHT_MAX_UNSIGNED, WEIGHT_MIN_MIXED

Weights = NDArray[np.int64]

_BITS = 8


def is_mixed(weight: Weights) -> bool:
    """Whether a matrix needs a sign bit in every weight, as lava-dl decides it (all-negative: strictly below zero)."""
    return int(weight.min()) < 0 <= int(weight.max())


def stored_weights(weight: Weights, weight_rec: Weights | None) -> tuple[Weights, Weights | None]:
    """The integers that act when a NetX layer with these weights runs in Lava.

    ``lava.lib.dl.netx.utils.optimize_weight_bits`` chooses one shift and one number of bits for both matrices together; then
    ``lava.proc.dense`` clips and truncates each matrix by itself, with the sign mode of *that* matrix
    (``lava.utils.weightutils``), and shifts its sums back. The result differs from what was asked where a matrix without
    positive weights holds a power of two that was shifted to -256 (it has only 255), for example.

    Args:
        weight: int64 [neurons, inputs], within -256..255; the loader first cuts 255 beside negative ones to 254.
        weight_rec: int64 [neurons, neurons] or None.

    Returns:
        Both matrices as they act.

    Raises:
        ValueError: all weights are zero; lava-dl then raises an OverflowError.
    """
    joint = weight if weight_rec is None else np.hstack((weight, weight_rec))
    if not joint.any():
        raise ValueError("a matrix of zeros has no scale")
    mixed = is_mixed(joint)
    if mixed:
        joint = np.minimum(joint, WEIGHT_MAX_MIXED)
    shift = shift_of(joint)
    bits = _BITS - shift - (_common_zero_bits(joint) - int(mixed))
    inputs = weight.shape[1]
    stored = _store(joint[:, :inputs] << shift, bits) >> shift
    return stored, None if weight_rec is None else _store(joint[:, inputs:] << shift, bits) >> shift


def shift_of(joint: Weights) -> int:
    """By how many bits the weights can be moved up so that they use the register."""
    high, low = int(joint.max()), int(joint.min())
    if is_mixed(joint):
        scale = min(127 / high if high else np.inf, 128 / -low)
        return int(np.floor(np.log2(scale))) + 1
    return int(np.floor(np.log2(WEIGHT_MAX_UNSIGNED / high if high > 0 else 256 / -low)))


def _common_zero_bits(joint: Weights) -> int:
    """How many low bits, 8 at most, are zero in all weights."""
    return next((n for n in range(_BITS, 0, -1) if not (joint % (1 << n)).any()), 0)


def _store(shifted: Weights, bits: int) -> Weights:
    """Clip and truncate one matrix as its synapse process does, by its own signs."""
    if shifted.min() >= 0:
        return _truncate(np.clip(shifted, 0, WEIGHT_MAX_UNSIGNED), _BITS - bits)
    if shifted.max() <= 0:
        return -_truncate(np.clip(-shifted, 0, WEIGHT_MAX_UNSIGNED), _BITS - bits)
    return _truncate(np.clip(shifted, WEIGHT_MIN_MIXED, WEIGHT_MAX_UNSIGNED), _BITS - bits + 1)


def _truncate(weight: Weights, low_bits: int) -> Weights:
    return (weight >> low_bits) << low_bits
