"""Kinds of neurons of a layer and their parameters; :mod:`neuro_deploy.ir.semantics` says what they compute."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OfAll = int | NDArray[np.int64]
"""One value for the whole layer, or int64 [neurons]."""


@dataclass(frozen=True)
class Lif:
    """CUBA leaky integrate-and-fire neurons. They send spikes, 0 or 1.

    Attributes:
        threshold: ``vThMant``.
        current_decay: ``iDecay``, 0 to 4096; 4096 means that the synaptic current has no memory.
        voltage_decay: ``vDecay``, 0 to 4096.
        bias: the chip's own constant bias, or None.
        reset_interval: before each step ``t`` (from 1) with ``t % reset_interval == reset_phase``, current and voltage are set to 0;
            0: never.
        reset_phase: see above.
    """

    threshold: OfAll
    current_decay: OfAll
    voltage_decay: OfAll
    bias: NDArray[np.int64] | None = None
    reset_interval: int = 0
    reset_phase: int = 0


@dataclass(frozen=True)
class SigmaDelta:
    """Neurons that send graded messages: changes of their activation that are at least as large as the threshold.

    Attributes:
        threshold: in units of the message.
        bias: of the activation, in units of the message, or None.
        sums: the input is changes that are summed, and the activation is rectified (``SigmaDelta``); otherwise the input is the
            activation itself, in units that are ``2**fraction`` times as large (``Delta``).
        fraction: bits by which threshold, bias and a ``Delta``'s input are shifted up, ``spike_exp + state_exp``.
        state: bits of a message that are not sent, ``state_exp``.
    """

    threshold: OfAll
    bias: NDArray[np.int64] | None = None
    sums: bool = True
    fraction: int = 12
    state: int = 6


@dataclass(frozen=True)
class Sigma:
    """Neurons that add up their input and send the sum at each step."""


Neurons = Lif | SigmaDelta | Sigma
