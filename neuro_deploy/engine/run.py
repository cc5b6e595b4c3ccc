"""Samples in blocks, blocks over threads, each block through all layers."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.engine.kernels import Events, read_input, run_layer
from neuro_deploy.engine.plan import LayerPlan

_BLOCK = 8
"""Samples that go through a layer together: its weights are fetched once, their events still fit the second cache."""

_SCRATCH = 64 * 2**20
"""Bytes that a list of events may take, were every neuron to fire at each step."""


def run_chain(
    plans: Sequence[LayerPlan],
    injected: NDArray[np.int32],
    layers: Sequence[NDArray[np.uint8]],
    readout: NDArray[np.int64],
    when: int,
    threads: int,
) -> None:
    """Run a chain from rest over all samples. Arrays are C-contiguous.

    Args:
        plans: see :func:`neuro_deploy.engine.plan.make_plan`.
        injected: non-negative integers [samples, steps, input channels].
        layers: filled with the spikes, uint8 [samples, steps, neurons] for each layer.
        readout: filled with the last layer's voltage, int64 [samples, neurons].
        when: the step, 0-based, after which it is read.
        threads: how many work at the same time. No result depends on it.
    """
    samples, steps, channels = injected.shape
    widest = max(channels, *(layer.shape[2] for layer in layers))
    size = min(_BLOCK, max(1, _SCRATCH // (4 * steps * widest)))
    # At least one block, so that a run over no samples compiles the kernels.
    blocks = deque(slice(first, first + size) for first in range(0, max(samples, 1), size))

    def work() -> None:
        sent, other = (_events(size * steps, widest) for _ in range(2))
        graded = _events(size * steps, channels, graded=True)
        sums = [plan.sums.copy() for plan in plans]
        while True:
            try:
                block = blocks.popleft()
            except IndexError:
                return
            read_input(injected[block], graded)
            arriving = graded
            for plan, total, record in zip(plans, sums, layers, strict=True):
                step = when if plan is plans[-1] else -1
                run_layer(plan.forward, plan.recurrent, plan.neuron, total, arriving, sent, record[block], step, readout[block])
                arriving, sent, other = sent, other, sent

    with ThreadPoolExecutor(threads) as executor:
        try:
            for task in [executor.submit(work) for _ in range(threads)]:
                task.result()
        finally:
            blocks.clear()  # an interrupt ends the run at the next block


def _events(steps: int, width: int, *, graded: bool = False) -> Events:
    """Room for every neuron to send at each step; the pages of it that are not needed cost nothing."""
    room = steps * width
    return Events(np.empty(steps + 1, np.int64), np.empty(room, np.uint32), np.empty(room if graded else 0, np.int32))
