"""What a trained model is worth: how often it is right, and what that costs."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.ir.inputs import Samples, encode
from neuro_deploy.ir.network import Network
from neuro_deploy.loihi import rules
from neuro_deploy.lowering import lower
from neuro_deploy.measure.counts import Totals, count
from neuro_deploy.training.checkpoint import Checkpoint
from neuro_deploy.training.data import Watch, load_data, unwatched
from neuro_deploy.training.deploy import answers, describe, to_graph
from neuro_deploy.training.evaluation import evaluate
from neuro_deploy.training.models.dense_lmuformer import DenseLMUFormer, DenseStream
from neuro_deploy.training.models.network import Network as SpikingNetwork
from neuro_deploy.training.models.registry import parameters
from neuro_deploy.workbench.samples import Source, from_file

FLOPS_OF_A_MAC = 2

SPIKING = "Spiking LMUFormer"


@dataclass(frozen=True)
class Merit:
    """A model's accuracy, size and cost.

    Attributes:
        model: its name.
        parameters: numbers that were trained.
        validation: accuracy on the validation split, of the deployed integers if it has any; None where samples of a file ran.
        test: accuracy on the test split, or on these samples, if they have labels; of a spiking model that of the chain on ``fast``.
        test_error: its standard error, of so many samples that are independent.
        unquantised: the same with real-valued weights; None of a baseline, which has no others.
        rate: spikes per neuron and step, averaged over the populations; None of a baseline.
        synops: synaptic operations of a sample that end at the model's neurons; None of a baseline.
        relay_synops: operations of a sample that end at taps, relays and bias neurons; None of a baseline.
        macs: multiply-accumulates of a sample; None of a spiking model.
    """

    model: str
    parameters: int
    validation: float | None
    test: float | None
    test_error: float | None
    unquantised: float | None
    rate: float | None
    synops: float | None
    relay_synops: float | None
    macs: int | None


def assess(checkpoint: Checkpoint, source: Source, watch: Watch = unwatched) -> Merit:
    """Run a model over its validation and test splits, or over samples of a file.

    Args:
        checkpoint: the model.
        source: a file of samples in place of the two splits, if given.
        watch: shows how far the frames of recordings are, where these are first computed.

    Raises:
        DatasetError: its data are missing.
        InputError: the samples do not fit the model.
        RuleError: a spiking model does not fit the chip.
    """
    model, encoder = checkpoint.model(), checkpoint.config.encoding
    validation = None
    if source.file is not None:
        samples = from_file(checkpoint.signature, source.file, source.encoded)
    else:
        data = load_data(checkpoint.config.data, watch)
        validation = evaluate(model, data.validation, encoder, quantised=True).accuracy
        samples = Samples(encode(data.test.samples, encoder), data.test.labels, data.test.samples, "the test split")
    real = samples.accuracy(answers(model, samples.encoded, quantised=False))
    spikes = isinstance(model, SpikingNetwork)
    test, totals = _deployed(checkpoint, samples) if spikes else (real, None)
    return Merit(
        model=(checkpoint.config.model.baseline or SPIKING) if spikes else type(model).__name__,
        parameters=parameters(model),
        validation=validation,
        test=test,
        test_error=None if test is None else math.sqrt(test * (1 - test) / len(samples)),
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


def _deployed(checkpoint: Checkpoint, samples: Samples) -> tuple[float | None, Totals]:
    """Accuracy and events of the chain that an export would write."""
    network = Network.of(lower(to_graph(checkpoint)), describe(checkpoint))
    rules.check(network.chain, message_bits=network.manifest.input.message_bits, steps=checkpoint.steps)
    trace = FastBackend().run(network, samples.encoded)
    return samples.accuracy(trace.readout.argmax(axis=1)), count(trace, network.chain).totals


def _each(events: int | None, totals: Totals) -> float:
    """Of a sample; a chain has all counts."""
    assert events is not None
    return events / totals.samples
