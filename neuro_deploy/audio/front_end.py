"""Log-mel frames of a recording that arrives in pieces.

The frames do not depend on how it was cut: the resampler and the filter bank keep what they still need of the pieces before.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.ir.manifest import FrontEndSpec

FLOOR = float(np.log(np.finfo(np.float32).eps))
"""What every band of silence has: the logarithm of a power is not taken below that of float32's epsilon."""

_ABOVE = 1e-3
"""A band this far above the floor holds sound."""


def first_sound(frames: NDArray[np.float32]) -> NDArray[np.int64]:
    """The first frames that hold more than silence.

    Args:
        frames: [samples, T, bins].

    Returns:
        int64 [samples], their steps, 1 to T; T where there is only silence.
    """
    loud = _sounding(frames)
    loud[:, -1] = True
    steps: NDArray[np.int64] = loud.argmax(axis=1) + 1
    return steps


def _sounding(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames [..., bins] hold more than silence."""
    result: NDArray[np.bool_] = (frames > FLOOR + _ABOVE).any(axis=-1)
    return result


class FrontEnd:
    """Turns pieces of one recording into frames as soon as they are complete.

    The frames are Kaldi's (``feature-fbank.cc``): of each window the mean is taken away, high frequencies are raised by
    ``x[n] - preemphasis * x[n - 1]``, a Hann window is applied, and the natural logarithm of the power in each triangular mel band is
    taken, not below that of float32's epsilon.

    Args:
        spec: the frames.
        rate: samples a second of the recording; other than the frames' it is resampled.

    Attributes:
        samples: of the recording so far.
        first_sound: step, 1 to T, of the first frame that holds more than silence; None as long as there was only silence.
        sound_after: whether there is more than silence after the spec's seconds.

    Raises:
        MissingPackageError: the extra ``audio`` is not installed.
    """

    def __init__(self, spec: FrontEndSpec, rate: int) -> None:
        extras.require("kaldi_native_fbank", "soxr")
        import kaldi_native_fbank
        import soxr

        self.spec, self._rate = spec, rate
        self.samples = 0
        self.first_sound: int | None = None
        self.sound_after = False
        self._channels, self._power, self._mixed = 1, 0.0, 0.0
        self._bank = kaldi_native_fbank.OnlineFbank(_options(spec))
        self._resampler = None if rate == spec.rate else soxr.ResampleStream(rate, spec.rate, 1, dtype="float32")
        self._frames = 0

    @property
    def cancels(self) -> bool:
        """Whether the channels so far cancel each other where they are averaged, by 10 dB more than independent ones would."""
        return self._channels > 1 and self._mixed < 0.1 * self._power / self._channels

    def accept(self, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames that a piece completes.

        Args:
            piece: [samples] or [samples, channels], full scale at 1; channels are averaged.

        Returns:
            [frames, bins], perhaps none.
        """
        mono = piece if piece.ndim == 1 else self._mix(piece)
        self.samples += len(mono)
        return self._filter(mono if self._resampler is None else self._resampler.resample_chunk(mono))

    def finish(self) -> NDArray[np.float32]:
        """The frames that are left at the end of the recording, silence following until it has the spec's steps."""
        rest = np.zeros(0, np.float32)
        found = [self._filter(rest if self._resampler is None else self._resampler.resample_chunk(rest, last=True))]
        missing = self.spec.steps - self._frames
        if missing > 0:
            # What is left of the recording is part of the first frame's window, so a window more is always enough.
            silence = np.zeros(missing * self.spec.hop + self.spec.window, np.float32)
            found.append(self._filter(silence)[:missing])
        return np.concatenate(found)

    def _mix(self, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        mono: NDArray[np.float32] = piece.mean(axis=1, dtype=np.float32)
        self._channels = piece.shape[1]
        self._power += float(np.square(piece, dtype=np.float64).mean(axis=1).sum())
        self._mixed += float(np.square(mono, dtype=np.float64).sum())
        return mono

    def _filter(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        self._bank.accept_waveform(self.spec.rate, waveform)
        ready = range(self._frames, self._bank.num_frames_ready)
        frames = np.array([self._bank.get_frame(index) for index in ready], np.float32).reshape(-1, self.spec.bins)
        self._bank.pop(len(ready))
        self._notice(_sounding(frames))
        self._frames += len(ready)
        return frames

    def _notice(self, loud: NDArray[np.bool_]) -> None:
        """Where there is sound among the next frames."""
        steps = self._frames + 1 + np.flatnonzero(loud)
        if len(steps) == 0:
            return
        if self.first_sound is None and steps[0] <= self.spec.steps:
            self.first_sound = int(steps[0])
        self.sound_after |= bool((steps[-1] - 1) * self.spec.hop >= round(self.spec.seconds * self.spec.rate))


def clip_frames(waveform: NDArray[np.float32], spec: FrontEndSpec, rate: int | None = None) -> NDArray[np.float32]:
    """The frames of a whole clip, cut or followed by silence to the spec's steps.

    Args:
        waveform: [samples] or [samples, channels].
        spec: the frames.
        rate: of the waveform; that of the frames if not given.

    Returns:
        [T, bins].
    """
    front_end = FrontEnd(spec, rate or spec.rate)
    return np.concatenate([front_end.accept(waveform), front_end.finish()])[: spec.steps]


def _options(spec: FrontEndSpec) -> Any:
    """Kaldi's options for the frames."""
    import kaldi_native_fbank

    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    # Kaldi rounds down in float32: a quarter of a sample more keeps it at the whole number.
    frame.samp_freq, frame.frame_length_ms = spec.rate, 1000 * (spec.window + 0.25) / spec.rate
    frame.frame_shift_ms = 1000 * (spec.hop + 0.25) / spec.rate
    frame.preemph_coeff, frame.window_type = spec.preemphasis, "hanning"
    frame.dither, frame.snip_edges = (
        0.0,
        True,
    )  # noise would make two runs differ; a window reads the samples that have come, no more
    mel.num_bins, mel.low_freq, mel.high_freq = spec.bins, spec.low_hz, spec.high_hz
    return options
