"""What one event causes on the chip: the synapses that it meets and the way that it takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain
from neuro_deploy.loihi.cores import INPUT_TILE, Placement, destinations, position
from neuro_deploy.loihi.limits import TILE_CORES


@dataclass(frozen=True)
class Reach:
    """What one event of each sender of a layer, or of the input, causes.

    Attributes:
        synops: int64 [senders], nonzero weights that it meets.
        packets: int64 [senders], cores that it goes to.
        hops: int64 [senders, 2], steps of its packets from tile to tile, east-west and north-south.
    """

    synops: NDArray[np.int64]
    packets: NDArray[np.int64]
    hops: NDArray[np.int64]


def reach_of(chain: Chain, placement: Placement, index: int) -> Reach:
    """The reach of a layer's neurons.

    Args:
        chain: the network.
        placement: its cores. A packet goes first along one axis of the mesh and then along the other.
        index: of the layer; -1 is the input.
    """
    reached = destinations(chain, placement.layers, index)
    synops = np.zeros(len(reached), np.int64)
    if index + 1 < chain.latency:
        synops += np.count_nonzero(chain.layers[index + 1].weight, axis=0)
    recurrent = None if index < 0 else chain.layers[index].weight_rec
    if recurrent is not None:
        synops += np.count_nonzero(recurrent, axis=0)
    home = placement.layers[index] // TILE_CORES if index >= 0 else np.full(len(reached), INPUT_TILE)
    distance = np.abs(position(home)[:, None] - position(np.arange(reached.shape[1]) // TILE_CORES)[None])
    return Reach(synops, np.count_nonzero(reached, axis=1), (reached[:, :, None] * distance).sum(axis=1))
