"""Spiking populations that read sums of linear maps of earlier spikes, evaluated in real numbers or in the chip's integers.

The network is a list of *maps* and a list of *populations*. A map turns the spikes of one source into a real-valued
sequence; a population fires on the normalised sum of some maps ::

    s = LIF(BN(sum of maps))

Maps can be shared, which is how the residual stream of the model is written: the stream after a stage is the list of all maps
that were added to it so far, and each reader of the stream is a population that reads that list.

On the chip there is no real-valued stream. Each population takes its maps directly from the spikes, with its own batch norm
folded into its own copy of the weights, quantised: :meth:`Network.deployed`. The quantised forward pass computes with these
integers, so it gives the spikes of the chip, and its gradient passes straight through the rounding.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuro_deploy.loihi.limits import STATE_MAX
from neuro_deploy.training.kernels import Filter, StackLags, Synapses
from neuro_deploy.training.models.bands import BandKernel
from neuro_deploy.training.models.norm import affine, move, normalise
from neuro_deploy.training.models.slayer import LIF, WEIGHT_MAX, WEIGHT_SCALE, compiled, quantise, round_even

MAX_THRESHOLD = WEIGHT_MAX - 1
"""A relay in the same layer fires on one weight, which must exceed the threshold."""


class Map(nn.Module):
    """A linear map over time with a trained kernel.

    Args:
        source: the population whose spikes it reads, or ``"input"``.
        inputs: neurons of the source.
        outputs: rows of the map.
        lags: steps it reads, the present one and ``lags - 1`` past ones.
        norm: followed by a batch norm of its own.
    """

    def __init__(self, source: str, inputs: int, outputs: int, lags: int = 1, norm: bool = False) -> None:
        super().__init__()
        self.source, self.inputs, self.outputs, self.lags = source, inputs, outputs, lags
        bound = (lags * inputs) ** -0.5
        self.weight = nn.Parameter(torch.empty(outputs, lags * inputs).uniform_(-bound, bound))
        self.norm = nn.BatchNorm1d(outputs) if norm else None

    def apply_weight(self, weight: Tensor, spikes: Tensor) -> Tensor:
        """``sum over lags l of weight[:, l] @ spikes[t - l]``; exact in float32 for integers below 2^24.

        Spike by spike, or a plain matrix product on the stacked lags, since a convolution routine may compute in a transformed,
        rounded form.

        Args:
            weight: [outputs, lags * inputs].
            spikes: [samples, steps, inputs].

        Returns:
            [samples, steps, outputs].
        """
        if compiled(spikes) and self.source != "input":  # the input's frames are numbers, most of them not zero
            summed: Tensor = Synapses.apply(spikes, weight)  # type: ignore[no-untyped-call]
            return summed
        return functional.linear(_stack(spikes, self.lags), weight)

    def dense(self, weight: Tensor) -> Tensor:
        """The weights as [lags, outputs, inputs]."""
        return weight.reshape(self.outputs, self.lags, self.inputs).permute(1, 0, 2)


class BandMap(Map):
    """A convolution over time and bands: see :class:`neuro_deploy.training.models.bands.BandKernel`, whose weights these are.

    Args:
        source: the population whose spikes it reads, or ``"input"``.
        kernel: the trained part.
    """

    def __init__(self, source: str, kernel: BandKernel) -> None:
        nn.Module.__init__(self)
        self.source, self.inputs, self.outputs, self.lags = source, kernel.sources, kernel.targets, kernel.lags
        self.kernel, self.norm = kernel, None

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """[outputs, lags * inputs], zero where the kernel does not reach."""
        return self.kernel().flatten(1)  # type: ignore[no-any-return]


class Memory(nn.Module):
    """The Legendre memory: each source neuron is filtered by the same fixed bank of impulse responses.

    Args:
        source: the population that writes into the memory.
        inputs: its neurons.
        response: [order, length], see :func:`neuro_deploy.training.models.legendre.impulse_response`.
    """

    def __init__(self, source: str, inputs: int, response: Tensor) -> None:
        super().__init__()
        self.source, self.inputs = source, inputs
        self.order, self.lags = response.shape
        self.outputs = inputs * self.order
        self.norm = None
        self.register_buffer("weight", response.repeat(inputs, 1))

    def apply_weight(self, weight: Tensor, spikes: Tensor) -> Tensor:
        """Filter each source neuron by its own rows of ``weight`` [outputs, lags]; see :meth:`Map.apply_weight`."""
        if compiled(spikes):
            filtered: Tensor = Filter.apply(spikes, weight)  # type: ignore[no-untyped-call]
            return filtered
        samples, steps, _ = spikes.shape
        # [samples, steps, inputs, lags], oldest first; a view that the product below copies once
        past = functional.pad(spikes, (0, 0, self.lags - 1, 0)).unfold(1, self.lags, 1)
        kernels = weight.reshape(self.inputs, self.order, self.lags).flip(2).transpose(1, 2)
        rows = torch.bmm(past.permute(2, 0, 1, 3).reshape(self.inputs, samples * steps, self.lags), kernels)
        return rows.reshape(self.inputs, samples, steps, self.order).permute(1, 2, 0, 3).flatten(2)

    def dense(self, weight: Tensor) -> Tensor:
        """The weights as [lags, outputs, inputs]: zero but for the rows of each source neuron."""
        blocks = weight.reshape(self.inputs, self.order, self.lags)
        full = weight.new_zeros(self.lags, self.inputs, self.order, self.inputs)
        index = torch.arange(self.inputs)
        full[:, index, :, index] = blocks.permute(0, 2, 1)
        return full.reshape(self.lags, self.outputs, self.inputs)


def _stack(spikes: Tensor, lags: int) -> Tensor:
    """Each step beside its past; see :class:`neuro_deploy.training.kernels.StackLags`."""
    if lags == 1:
        return spikes
    stacked: Tensor = StackLags.apply(spikes, lags)  # type: ignore[no-untyped-call]
    return stacked


class Spiking(nn.Module):
    """LIF neurons on the batch-normalised sum of some maps.

    Args:
        reads: names of the maps.
        size: number of neurons.
        lif: the neuron.
        gain: standard deviation of the normalised input, in thresholds, at the start.
    """

    def __init__(self, reads: Sequence[str], size: int, lif: LIF, gain: float) -> None:
        super().__init__()
        self.reads, self.size, self.lif = tuple(reads), size, lif
        self.norm = nn.BatchNorm1d(size)
        nn.init.constant_(self.norm.weight, gain)

    def fire(self, values: Tensor) -> Tensor:
        """Spikes of the batch-normalised values, both [samples, steps, neurons]."""
        if compiled(values) and self.norm.training:
            spikes, statistics = self.lif.normalised(values, self.norm)
            move(self.norm, statistics)
        else:
            spikes = self.lif(normalise(self.norm, values))
        return spikes


class Readout(nn.Module):
    """Logits: the mean over all steps of ``sum of maps + bias``.

    Args:
        reads: names of the maps.
        size: number of classes.
    """

    def __init__(self, reads: Sequence[str], size: int) -> None:
        super().__init__()
        self.reads, self.size = tuple(reads), size
        self.bias = nn.Parameter(torch.zeros(size))


@dataclass(frozen=True)
class Deployed:
    """The integers of one population on the chip (as float32 tensors that hold integers).

    Attributes:
        weights: by map, in the map's own compact form.
        bias: [neurons].
        threshold: ``vThMant``, and the number that a real-valued weight was multiplied with before it was rounded.
    """

    weights: Mapping[str, Tensor]
    bias: Tensor
    threshold: int


@dataclass(frozen=True)
class Output:
    """What a forward pass gives.

    Attributes:
        logits: [samples, classes].
        spikes: by population, [samples, steps, neurons].
        voltage: [samples, classes], the read-out's integer voltage (quantised pass only).
    """

    logits: Tensor
    spikes: dict[str, Tensor]
    voltage: Tensor | None


class Network(nn.Module):
    """Maps, populations in the order of the data flow, and a read-out.

    Args:
        channels: of the encoded input.
        maps: by name.
        populations: by name, every source before its readers.
        readout: reads last.
        bias_lines: how many synapses from constant neurons may carry the bias of one neuron.
    """

    def __init__(
        self,
        channels: int,
        maps: Mapping[str, Map | Memory],
        populations: Mapping[str, Spiking],
        readout: Readout,
        bias_lines: int = 4,
    ) -> None:
        super().__init__()
        self.channels, self.bias_lines = channels, bias_lines
        self.maps = nn.ModuleDict(maps)
        self.populations = nn.ModuleDict(populations)
        self.readout = readout

    def forward(self, frames: Tensor, quantised: bool = False) -> Output:
        """Run whole samples.

        Args:
            frames: float32 [samples, steps, channels], the encoded integers.
            quantised: compute with the deployed integers instead of the real-valued weights.
        """
        signals = {"input": frames}
        sums: dict[tuple[str, ...], Tensor] = {}
        for name, population in self.spiking():
            if quantised:
                parts = self.deployed(name)
                gain = torch.full_like(parts.bias, 1 / WEIGHT_SCALE)
                values, threshold = self._sum(parts, signals), parts.threshold / WEIGHT_SCALE
                signals[name] = population.lif(values, threshold, scaling=(gain, parts.bias / WEIGHT_SCALE))
            else:
                signals[name] = population.fire(self._stream(population.reads, signals, sums))
        del signals["input"]
        if not quantised:
            total = self._stream(self.readout.reads, signals, sums)
            return Output(total.mean(1) + self.readout.bias, signals, None)
        parts = self.deployed_readout(frames.shape[1])
        voltage = self._sum(parts, signals).sum(1) + parts.bias * frames.shape[1]
        return Output(voltage / (parts.threshold * frames.shape[1]), signals, voltage * WEIGHT_SCALE)

    def spiking(self) -> Iterable[tuple[str, Spiking]]:
        """The populations with their types."""
        for name, population in self.populations.items():
            assert isinstance(population, Spiking)
            yield name, population

    def linear(self, name: str) -> Map | Memory:
        """A map by its name."""
        part = self.maps[name]
        assert isinstance(part, Map | Memory)
        return part

    def deployed(self, name: str) -> Deployed:
        """Fold the batch norms into the weights of one population and quantise them.

        ``BN(y) = gain * (y - mean) + beta`` with ``gain = gamma / sqrt(var + eps)``, so each row of each map is multiplied by its
        gain, and ``beta - gain * mean`` is the bias. The running statistics are used, also in training.
        """
        population = self.populations[name]
        assert isinstance(population, Spiking)
        gain, bias = affine(population.norm)
        weights = {}
        for read in population.reads:
            part = self.linear(read)
            row_gain = gain
            if part.norm is not None:
                inner_gain, inner_bias = affine(part.norm)
                row_gain, bias = gain * inner_gain, bias + gain * inner_bias
            weights[read] = row_gain[:, None] * part.weight
        from_input = any(self.linear(read).source == "input" for read in population.reads)
        lines = 1 if from_input else self.bias_lines
        return _quantised(weights, bias, _fit(weights, bias, lines))

    def deployed_readout(self, steps: int) -> Deployed:
        """The integers of the read-out; ``threshold`` is its scale alone, since it never fires.

        The scale keeps the voltage in range after ``steps`` steps, whatever fires. Rounding moves a weight by at most 1, so each row is
        counted with that much more.
        """
        weights = {read: self.linear(read).weight for read in self.readout.reads}
        bias = self.readout.bias
        rows = torch.cat([*(w.detach() for w in weights.values()), bias.detach()[:, None]], dim=1)
        one_sided = float(torch.maximum(rows.clamp(min=0).sum(1), (-rows).clamp(min=0).sum(1)).max())
        room = STATE_MAX // (WEIGHT_SCALE * steps) - rows.shape[1]
        fit = _fit(weights, bias, self.bias_lines)
        return _quantised(weights, bias, max(1, min(fit, int(room / one_sided)) if one_sided > 0 else fit))

    def _stream(self, reads: tuple[str, ...], signals: Mapping[str, Tensor], sums: dict[tuple[str, ...], Tensor]) -> Tensor:
        """The real-valued sum of some maps; ``sums`` keeps those that were computed before, among them the residual stream so far."""
        if reads not in sums:
            *_, last = reads
            if len(reads) > 1:
                sums[reads] = self._stream(reads[:-1], signals, sums) + self._stream((last,), signals, sums)
            else:
                part = self.linear(last)
                value = part.apply_weight(part.weight, signals[part.source])
                sums[reads] = value if part.norm is None else normalise(part.norm, value)
        return sums[reads]

    def _sum(self, parts: Deployed, signals: Mapping[str, Tensor]) -> Tensor:
        """``a`` of the integer semantics without the bias, [samples, steps, neurons]."""
        terms = (
            self.linear(read).apply_weight(weight, signals[self.linear(read).source]) for read, weight in parts.weights.items()
        )
        return functools.reduce(torch.add, terms)


def _fit(weights: Mapping[str, Tensor], bias: Tensor, lines: int) -> int:
    """The largest threshold for which every weight and bias fits its synapses: quantisation never clips."""
    largest_weight = max(float(w.detach().abs().max()) for w in weights.values())
    largest_bias = float(bias.detach().abs().max()) / lines
    largest = max(largest_weight, largest_bias, WEIGHT_MAX / MAX_THRESHOLD)
    return max(1, int(WEIGHT_MAX / largest))


def _quantised(weights: Mapping[str, Tensor], bias: Tensor, scale: int) -> Deployed:
    """Multiply by the scale and round to even integers; the bias may span several synapses and is not clipped to one."""
    return Deployed({read: quantise(weight * scale) for read, weight in weights.items()}, round_even(bias * scale), scale)
