"""Raw sound from a pipe, recognised while it comes: frames, chip steps and decisions one by one."""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.audio.front_end import FrontEnd
from neuro_deploy.audio.recordings import require_sound
from neuro_deploy.errors import InputError
from neuro_deploy.ir.inputs import encode, inject
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.semantics import Stepwise
from neuro_deploy.recognition import STREAM
from neuro_deploy.recognition.answers import Answer, Rule

_BYTES = 2
"""Of a sample: signed, little-endian."""

_FULL_SCALE = np.float32(1 << 15)


class Listener:
    """Hears one sample on the chip, from rest, frame by frame.

    Args:
        network: what runs.
        rule: how it decides.

    Attributes:
        answer: as soon as there is one.
    """

    def __init__(self, network: Network, rule: Rule) -> None:
        self._manifest, self._rule = network.manifest, rule
        self._chip, self._steps = Stepwise(network.chain), 0
        self._first_sound: int | None = None
        self._frames: deque[NDArray[np.int32]] = deque(maxlen=network.manifest.input.frames)
        self.answer: Answer | None = None

    def hear(self, frames: NDArray[np.float32], first_sound: int | None) -> None:
        """Take the next frames; the last one of a sample is followed by the steps that the layers need.

        Args:
            frames: [frames, channels].
            first_sound: step of the first frame with sound, see :class:`FrontEnd`; before it nothing is decided.
        """
        self._first_sound = first_sound
        spec, left = self._manifest.input, self._manifest.steps - self._steps
        for frame in encode(frames[None, : max(0, left)], spec)[0]:
            self._frames.append(frame)
            self._step(inject(np.stack(self._frames)[None], spec, 0)[0, -1])
        if 0 < left <= len(frames):
            for silence in inject(np.zeros((1, 0, spec.channels), np.int32), spec, self._manifest.latency)[0]:
                self._step(silence)

    def _step(self, injected: NDArray[np.int32]) -> None:
        self._chip.step(injected)
        self._steps += 1
        step, place = self._steps - self._manifest.latency, self._manifest.readout
        if self.answer is not None or self._first_sound is None or step < self._first_sound:
            return
        (answer,) = self._rule.answers([STREAM], self._chip.voltage[None, None, place.start : place.stop])
        if answer.score >= self._rule.threshold or step == self._manifest.steps:
            self.answer = replace(answer, step=step, latency=self._steps)


def listen(network: Network, front_end: FrontEndSpec, rule: Rule, sound: BinaryIO, rate: int | None = None) -> Iterator[Answer]:
    """Recognise a stream, one sample after another, each as soon as it is decided; what holds no sound is passed over.

    Args:
        network: what recognises.
        front_end: the network's.
        rule: how it decides.
        sound: 16-bit signed little-endian samples of one channel.
        rate: of them in a second; the front end's if not given.

    Raises:
        InputError: there is no sound in it, or it ends within a sample.
    """
    rate = rate or front_end.rate
    answered, first = False, FrontEnd(front_end, rate)
    for number in itertools.count():
        ear, listener, decided = FrontEnd(front_end, rate) if number else first, Listener(network, rule), False
        for frames in _frames(ear, sound, rate):
            if listener.answer is None:
                listener.hear(frames, ear.first_sound)
            if listener.answer is not None and not decided and _sounds(ear, rate):
                decided = answered = True
                yield replace(listener.answer, start=number * front_end.seconds)
        if ear.samples < _length(front_end, rate):
            break
    if not answered:
        require_sound(first, Path(STREAM), rate)


def _frames(ear: FrontEnd, sound: BinaryIO, rate: int) -> Iterator[NDArray[np.float32]]:
    """The frames of the next sample as they are complete; where the stream ends, silence follows."""
    hop, length = max(1, ear.spec.hop * rate // ear.spec.rate), _length(ear.spec, rate)
    while ear.samples < length and len(piece := _read(sound, min(hop, length - ear.samples))):
        yield ear.accept(piece)
    if ear.samples:
        yield ear.finish()


def _length(spec: FrontEndSpec, rate: int) -> int:
    return round(spec.seconds * rate)


def _read(sound: BinaryIO, samples: int) -> NDArray[np.float32]:
    content = sound.read(samples * _BYTES)
    if len(content) % _BYTES:
        raise InputError(f"{STREAM}: the stream ends within a sample: give 16-bit signed little-endian samples of one channel")
    return np.frombuffer(content, "<i2").astype(np.float32) / _FULL_SCALE


def _sounds(ear: FrontEnd, rate: int) -> bool:
    try:
        require_sound(ear, Path(STREAM), rate)
    except InputError:
        return False
    return True
