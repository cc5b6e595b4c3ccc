"""Weights laid out so that one event reads what it adds and nothing else.

A spike adds one column of the weight matrix to the sums of its targets. Columns of a layer are of two kinds: a dense population
fills runs of neighbouring targets, a relay or a tap has one synapse among hundreds of zeros. So each column is cut into blocks of
:data:`BLOCK` targets. A block with some weights in it is stored whole, next to the others of its column, and added with vector
instructions; the few weights of the other blocks are stored one by one; zeros are not stored.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Targets of a block: 32 bytes of weights, 64 bytes of sums."""

_WORTH_A_BLOCK = 4
"""Adding a block costs about as much as adding this many weights one by one."""


class Rows(NamedTuple):
    """The synapses of a weight matrix by their source, int16 or int64.

    Attributes:
        first_block: int64 [sources + 1], the blocks of source ``s`` are ``first_block[s]`` to ``first_block[s + 1]``.
        block_target: uint32 [blocks], first target of each.
        block_weight: [blocks * BLOCK].
        first_single: int64 [sources + 1], first synapse of each source outside blocks.
        single_target: uint32 [singles].
        single_weight: [singles].
    """

    first_block: NDArray[np.int64]
    block_target: NDArray[np.uint32]
    block_weight: NDArray[Any]
    first_single: NDArray[np.int64]
    single_target: NDArray[np.uint32]
    single_weight: NDArray[Any]


def padded(targets: int) -> int:
    """Number of targets with the padding that makes the last block whole."""
    return -(-targets // BLOCK) * BLOCK


def pack(weight: NDArray[np.int64], dtype: type[np.signedinteger[Any]]) -> Rows:
    """Lay out a weight matrix.

    Args:
        weight: int64 [targets, sources].
        dtype: of the stored weights; must hold all of them.
    """
    targets, sources = weight.shape
    columns = np.zeros((sources, padded(targets)), dtype)
    columns[:, :targets] = weight.T
    blocks = columns.reshape(sources, padded(targets) // BLOCK, BLOCK)
    whole = np.count_nonzero(blocks, axis=2) >= _WORTH_A_BLOCK
    source, block = np.nonzero(whole)
    singles = np.where(whole[:, :, None], 0, blocks).reshape(columns.shape)
    single_source, single_target = np.nonzero(singles)
    return Rows(
        first_block=_starts(whole.sum(axis=1)),
        block_target=(block * BLOCK).astype(np.uint32),
        block_weight=blocks[source, block].reshape(-1),
        first_single=_starts(np.count_nonzero(singles, axis=1)),
        single_target=single_target.astype(np.uint32),
        single_weight=columns[single_source, single_target],
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
