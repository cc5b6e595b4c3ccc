"""What one event causes on the chip: the synapses that it meets and the way that it takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Chain
from neuro_deploy.ir.synapses import fan_out
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
    synops = np.zeros(chain.input_size if index < 0 else chain.layers[index].size, np.int64)
    following = chain.layers[index + 1].connections if index + 1 < len(chain.layers) else ()
    own = chain.layers[index].connections if index >= 0 else ()
    for connection in (*(c for c in following if not c.recurrent), *(c for c in own if c.recurrent)):
        synops += fan_out(connection)
    senders, cores = destinations(chain, placement.layers, index)
    home = placement.layers[index] // TILE_CORES if index >= 0 else np.full(len(synops), INPUT_TILE)
    hops = np.zeros((len(synops), 2), np.int64)
    np.add.at(hops, senders, np.abs(position(home[senders]) - position(cores // TILE_CORES)))
    return Reach(synops, np.bincount(senders, minlength=len(synops)), hops)
