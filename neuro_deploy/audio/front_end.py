"""Log-mel frames of a recording that arrives in pieces.

The frames do not depend on how it was cut: the resampler and the filter bank keep what they still need of the pieces before.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuro_deploy import extras
from neuro_deploy.ir.manifest import FrontEndSpec

SILENCE = 2.0**-15
"""A magnitude below the last bit of 16 is silence."""


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

    Raises:
        MissingPackageError: the extra ``audio`` is not installed.
    """

    def __init__(self, spec: FrontEndSpec, rate: int) -> None:
        extras.require("kaldi_native_fbank", "soxr")
        import kaldi_native_fbank
        import soxr

        self.spec, self._rate = spec, rate
        self.samples = 0
        self._onset: int | None = None
        self._bank = kaldi_native_fbank.OnlineFbank(_options(spec))
        self._resampler = None if rate == spec.rate else soxr.ResampleStream(rate, spec.rate, 1, dtype="float32")
        self._frames = 0

    @property
    def first_sound(self) -> int | None:
        """The step, 1 to T, of the first frame that may hold more than silence; None as long as there was only silence."""
        if self._onset is None:
            return None
        before = self._onset * self.spec.rate // self._rate - self.spec.window
        step = max(0, before // self.spec.hop + 1) + 1
        return step if step <= self.spec.steps else None

    def accept(self, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames that a piece completes.

        Args:
            piece: [samples] or [samples, channels], full scale at 1; channels are averaged.

        Returns:
            [frames, bins], perhaps none.
        """
        mono = piece if piece.ndim == 1 else piece.mean(axis=1, dtype=np.float32)
        if self._onset is None and (loud := np.abs(mono) >= SILENCE).any():
            self._onset = self.samples + int(loud.argmax())
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

    def _filter(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        self._bank.accept_waveform(self.spec.rate, waveform)
        ready = range(self._frames, self._bank.num_frames_ready)
        frames = np.array([self._bank.get_frame(index) for index in ready], np.float32).reshape(-1, self.spec.bins)
        self._bank.pop(len(ready))
        self._frames += len(ready)
        return frames


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
    frame.dither, frame.snip_edges = 0.0, True  # noise would make two runs differ; a window reads what it has heard, no more
    mel.num_bins, mel.low_freq, mel.high_freq = spec.bins, spec.low_hz, spec.high_hz
    return options
