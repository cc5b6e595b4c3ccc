"""The Spiking LMUFormer (Liu, Datta, Li, Beerel, ICLR 2024), causal, as maps and populations.

Names: ``s0 s1 s2`` patch embedding (as many as ``model.filters`` has, if given), ``s3`` its residual convolution; for each block
``p`` its input, ``u`` what is written into the memory, ``m`` the spiking memory, ``h`` its output; ``a`` and ``b`` the channel
mixer's two layers; ``z`` the head's input. With several blocks these carry the block's number, as in ``p0 u0 m0 h0 a0 b0 p1 ...``.
"""

import torch

from neuro_deploy.training.config import Config
from neuro_deploy.training.models.bands import BandKernel
from neuro_deploy.training.models.legendre import impulse_response
from neuro_deploy.training.models.network import BandMap, Map, Memory, Network, Readout, Spiking
from neuro_deploy.training.models.slayer import LIF

STAGES = 3
"""Convolutions of the patch embedding before the one that writes into the stream."""


class _Builder:
    """Collects maps and populations; ``stream`` lists the maps that the residual stream is the sum of so far.

    ``places`` has the places along the frequencies of those whose neurons stand in some.
    """

    def __init__(self, config: Config, inputs: int) -> None:
        self.config = config
        self.sizes = {"input": inputs}
        self.places = {"input": inputs}
        self.maps: dict[str, Map | Memory] = {}
        self.populations: dict[str, Spiking] = {}
        self.stream: list[str] = []

    def map(self, name: str, source: str, outputs: int, lags: int = 1, norm: bool = False) -> str:
        self.maps[name] = Map(source, self.sizes[source], outputs, lags, norm)
        return name

    def population(self, name: str, reads: list[str], size: int) -> str:
        neuron = self.config.neuron
        lif = LIF(neuron.voltage_decay, neuron.surrogate_width, neuron.surrogate_height)
        self.populations[name] = Spiking(reads, size, lif, neuron.gain)
        self.sizes[name] = size
        return name

    def convolution(self, name: str, source: str) -> str:
        """A convolution over time and its population."""
        model = self.config.model
        return self.population(name, [self.map(f"{name}_conv", source, model.channels, model.kernel)], model.channels)

    def bands(self, name: str, source: str, filters: int) -> str:
        """A convolution over time and bands and its population, with so many neurons at each place along the frequencies."""
        places = self.places[source]
        kernel = BandKernel(places, self.sizes[source] // places, filters, self.config.model.kernel)
        self.maps[f"{name}_conv"] = BandMap(source, kernel)
        self.places[name] = kernel.places
        return self.population(name, [f"{name}_conv"], kernel.targets)


def build(config: Config, inputs: int, classes: int) -> Network:
    """The network that a configuration describes, with random weights.

    Args:
        config: the settings.
        inputs: channels of a frame of the data.
        classes: size of the read-out.
    """
    builder = _Builder(config, inputs)
    _patch_embedding(builder)
    for block in range(config.model.blocks):
        suffix = "" if config.model.blocks == 1 else str(block)
        _lmu(builder, suffix)
        if config.model.mixer:
            _mixer(builder, suffix)
    builder.population("z", list(builder.stream), config.model.channels)
    head = builder.map("head", "z", classes)
    return Network(inputs, builder.maps, builder.populations, Readout([head], classes))


def _patch_embedding(builder: _Builder) -> None:
    model = builder.config.model
    if not model.patch_embedding:
        builder.population("s0", [builder.map("s0_conv", "input", model.channels)], model.channels)
        builder.stream = [builder.map("embed", "s0", model.channels)]
        return
    last = "input"
    stages = (None,) * STAGES if model.filters is None else model.filters
    for number, filters in enumerate(stages):
        name = f"s{number}"
        last = builder.convolution(name, last) if filters is None else builder.bands(name, last, filters)
    builder.stream = [builder.map("embed", last, model.channels, model.kernel)]
    if model.residual_embedding:
        residual = builder.population(f"s{len(stages)}", list(builder.stream), model.channels)
        builder.stream.append(builder.map("embed_residual", residual, model.channels, model.kernel))


def _lmu(builder: _Builder, suffix: str) -> None:
    model = builder.config.model
    p = builder.population(f"p{suffix}", list(builder.stream), model.channels)
    reads = [builder.map(f"hidden_input{suffix}", p, model.channels)]
    if model.memory:
        u = builder.population(f"u{suffix}", [builder.map(f"write{suffix}", p, model.memory_channels)], model.memory_channels)
        response = torch.from_numpy(impulse_response(model.memory_order, model.memory_length)).float()
        builder.maps[f"memory{suffix}"] = Memory(u, model.memory_channels, response)
        m = builder.population(f"m{suffix}", [f"memory{suffix}"], model.memory_channels * model.memory_order)
        reads.append(builder.map(f"hidden_memory{suffix}", m, model.channels))
    h = builder.population(f"h{suffix}", reads, model.channels)
    builder.stream.append(builder.map(f"project{suffix}", h, model.channels, norm=True))


def _mixer(builder: _Builder, suffix: str) -> None:
    model = builder.config.model
    a = builder.population(f"a{suffix}", list(builder.stream), model.channels)
    width = model.mixer_ratio * model.channels
    b = builder.population(f"b{suffix}", [builder.map(f"expand{suffix}", a, width)], width)
    builder.stream.append(builder.map(f"contract{suffix}", b, model.channels))
