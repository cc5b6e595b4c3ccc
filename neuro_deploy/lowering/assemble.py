"""The weight matrices of each layer."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.ir.chain import Layer, Segment, dense
from neuro_deploy.ir.graph import INPUT
from neuro_deploy.loihi.limits import CURRENT_DECAY_MAX
from neuro_deploy.lowering.bias import split
from neuro_deploy.lowering.plan import BIAS, COPY_WEIGHT, Plan

Columns = dict[tuple[str, int], slice]
"""Where the spikes of (source, lag) are in the layer before, or among the input channels."""


def assemble(plan: Plan) -> Plan:
    """Fill each layer's weights from the projections, the copies and the biases."""
    columns = _input_columns(plan)
    width = plan.frames * plan.graph.channels + 1
    layers = []
    for index, segments in enumerate(plan.segments):
        layers.append(_layer(plan, index, columns, width))
        columns = {(segment.source, segment.lag): segment.place for segment in segments}
        width = segments[-1].stop
    return replace(plan, layers=tuple(layers))


def _input_columns(plan: Plan) -> Columns:
    channels = plan.graph.channels
    columns = {(INPUT, lag): slice(lag * channels, (lag + 1) * channels) for lag in range(plan.frames)}
    return columns | {(BIAS, 0): slice(plan.frames * channels, plan.frames * channels + 1)}


def _layer(plan: Plan, index: int, columns: Columns, width: int) -> Layer:
    segments = plan.segments[index]
    size = segments[-1].stop
    weight = np.zeros((size, width), np.int64)
    recurrent = np.zeros((size, size), np.int64)
    starts = {(segment.source, segment.lag): segment.start for segment in segments}
    for segment in segments:
        rows = segment.place
        if segment.of_model:
            _fill_computing(plan, segment, weight[rows], columns)
        elif segment.role == "tap":
            younger = starts[segment.source, segment.lag - 1]
            recurrent[rows, younger : younger + segment.size] = _copies(segment.size)
        elif segment.role == "relay":
            weight[rows, columns[segment.source, 0]] = _copies(segment.size)
        else:
            # One bias neuron of the layer before is enough to drive all of this one.
            weight[rows, columns[BIAS, 0].start] = COPY_WEIGHT
    member = plan.members(index)[0]
    return dense(
        weight=weight,
        weight_rec=recurrent if plan.lags[index] else None,
        threshold=member.threshold,
        current_decay=CURRENT_DECAY_MAX,
        voltage_decay=member.voltage_decay,
        segments=segments,
    )


def _fill_computing(plan: Plan, segment: Segment, rows: NDArray[np.int64], columns: Columns) -> None:
    for projection in plan.graph.inputs_of(segment.name):
        for lag in range(projection.lags):
            rows[:, columns[projection.source, lag]] = projection.weight[lag]
    values = plan.graph.populations[segment.name].bias
    if values.any():
        where = columns[BIAS, 0]
        rows[:, where] = split(values, where.stop - where.start) if plan.layer_of[segment.name] > 0 else values[:, None]


def _copies(size: int) -> NDArray[np.int64]:
    return COPY_WEIGHT * np.eye(size, dtype=np.int64)
