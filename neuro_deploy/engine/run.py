"""Samples in blocks, blocks over threads, each block through all layers."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.engine.general import GeneralPlan, Record
from neuro_deploy.engine.kernels import Events, read_input, run_layer
from neuro_deploy.engine.plan import LayerPlan, Plan

_BLOCK = 8
"""Samples that go through a layer together: its weights are fetched once, their events still fit the second cache."""

_SCRATCH = 64 * 2**20
"""Bytes that a list of events may take, were every neuron to fire at each step."""

_NO_FACTORS = np.zeros(0, np.int32)


def run_chain(
    plans: Sequence[Plan],
    injected: NDArray[np.int32],
    layers: Sequence[NDArray[Any]],
    readout: NDArray[np.int64],
    when: int,
    threads: int,
) -> None:
    """Run a chain from rest over all samples. Arrays are C-contiguous.

    Args:
        plans: see :func:`neuro_deploy.engine.plan.make_plan`.
        injected: integers [samples, steps, input channels].
        layers: filled with what is sent, [samples, steps, neurons] for each layer: spikes as uint8, graded messages as int32.
        readout: filled with the last layer's voltage, of graded neurons what they sent, int64 [samples, neurons].
        when: the step, 0-based, after which it is read.
        threads: how many work at the same time. No result depends on it.

    Raises:
        RuleError: numbers leave the bits that Lava has for them.
    """
    samples, steps, channels = injected.shape
    widest = max(channels, *(layer.shape[2] for layer in layers))
    size = min(_BLOCK, max(1, _SCRATCH // (4 * steps * widest)), max(1, -(-samples // threads)))
    # At least one block, so that a run over no samples compiles the kernels.
    blocks = deque(slice(first, first + size) for first in range(0, max(samples, 1), size))
    graded = any(layer.dtype == np.int32 for layer in layers)

    def work() -> None:
        rooms = [_events(size * steps, widest, graded=graded) for _ in range(2)]
        host = _events(size * steps, channels, graded=True)
        sums = [plan.sums.copy() if isinstance(plan, LayerPlan) else None for plan in plans]
        while True:
            try:
                block = blocks.popleft()
            except IndexError:
                return
            source: NDArray[Any] = injected[block]
            if not _takes_input(plans[0]):
                read_input(source, host)
            arriving = host
            for index, (plan, layer) in enumerate(zip(plans, layers, strict=True)):
                record = layer[block]
                sent = rooms[index % 2] if record.dtype == np.int32 else _spikes(rooms[index % 2])
                step = when if plan is plans[-1] else -1
                if isinstance(plan, LayerPlan):
                    events = arriving if plan.graded else _spikes(arriving)
                    run_layer(
                        plan.forward, plan.recurrent, plan.neuron, sums[index], events, sent, record, step, readout[block]
                    )
                else:
                    messages = source if _takes_input(plan) else arriving.factor[: arriving.first[len(record) * steps]]
                    plan.run(arriving, source, _largest(messages), sent, Record.of(record, step, readout[block]))
                arriving, source = sent, record

    with ThreadPoolExecutor(threads) as executor:
        try:
            for task in [executor.submit(work) for _ in range(threads)]:
                task.result()
        finally:
            blocks.clear()  # an interrupt ends the run at the next block


def _events(steps: int, width: int, *, graded: bool) -> Events:
    """Room for every neuron to send at each step; the pages of it that are not needed cost nothing."""
    room = steps * width
    return Events(np.empty(steps + 1, np.int64), np.empty(room, np.uint32), np.empty(room if graded else 0, np.int32))


def _spikes(events: Events) -> Events:
    """Events that count once each."""
    return events._replace(factor=_NO_FACTORS)


def _takes_input(plan: Plan) -> bool:
    """Whether neurons take the input itself and not its events."""
    return isinstance(plan, GeneralPlan) and not plan.layer.connections


def _largest(messages: NDArray[Any]) -> int:
    """The largest magnitude of a message; 1 of spikes."""
    return max(int(messages.max(initial=1)), -int(messages.min(initial=0)))
