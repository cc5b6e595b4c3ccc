"""What a trained model is worth: how often it is right, and what that costs."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.ir.inputs import encode
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi import rules
from neuro_deploy.lowering import lower
from neuro_deploy.measure.counts import Totals, count
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.data import Data, Watch, load_data, unwatched
from neuro_deploy.training.deploy import describe, to_graph
from neuro_deploy.training.evaluation import encoder, evaluate
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer, DenseStream
from neuro_deploy.training.models.registry import parameters

FLOPS_OF_A_MAC = 2

SPIKING = "Spiking LMUFormer"


@dataclass(frozen=True)
class Merit:
    """A model's accuracy, size and cost.

    Attributes:
        model: its name.
        parameters: numbers that were trained.
        validation: accuracy on the validation split, of the deployed integers if it has any.
        test: accuracy on the test split; of a spiking model that of the chain on the ``fast`` backend.
        test_error: its standard error, of so many samples that are independent.
        unquantised: the same with real-valued weights; None of a baseline, which has no others.
        rate: spikes per neuron and step, averaged over the populations; None of a baseline.
        synops: synaptic operations of a sample that end at the model's neurons; None of a baseline.
        relay_synops: those of a sample that end at taps, relays and bias neurons; likewise.
        macs: multiply-accumulates of a sample; None of a spiking model.
    """

    model: str
    parameters: int
    validation: float
    test: float
    test_error: float
    unquantised: float | None
    rate: float | None
    synops: float | None
    relay_synops: float | None
    macs: int | None


def assess(checkpoint: Checkpoint, watch: Watch = unwatched) -> Merit:
    """Run a model over its validation and test splits.

    Args:
        checkpoint: the model.
        watch: shows how far the frames of recordings are, where these are first computed.

    Raises:
        DatasetError: its data are missing.
        RuleError: a spiking model does not fit the chip.
    """
    data, model = load_data(checkpoint.config.data, watch), checkpoint.model()
    spec = encoder(checkpoint.config, checkpoint.channels)
    validation = evaluate(model, data.validation, spec, quantised=True).accuracy
    real = evaluate(model, data.test, spec, quantised=False).accuracy
    spikes = checkpoint.config.model.baseline is None
    test, totals = _deployed(checkpoint, data) if spikes else (real, None)
    return Merit(
        model=SPIKING if spikes else type(model).__name__,
        parameters=parameters(model),
        validation=validation,
        test=test,
        test_error=math.sqrt(test * (1 - test) / len(data.test)),
        unquantised=real if spikes else None,
        rate=None if totals is None else float(np.mean(list(totals.rates.values()))),
        synops=None if totals is None else _each(totals.compute_synops, totals),
        relay_synops=None if totals is None else _each(totals.relay_synops, totals),
        macs=None if spikes else multiply_accumulates(model, torch.zeros(1, checkpoint.steps, checkpoint.channels)),
    )


def multiply_accumulates(model: nn.Module, frames: Tensor) -> int:
    """Those of matrix products, counted by torch; the LMUFormer step by step, since its memory takes a whole past by FFT otherwise.

    Args:
        model: a baseline, in evaluation mode.
        frames: of one sample, float32 [1, steps, channels].
    """
    # Of attention, torch counts the plain kernel alone; with gradients a Transformer's layer is not one opaque operation.
    with sdpa_kernel(SDPBackend.MATH), torch.enable_grad(), FlopCounterMode(display=False) as counter:
        if isinstance(model, DenseLMUFormer):
            stream = DenseStream(model)
            stream.start(1)
            for frame in frames.unbind(1):
                stream.step(frame)
        else:
            model(frames)
    return int(counter.get_total_flops()) // FLOPS_OF_A_MAC


def _deployed(checkpoint: Checkpoint, data: Data) -> tuple[float, Totals]:
    """Accuracy on the test split and events of the chain that an export would write."""
    network = Network.of(lower(to_graph(checkpoint)), describe(checkpoint))
    rules.check(network.chain, message_bits=network.manifest.input.message_bits, steps=checkpoint.steps)
    split = data.test
    trace = FastBackend().run(network, encode(split.samples, network.manifest.input))
    return trace.accuracy(split.labels), count(trace, network.chain).totals


def _each(events: int | None, totals: Totals) -> float:
    """Of a sample; a chain has all counts."""
    assert events is not None
    return events / totals.samples
