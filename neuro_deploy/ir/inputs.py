"""From a sample to what is injected into the chip: encode to graded integers, stack frames, append the silence."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuro_deploy.errors import InputError
from neuro_deploy.ir.manifest import Encoder, InputSpec


@dataclass(frozen=True)
class Samples:
    """Samples as a network reads them, and what is known of them.

    Attributes:
        encoded: int32 [samples, T, channels].
        labels: int64 [samples]; None where nobody knows them.
        values: [samples, T, channels] in the data's own unit, or the integers themselves where these were given.
        origin: what messages call them.
    """

    encoded: NDArray[np.int32]
    labels: NDArray[np.int64] | None
    values: NDArray[Any]
    origin: str

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.encoded)

    def first(self, number: int | None) -> "Samples":
        """The first samples, or all of them.

        Raises:
            InputError: there are not so many.
        """
        if number is None:
            return self
        if number > len(self):
            raise InputError(f"{number} samples asked for, {self.origin} has {len(self)}: ask for fewer")
        labels = None if self.labels is None else self.labels[:number]
        return replace(self, encoded=self.encoded[:number], labels=labels, values=self.values[:number])

    def accuracy(self, answers: NDArray[np.int64]) -> float | None:
        """Share of right answers; None without labels.

        Args:
            answers: int64 [samples], classes.
        """
        return accuracy(answers, self.labels)

    @property
    def sha256(self) -> str:
        """What tells them from other samples, whatever the encoder; see :func:`fingerprint`."""
        return fingerprint(self.values, self.labels)


def accuracy(answers: NDArray[np.int64], labels: NDArray[np.int64] | None) -> float | None:
    """Share of right answers; None without labels.

    Args:
        answers: int64 [samples], classes.
        labels: int64 [samples], or None where nobody knows them.
    """
    return None if labels is None else float((answers == labels).mean())


def numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """An array of real numbers.

    Args:
        values: of any shape.
        what: what a message calls them.

    Raises:
        InputError: they are something else: objects, texts, complex numbers, lists of different lengths.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise InputError(f"{what}: not an array of numbers ({error}): all rows must have the same length") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{what}: an array of type {array.dtype}: it must hold numbers")
    return array


def encode(samples: ArrayLike, encoder: Encoder) -> NDArray[np.int32]:
    """Quantise samples to the graded integers that the network was trained on.

    Args:
        samples: numbers [samples, T, channels] in the data's own unit.
        encoder: scale, offset and limits.

    Returns:
        int32 [samples, T, channels], ``round((x - offset) * scale)`` with halves to even.

    Raises:
        InputError: not three dimensions, no numbers, NaN or infinity, or, where the encoder does not clip, a value outside
            ``0 .. 2**message_bits - 1`` after scaling, or one that is no integer where it must be.
    """
    with np.errstate(over="ignore"):  # infinite, then
        values = numbers(samples, "samples").astype(np.float64, copy=False)
    if values.ndim != 3:
        raise InputError(f"samples have shape {list(values.shape)}, not [samples, steps, channels]: reshape them")
    if not np.isfinite(values).all():
        where = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"sample {where[0]} has {values[tuple(where)]} at step {where[1]}, channel {where[2]}: only finite values"
        )
    with np.errstate(over="ignore"):  # infinite, then, and beyond the limits
        encoded = values - encoder.offset
        encoded *= encoder.scale
    if encoder.exact:
        _require_integers(encoded)
    np.rint(encoded, out=encoded)
    if encoder.clip:
        np.clip(encoded, encoder.lowest, encoder.largest, out=encoded)
    outside = (encoded < encoder.lowest) | (encoded > encoder.largest)
    if outside.any():
        where = np.argwhere(outside)[0]
        low, high = (encoder.offset + end / encoder.scale for end in (encoder.lowest, encoder.largest))
        raise InputError(
            f"sample {where[0]} has {values[tuple(where)]:g} at step {where[1]}, channel {where[2]}: "
            f"the encoder takes {low:g} to {high:g}; {_remedy(encoder, np.abs(encoded).max())}"
        )
    integers: NDArray[np.int32] = encoded.astype(np.int32, order="C")
    return integers


def _remedy(encoder: Encoder, largest: float) -> str:
    if encoder.message_bits:
        return "rescale the data or train with another encoder"
    bits = int(largest).bit_length()
    return f"a synapse without message bits counts every value that is not 0 as 1: give --message-bits {bits}, or spikes"


def _require_integers(encoded: NDArray[np.float64]) -> None:
    """Lava takes a number that is no integer for another one: of 0.1 a synapse without message bits makes 1, another one 0.

    Raises:
        InputError: there is one.
    """
    broken = encoded != np.rint(encoded)
    if broken.any():
        where = np.argwhere(broken)[0]
        raise InputError(
            f"sample {where[0]} has {encoded[tuple(where)]:g} at step {where[1]}, channel {where[2]}: this network reads integers; "
            "multiply the data, and the first layer's threshold, until they are, and give --message-bits"
        )


@dataclass(frozen=True)
class Signature:
    """What a network takes, and how many classes it tells apart.

    Attributes:
        encoder: from the data's numbers to integers.
        steps: T, of a sample.
        channels: of a step.
        classes: how many.
        shape: (width, height, channels) of a step, if it has one; samples may have it too.
    """

    encoder: Encoder
    steps: int
    channels: int
    classes: int
    shape: tuple[int, ...] = ()

    def encode(self, samples: ArrayLike) -> NDArray[np.int32]:
        """Quantise samples to the graded integers that the network reads.

        Args:
            samples: numbers [samples, T, channels] in the data's own unit.

        Returns:
            int32 [samples, T, channels]; see :func:`encode`.

        Raises:
            InputError: another shape or type, or a value that the encoder does not take.
        """
        values = self._flat(numbers(samples, "samples"))
        self._fits(values, "samples have")
        return encode(values, self.encoder)

    def accept(self, encoded: ArrayLike) -> NDArray[np.int32]:
        """Make sure that integers are encoded samples.

        Args:
            encoded: integers [samples, T, channels].

        Returns:
            The same as int32.

        Raises:
            InputError: another shape or type, or a value that no message carries.
        """
        values = self._flat(numbers(encoded, "encoded samples"))
        self._fits(values, "encoded samples have")
        if values.dtype.kind == "f":
            raise InputError(f"encoded samples are of type {values.dtype}: they must be integers; encode the samples first")
        lowest, limit, low, high = self.encoder.lowest, self.encoder.largest, int(values.min()), int(values.max())
        if low < lowest or high > limit:
            worst = low if low < lowest else high
            if not self.encoder.message_bits and low >= 0:
                raise InputError(f"an encoded sample holds {worst}, a spike is 0 or 1: {_remedy(self.encoder, high)}")
            raise InputError(f"an encoded sample holds {worst}, a graded spike carries {lowest} to {limit}: encode the samples")
        return np.array(values, np.int32, order="C")  # its own: a file's may be mapped, and cannot be written to

    def _flat(self, values: NDArray[Any]) -> NDArray[Any]:
        """[samples, T, channels] of samples [samples, T, width, height, channels]."""
        if self.shape and values.shape[2:] == self.shape:
            return values.reshape(*values.shape[:2], -1)
        return values

    def _fits(self, values: NDArray[Any], what: str) -> None:
        """Refuse an array that is not [samples, T, channels]."""
        if values.ndim != 3 or values.shape[1:] != (self.steps, self.channels) or not len(values):
            shaped = f" or [samples, {self.steps}, {', '.join(map(str, self.shape))}]" if self.shape else ""
            raise InputError(
                f"{what} shape {list(values.shape)}, the network reads [samples, {self.steps}, {self.channels}]{shaped} "
                "and at least one sample"
            )


def inject(encoded: NDArray[np.int32], spec: InputSpec, silence: int) -> NDArray[np.int32]:
    """Lay out encoded samples as the host feeds them, step by step.

    Args:
        encoded: int32 [samples, T, channels], see :func:`encode`.
        spec: number of stacked frames and place of the constant channel.
        silence: steps of zeros after the sample, D + G.

    Returns:
        int32 [samples, T + silence, frames * channels, and one more if there is a constant channel].
    """
    samples, steps, channels = encoded.shape
    constant = spec.constant_channel is not None
    injected = np.zeros((samples, steps + silence, spec.frames * channels + constant), np.int32)
    for lag in range(min(spec.frames, steps)):
        injected[:, lag:steps, lag * channels : (lag + 1) * channels] = encoded[:, : steps - lag]
    if constant:
        injected[:, :steps, spec.constant_channel] = 1
    return injected


def fingerprint(samples: NDArray[Any], labels: NDArray[np.int64] | None) -> str:
    """What tells data from other data, whatever the encoder: SHA-256 of samples and labels, in hexadecimal.

    Args:
        samples: [samples, T, channels] in the data's own unit.
        labels: [samples], or None where nobody knows them.
    """
    digest = hashlib.sha256(str(samples.shape).encode())
    with np.errstate(over="ignore"):  # infinite, then
        digest.update(np.ascontiguousarray(samples, "<f4").tobytes())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").tobytes())
    return digest.hexdigest()
