"""The LMUFormer without spikes (Liu, Datta, Li, Beerel, ICLR 2024), causal: what a user would run where there is no chip.

It has the stages and sizes of the spiking model of the same configuration (:mod:`neuro_deploy.training.models.lmuformer`): a
patch embedding of
convolutions, each followed by ReLU and batch norm; the Legendre memory, linear and real-valued; GELU in the channel mixer.

Only convolutions and memories look at the past. Each has a form for whole sequences and one for a single step with carried state; all
else is the same in both, and is written once.
"""

import copy
import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuro_deploy.training.config import Config
from neuro_deploy.training.models.bands import BandKernel
from neuro_deploy.training.models.legendre import discretise, impulse_response
from neuro_deploy.training.models.lmuformer import STAGES
from neuro_deploy.training.models.network import Output
from neuro_deploy.training.models.norm import normalise


class Convolution(nn.Module):
    """A causal convolution over time.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: steps that it reads, the present one included.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.convolution = nn.Conv1d(inputs, outputs, kernel, bias=False)

    @property
    def weight(self) -> Tensor:
        """[outputs, inputs, kernel], the present last."""
        return self.convolution.weight

    def forward(self, values: Tensor) -> Tensor:
        """[samples, steps, inputs] -> [samples, steps, outputs]."""
        padded = functional.pad(values.transpose(1, 2), (self.kernel - 1, 0))
        convolved = functional.conv1d(padded, self.weight)
        return convolved.transpose(1, 2)

    def step(self, values: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step [samples, inputs] -> [samples, outputs]; the state is the window [samples, inputs, kernel], the present last."""
        if state is None:
            state = values.new_zeros(*values.shape, self.kernel)
        state = torch.cat((state[:, :, 1:], values[:, :, None]), 2)
        return state.flatten(1) @ self.weight.flatten(1).T, state


class BandConvolution(Convolution):
    """A causal convolution over time and bands; see :class:`neuro_deploy.training.models.bands.BandKernel`."""

    def __init__(self, kernel: BandKernel) -> None:
        nn.Module.__init__(self)
        self.kernel, self.bands = kernel.lags, kernel

    @property
    def weight(self) -> Tensor:
        """[outputs, inputs, kernel], the present last."""
        return self.bands().permute(0, 2, 1).flip(2)  # type: ignore[no-any-return]

    def written_out(self) -> Convolution:
        """The same with weights of its own."""
        weight = self.weight
        plain = Convolution(weight.shape[1], weight.shape[0], self.kernel).to(weight.device)
        plain.convolution.weight = nn.Parameter(weight.detach().contiguous())
        return plain


class LegendreMemory(nn.Module):
    """The linear memory: each channel is projected on the Legendre polynomials of its past.

    Args:
        order: number of polynomials.
        length: the window theta, in steps.
    """

    def __init__(self, order: int, length: int) -> None:
        super().__init__()
        self.order, self.length = order, length
        for name, matrix in zip(("a", "b"), discretise(order, length), strict=True):
            self.register_buffer(name, torch.from_numpy(matrix).float(), persistent=False)
        self.response = torch.zeros(order, 0)

    def forward(self, values: Tensor) -> Tensor:
        """All steps at once, by FFT: [samples, steps, channels] -> [samples, steps, channels * order]."""
        steps = values.shape[1]
        if self.response.shape[1] != steps or self.response.device != values.device:
            self.response = torch.from_numpy(impulse_response(self.order, self.length, steps)).to(values)
        size = 2 * steps  # a transform is cyclic: half of it stays empty
        answers = torch.fft.rfft(self.response.T, n=size, dim=0)[:, None]  # [frequencies, 1, order]
        remembered: Tensor = torch.fft.irfft(torch.fft.rfft(values, n=size, dim=1)[..., None] * answers, n=size, dim=1)
        return remembered[:, :steps].flatten(2)

    def step(self, values: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step [samples, channels] -> [samples, channels * order]; the state is ``m`` [samples, channels, order]."""
        if state is None:
            state = values.new_zeros(*values.shape, self.order)
        state = state @ self.a.T + values[..., None] * self.b
        return state.flatten(1), state


Temporal = Convolution | LegendreMemory

Apply = Callable[[Temporal, Tensor], Tensor]
"""Applies a part that looks at the past: to a whole sequence, or to a step with the state that it has."""


class Embedding(nn.Module):
    """Convolution, ReLU, batch norm."""

    def __init__(self, convolution: Convolution, outputs: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm1d(outputs)

    def run(self, values: Tensor, apply: Apply) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        return _normalise(self.norm, torch.relu(apply(self.convolution, values)))


class NormedLinear(nn.Module):
    """A linear map and batch norm over the last dimension."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, values: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        return _normalise(self.norm, self.linear(values))


class LmuBlock(nn.Module):
    """The stream plus what memory and present input give: ``x + BN(V relu(BN(W [memory(relu(BN(U x))); x])))``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        model = config.model
        remembered = model.memory_channels * model.memory_order if model.memory else 0
        self.memory = LegendreMemory(model.memory_order, model.memory_length) if model.memory else None
        self.write = NormedLinear(model.channels, model.memory_channels) if model.memory else None
        self.hidden = NormedLinear(remembered + model.channels, model.channels)
        self.project = NormedLinear(model.channels, model.channels)

    def run(self, stream: Tensor, apply: Apply) -> Tensor:
        """[..., channels] -> [..., channels]."""
        read = stream
        if self.memory is not None and self.write is not None:
            read = torch.cat((apply(self.memory, torch.relu(self.write(stream))), stream), -1)
        mixed: Tensor = self.project(torch.relu(self.hidden(read)))
        return stream + mixed


class Mixer(nn.Module):
    """The channel mixer: ``x + BN(W gelu(BN(V x)))``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.model.mixer_ratio * config.model.channels
        self.expand = NormedLinear(config.model.channels, width)
        self.contract = NormedLinear(width, config.model.channels)

    def run(self, stream: Tensor, apply: Apply) -> Tensor:
        """[..., channels] -> [..., channels]; nothing here looks at the past."""
        mixed: Tensor = self.contract(functional.gelu(self.expand(stream)))
        return stream + mixed


class DenseLMUFormer(nn.Module):
    """The model; its ``forward`` is called like that of :class:`neuro_deploy.training.models.network.Network`.

    Args:
        config: sizes and stages of the spiking model.
        inputs: channels of a frame.
        classes: size of the read-out.
    """

    def __init__(self, config: Config, inputs: int, classes: int) -> None:
        super().__init__()
        model = config.model
        channels, kernel = model.channels, model.kernel
        self.embedding = nn.ModuleList(_patch_embedding(config, inputs))
        residual = model.patch_embedding and model.residual_embedding
        self.residual = _embedding(channels, channels, kernel) if residual else None
        blocks: list[nn.Module] = []
        for _ in range(model.blocks):
            blocks += [LmuBlock(config), *([Mixer(config)] if model.mixer else [])]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm1d(channels)
        self.readout = nn.Linear(channels, classes)

    def forward(self, frames: Tensor, quantised: bool = False) -> Output:
        """Run whole samples.

        Args:
            frames: float32 [samples, steps, channels], the encoded integers.
            quantised: changes nothing: the model has no integers.

        Returns:
            The logits, without spikes and voltages.
        """
        return Output(self.answers(frames, lambda part, values: part(values)).mean(1), {}, None)

    def answers(self, values: Tensor, apply: Apply) -> Tensor:
        """Logits [..., classes] of each step of [..., channels]; the answer to a sample is their mean."""
        for part in self.embedding:
            values = part.run(values, apply)
        if self.residual is not None:
            values = values + self.residual.run(values, apply)
        for part in self.blocks:
            values = part.run(values, apply)
        logits: Tensor = self.readout(_normalise(self.norm, values))
        return logits


class DenseStream:
    """The model step by step; see :class:`neuro_deploy.training.models.streaming.Stream`.

    Args:
        network: in evaluation mode.
    """

    def __init__(self, network: DenseLMUFormer) -> None:
        self._network = _written_out(network)
        self._states: dict[Temporal, Tensor] = {}
        self._total, self._steps = torch.zeros(0), 0

    def start(self, samples: int) -> None:
        """Forget everything; the number of samples shows in the frames."""
        self._states = {}
        self._total, self._steps = (
            torch.zeros(samples, self._network.readout.out_features, device=self._network.readout.bias.device),
            0,
        )

    @torch.no_grad()
    def step(self, frame: Tensor) -> None:
        """Take the next frame, float32 [samples, channels]."""
        self._total = self._total + self._network.answers(frame, self._apply)
        self._steps += 1

    def logits(self) -> Tensor:
        """Float32 [samples, classes], of the steps so far."""
        return self._total / self._steps

    def _apply(self, part: Temporal, values: Tensor) -> Tensor:
        result, self._states[part] = part.step(values, self._states.get(part))
        return result


def _written_out(network: DenseLMUFormer) -> DenseLMUFormer:
    """A copy whose kernels over bands are written out once, and not at each step."""
    found = copy.deepcopy(network)
    for part in found.embedding:
        if isinstance(part, Embedding) and isinstance(part.convolution, BandConvolution):
            part.convolution = part.convolution.written_out()
    return found


def _embedding(inputs: int, outputs: int, kernel: int) -> Embedding:
    return Embedding(Convolution(inputs, outputs, kernel), outputs)


def _patch_embedding(config: Config, inputs: int) -> list[Embedding]:
    """The convolutions up to the one that writes into the stream."""
    model = config.model
    if not model.patch_embedding:
        return [_embedding(inputs, model.channels, 1)]
    if model.filters is None:
        sizes = [inputs, *[model.channels] * (STAGES + 1)]
        return [_embedding(before, after, model.kernel) for before, after in itertools.pairwise(sizes)]
    stages, places, size = [], inputs, inputs
    for filters in model.filters:
        kernel = BandKernel(places, size // places, filters, model.kernel)
        stages.append(Embedding(BandConvolution(kernel), kernel.targets))
        places, size = kernel.places, kernel.targets
    return [*stages, _embedding(size, model.channels, model.kernel)]


def _normalise(norm: nn.BatchNorm1d, values: Tensor) -> Tensor:
    """Batch norm over the last dimension, one statistic for each channel; [samples, steps, channels] in training."""
    if norm.training:
        return normalise(norm, values)
    applied: Tensor = norm(values.flatten(0, -2))  # one call, which counts where a step at a time is all there is
    return applied.reshape(values.shape)
