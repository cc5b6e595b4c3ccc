"""Hold every block of a SLAYER module against its layer of a chain."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.errors import InputError, RuleError
from neuro_deploy.ir.chain import Chain, Layer
from neuro_deploy.ir.inputs import numbers
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import run_layer
from neuro_deploy.verify.check import Divergence
from neuro_deploy.workbench.slayer import causes
from neuro_deploy.workbench.slayer.module import Block, run

if TYPE_CHECKING:
    from torch import nn

AROUND = 2
"""Steps before and after the first divergence that are shown."""


@dataclass(frozen=True)
class Row:
    """One block and its layer.

    Attributes:
        block: name in the module and kind.
        layer: index in the chain.
        offset: steps by which SLAYER's record is later than the chip's; from the structure.
        compared: values.
        messages: those that are not zero in SLAYER.
        mismatches: values that differ when both run from the input on.
        alone: values that differ when the layer is fed what SLAYER's block before sent.
    """

    block: str
    layer: int
    offset: int
    compared: int
    messages: int
    mismatches: int
    alone: int


@dataclass(frozen=True)
class Moment:
    """Currents and voltages of one neuron after one step; Lava's units. None where SLAYER does not show them.

    Attributes:
        step: of the chip.
        slayer: by name, ``u`` and ``v``.
        lava: by name.
    """

    step: int
    slayer: dict[str, int]
    lava: dict[str, int]


@dataclass(frozen=True)
class SlayerCheck:
    """What :func:`check_slayer` found.

    Attributes:
        rows: blocks in their order.
        first: the first divergence in the first layer that differs alone, or else in the first that differs; None if none does.
        around: the neuron's states around it, the layer fed with what SLAYER's block before sent.
        causes: likely ones, by name, each with what shows it.
    """

    rows: tuple[Row, ...]
    first: Divergence | None
    around: tuple[Moment, ...]
    causes: tuple[causes.Cause, ...]

    @property
    def equal(self) -> bool:
        """No message differs."""
        return all(row.mismatches == 0 for row in self.rows)

    def __str__(self) -> str:
        """Equal, or where they part first and why."""
        if self.equal:
            return f"SLAYER = Lava: every message of {len(self.rows)} blocks is the same"
        why = "; ".join(f"{cause.name}: {cause.shown}" for cause in self.causes) or "no known cause"
        return f"SLAYER differs from Lava, first at {self.first}. {why}"


def check_slayer(module: "nn.Module", network: Network, x: Any) -> SlayerCheck:
    """Find where a SLAYER model is lost on its way to Lava.

    Both run from rest: a copy of the module in torch, the chain in the integer semantics, which equal Lava. Each block is held
    against its layer with the offset that follows from the structure.

    Args:
        module: of blocks of ``lava.lib.dl.slayer.block``; it stays as it is.
        network: what was exported from it.
        x: numbers [samples, steps, channels] or [samples, steps, width, height, channels], as the module reads them.

    Raises:
        InputError: the blocks do not match the layers, or the values do not fit.
    """
    chain, values = network.chain, numbers(x, "samples")
    _require_shape(chain, values)
    blocks = run(module, values, keep_states=True)
    _require_match(blocks, chain)
    fed = received(network, values)
    rows, firsts = [], []
    source: NDArray[Any] = fed
    before = fed
    shifts = 0
    for index, (block, layer) in enumerate(zip(blocks, chain.layers, strict=True)):
        shifts += block.shifts
        offset = shifts - chain.depths[index]
        own = block.shifts - int(bool(layer.connections))
        sent = run_layer(layer, source).sent
        alone = run_layer(layer, before).sent
        different, isolated = differing(block.sent, sent, offset), differing(block.sent, alone, own)
        rows.append(
            Row(
                f"{block.name} ({block.kind})",
                index,
                offset,
                int(different.size),
                int(np.count_nonzero(block.sent)),
                int(np.count_nonzero(different)),
                int(np.count_nonzero(isolated)),
            )
        )
        firsts.append((index, before, alone, own, isolated) if isolated.any() else None)
        source, before = sent, block.sent
    found = next((first for first in firsts if first is not None), None)
    if found is None:
        return SlayerCheck(tuple(rows), None, (), causes.general(module, values) if _any(rows) else ())
    index, before, alone, own, isolated = found
    first = _first(blocks[index], chain, index, alone, own, isolated)
    place = causes.Place(network, module, values, tuple(blocks), index, before, own, int(np.count_nonzero(isolated)))
    return SlayerCheck(tuple(rows), first, _around(blocks[index], chain.layers[index], before, first, own), causes.find(place))


def received(network: Network, values: NDArray[Any]) -> NDArray[np.int64]:
    """What reaches the first layer in Lava, int64 [samples, steps, channels]: its port cuts what is no integer.

    Raises:
        RuleError: values beyond 32 bits.
    """
    flat = values.reshape(*values.shape[:2], -1).astype(np.float64)
    first = network.chain.layers[0]
    if not first.connections:
        flat = np.rint((flat - network.manifest.input.offset) * network.manifest.input.scale)
    elif not first.connections[0].graded:
        flat = flat != 0
    if np.abs(flat).max(initial=0) >= 1 << 31:
        raise RuleError("samples beyond 32 bits: scale them down")
    result: NDArray[np.int64] = np.trunc(flat).astype(np.int64)
    return result


def differing(slayer: NDArray[np.int64], lava: NDArray[np.generic], offset: int) -> NDArray[np.bool_]:
    """Whether values differ, over the steps that both have; SLAYER's step ``t + offset`` is the chip's ``t``."""
    late, early = max(offset, 0), max(-offset, 0)
    steps = min(slayer.shape[1] - late, lava.shape[1] - early)
    different: NDArray[np.bool_] = slayer[:, late : late + steps] != lava[:, early : early + steps]
    return different


def _any(rows: list[Row]) -> bool:
    return any(row.mismatches for row in rows)


def _first(
    block: Block, chain: Chain, index: int, alone: NDArray[np.generic], own: int, isolated: NDArray[np.bool_]
) -> Divergence:
    """The earliest step of the earliest sample."""
    sample = int(np.flatnonzero(isolated.any(axis=(1, 2)))[0])
    step, neuron = (int(i) for i in np.argwhere(isolated[sample])[0])
    at_slayer, at_lava = step + max(own, 0), step + max(-own, 0)
    values = int(block.sent[sample, at_slayer, neuron]), int(alone[sample, at_lava, neuron])
    return Divergence(sample, f"layer {index} ({block.name})", at_lava, neuron, *values)


def _around(block: Block, layer: Layer, before: NDArray[np.int64], first: Divergence, own: int) -> tuple[Moment, ...]:
    """States around a divergence. SLAYER's neuron is a step ahead of what its block sends."""
    moments = []
    for step in range(max(0, first.step - AROUND), min(before.shape[1], first.step + AROUND + 1)):
        states = run_layer(layer, before[first.sample : first.sample + 1, : step + 1]).states
        lava = {name: int(state[0, first.neuron]) for name, state in states.items()}
        there = step + own - block.shifts
        slayer = {
            name: int(state[first.sample, there, first.neuron])
            for name, state in block.states.items()
            if 0 <= there < state.shape[1]
        }
        moments.append(Moment(step, slayer, lava))
    return tuple(moments)


def _require_shape(chain: Chain, values: NDArray[Any]) -> None:
    fits = values.ndim in (3, 5) and values.shape[2:] in ((chain.channels,), chain.input_shape)
    if not fits or not values.size:
        shaped = f" or [samples, steps, {', '.join(map(str, chain.input_shape))}]" if chain.input_shape else ""
        raise InputError(
            f"samples have shape {list(values.shape)}, the network reads [samples, steps, {chain.channels}]{shaped}"
        )


def _require_match(blocks: list[Block], chain: Chain) -> None:
    """Refuse blocks that are not those of the layers."""
    names = ", ".join(f"{block.name} ({block.kind})" for block in blocks)
    if len(blocks) != len(chain.layers):
        raise InputError(
            f"the module has {len(blocks)} blocks with neurons ({names}), the NetX file {len(chain.layers)} layers: "
            "give the network that was exported to it"
        )
    for index, (block, layer) in enumerate(zip(blocks, chain.layers, strict=True)):
        if block.sent.shape[2] != layer.size:
            raise InputError(
                f"block {block.name} ({block.kind}) has {block.sent.shape[2]} neurons, layer {index} ({layer.kind}) of the NetX file "
                f"{layer.size}: give the network that was exported to it"
            )
