"""In which steps something reaches a neuron, compiled."""

from dataclasses import replace

import numba
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.compiling import compiled
from neuro_deploy.engine.wires import TILE, Runs, Taps, add_runs, add_taps, ends, runs_of, taps_of
from neuro_deploy.ir.chain import Layer
from neuro_deploy.ir.synapses import Connection, Kernel

_NO_FACTORS = np.zeros(0, np.int32)


def active_updates(layer: Layer, before: NDArray[np.generic], own: NDArray[np.generic]) -> NDArray[np.int64]:
    """Count the steps in which a neuron sends or at least one event arrives.

    Args:
        layer: whose synapses are asked; an event of one step arrives at the next, or its delay later, and at neurons without synapses
            at its own.
        before: integers [samples, steps, sources], what the layer before, or the host, sent; an event where it is not 0.
        own: integers [samples, steps, neurons], what the layer sent.

    Returns:
        int64 [samples, neurons].

    Raises:
        BackendError: more connections than the engine knows.
    """
    forward, recurrent = (_counting(connection) for connection in ends(layer, "active updates"))
    kind = np.dtype(np.int16)
    runs, taps, back = runs_of(forward, kind), taps_of(forward, kind), runs_of(recurrent, kind)
    ring = 1 + max((connection.longest for connection in layer.connections), default=0)
    return _active(runs, taps, back, ring, not layer.connections, _events(before), _events(own))  # type: ignore[no-any-return]


def _counting(connection: Connection | None) -> Connection | None:
    """With weights of 1, so that sums say how many events arrive."""
    if connection is None:
        return None
    weight = connection.weight
    if isinstance(weight, Kernel):
        return replace(connection, weight=replace(weight, weight=(weight.weight != 0).astype(np.int64)))
    return replace(connection, weight=(weight != 0).astype(np.int64))


def _events(sent: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(sent != 0).view(np.uint8)


@compiled()
def _active(
    forward: Runs,
    taps: Taps,
    recurrent: Runs,
    ring: int,
    direct: bool,
    before: NDArray[np.uint8],
    own: NDArray[np.uint8],
) -> NDArray[np.int64]:
    samples, steps, size = own.shape
    tiles = -(-size // TILE)
    sums, touched = np.zeros(ring * tiles * TILE, np.int32), np.zeros(ring * tiles, np.uint8)
    sources = np.empty(max(before.shape[2], size), np.uint32)
    active = np.zeros((samples, size), np.int64)
    for sample in range(samples):
        sums[:] = 0
        for step in range(steps):
            if step > 0 and not direct:
                events = sources[: _list(before[sample, step - 1], sources)]
                if taps.bundle.size > 0:
                    add_taps(sums, touched, ring, step, taps, events, _NO_FACTORS)
                else:
                    add_runs(sums, touched, ring, step, forward, events, _NO_FACTORS)
                if recurrent.first.size > 1:
                    events = sources[: _list(own[sample, step - 1], sources)]
                    add_runs(sums, touched, ring, step, recurrent, events, _NO_FACTORS)
            arrived = sums[step % ring * tiles * TILE :][:size]
            if direct:
                for neuron in range(size):
                    arrived[neuron] = before[sample, step, neuron]
            _count(active[sample], arrived, own[sample, step])
    return active


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _list(row: NDArray[np.uint8], sources: NDArray[np.uint32]) -> int:
    """Numbers of those that sent something; returns how many."""
    count = 0
    for source in range(row.size):
        sources[count] = source
        count += row[source]
    return count


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _count(active: NDArray[np.int64], arrived: NDArray[np.int32], own: NDArray[np.uint8]) -> None:
    """Add a step, and clear what arrived."""
    for neuron in range(active.size):
        active[neuron] += (arrived[neuron] | own[neuron]) != 0
        arrived[neuron] = 0
