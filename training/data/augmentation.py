"""Random variations of log-mel frames; each sample its own.

Time shift, noise and the masks of SpecAugment (Park et al. 2019) as in the recipe of the LMUFormer (Liu et al. 2024), which is that of
the Audio Spectrogram Transformer (Gong et al. 2021). It mixes waveforms; here the frames' powers are mixed, which is the same for two
sounds that have nothing to do with each other, and lets the frames be computed once.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from neuro_deploy.training.data.common import Augment
from neuro_deploy.training.data_settings import AugmentSettings

MIX_DRAWS = 19
"""The middle one of so many uniform numbers is distributed as Beta(10, 10), the share of the first sound in a mixture."""

FAINTEST = 30 * math.log(10) / 10
"""Largest distance of a background noise from a recording's mean power: 30 decibels."""

STEEPEST = 4.0
"""Largest difference of a background noise's lowest and highest band, either way; white noise rises about as much in mel bands."""

NODES = 5
"""Bands, from the lowest to the highest, for which a change by another microphone is drawn."""

FLICKER = 0.5
"""Standard deviation of a steady noise's logarithmic power in one band and frame."""


def augmentation(settings: AugmentSettings, classes: int) -> Augment:
    """The variations that the settings ask for.

    In this order: mix, stretch and warp, loudness, equaliser, background, shift, noise, masks.

    Args:
        settings: how much of each.
        classes: number of classes, for the labels of mixed samples.
    """

    def augment(samples: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if settings.mixup:
            samples, labels = mix(samples, functional.one_hot(labels, classes).float(), settings.mixup, generator)
        if settings.stretch or settings.warp:
            samples = resize(samples, settings.stretch, settings.warp, generator)
        if settings.loudness:
            samples = samples + settings.loudness * (2 * torch.rand(len(samples), 1, 1, generator=generator) - 1)
        if settings.equaliser:
            samples = equalise(samples, settings.equaliser, generator)
        if settings.background:
            samples = add_background(samples, settings.background, generator)
        if settings.shift:
            samples = shift(samples, settings.shift, generator)
        if settings.noise:
            amplitude = settings.noise * torch.rand(len(samples), 1, 1, generator=generator)
            samples = samples + amplitude * torch.rand(samples.shape, generator=generator)
        if settings.mask_frames:
            samples = mask(samples, settings.mask_frames, 1, generator)
        if settings.mask_bins:
            samples = mask(samples, settings.mask_bins, 2, generator)
        return samples, labels

    return augment


def mix(samples: Tensor, shares: Tensor, probability: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Add another sample of the batch at a random share.

    ``y = log(s^2 exp(x1) + (1 - s)^2 exp(x2))`` with s of Beta(10, 10): the power of ``s w1 + (1 - s) w2`` for independent sounds.

    Args:
        samples: [samples, steps, channels], logarithms of powers.
        shares: [samples, classes].
        probability: of each sample.
        generator: of the random numbers.
    """
    count = len(samples)
    share = torch.rand(MIX_DRAWS, count, generator=generator).median(0).values
    share = torch.where(torch.rand(count, generator=generator) < probability, share, 1.0)
    other = torch.randperm(count, generator=generator)
    first, second = 2 * share.log()[:, None, None], 2 * torch.log1p(-share)[:, None, None]
    mixed = torch.logaddexp(samples + first, samples[other] + second)
    return mixed, share[:, None] * shares + (1 - share[:, None]) * shares[other]


def resize(samples: Tensor, stretch: float, warp: float, generator: torch.Generator) -> Tensor:
    """Stretch each sample about its middle in time and about its lowest band in frequency.

    Between two frames or bands is interpolated; the outermost ones go on where nothing was. Other speeds as Ko et al. 2015, other
    lengths of the vocal tract as Jaitly and Hinton 2013.

    Args:
        samples: [samples, steps, channels].
        stretch: largest relative change of the duration.
        warp: largest relative change of the frequencies.
        generator: of the random numbers.
    """
    count = len(samples)
    change = 2 * torch.rand(2, count, generator=generator) - 1
    duration, height = torch.exp(stretch * change[0]), torch.exp(warp * change[1])
    # Where each frame and band is read, with -1 and 1 the middle of the first and of the last one.
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0], maps[:, 0, 2], maps[:, 1, 1] = 1 / height, 1 / height - 1, 1 / duration
    grid = functional.affine_grid(maps, [count, 1, *samples.shape[1:]], align_corners=True)
    return functional.grid_sample(samples[:, None], grid, padding_mode="border", align_corners=True)[:, 0]


def equalise(samples: Tensor, largest: float, generator: torch.Generator) -> Tensor:
    """Raise or lower each sample's bands as another microphone or room would: by random amounts in a few bands, linear between them.

    As the linear FilterAugment (Nam, Kim and Park 2022), with its nodes equally spaced.

    Args:
        samples: [samples, steps, channels], logarithms of powers.
        largest: change of a band, either way.
        generator: of the random numbers.
    """
    count, _, channels = samples.shape
    nodes = largest * (2 * torch.rand(count, 1, NODES, generator=generator) - 1)
    gains: Tensor = functional.interpolate(nodes, channels, mode="linear", align_corners=True)
    return samples + gains


def add_background(samples: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Add the power of a steady noise with a random slope over the bands, at a random level below the sample's mean power.

    Args:
        samples: [samples, steps, channels], logarithms of powers.
        probability: of each sample.
        generator: of the random numbers.
    """
    count, steps, channels = samples.shape
    power = torch.logsumexp(samples, (1, 2), keepdim=True) - math.log(steps * channels)
    level, slope, chosen = torch.rand(3, count, 1, 1, generator=generator)
    level = power - FAINTEST * level
    slope = STEEPEST * (2 * slope - 1) * torch.linspace(-0.5, 0.5, channels)
    flicker = FLICKER * torch.randn(samples.shape, generator=generator)
    return torch.where(chosen < probability, torch.logaddexp(samples, level + slope + flicker), samples)


def shift(samples: Tensor, largest: int, generator: torch.Generator) -> Tensor:
    """Move each sample by up to ``largest`` steps either way; what leaves at one end comes in at the other."""
    count, steps, channels = samples.shape
    offsets = torch.randint(-largest, largest + 1, (count, 1), generator=generator)
    index = (torch.arange(steps) - offsets) % steps
    return samples.gather(1, index[:, :, None].expand(-1, -1, channels))


def mask(samples: Tensor, widest: int, axis: int, generator: torch.Generator) -> Tensor:
    """Replace a band of each sample by the sample's mean.

    Args:
        samples: [samples, steps, channels].
        widest: largest width; widths from 0 to it are equally likely.
        axis: 1 for steps, 2 for channels.
        generator: of the random numbers.
    """
    length = samples.shape[axis]
    width = torch.randint(0, min(widest, length) + 1, (len(samples), 1), generator=generator)
    begin = (torch.rand(len(samples), 1, generator=generator) * (length - width + 1)).long()
    place = torch.arange(length)
    inside = ((place >= begin) & (place < begin + width)).unsqueeze(3 - axis)
    return torch.where(inside, samples.mean((1, 2), keepdim=True), samples)
