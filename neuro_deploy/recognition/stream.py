"""Raw sound from a pipe, recognised while it comes: frames, chip steps and decisions one by one."""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.audio.containers import LOOK, container
from neuro_deploy.audio.front_end import FrontEnd
from neuro_deploy.audio.recordings import require_sound
from neuro_deploy.errors import BackendError, InputError, NeuroDeployError
from neuro_deploy.ir.inputs import encode, inject
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.recognition import STREAM
from neuro_deploy.recognition.answers import Answer, Rule
from neuro_deploy.recognition.decisions import enough

if TYPE_CHECKING:
    from neuro_deploy.engine.stepper import Stepper

_BYTES = 2
"""Of a sample: signed, little-endian."""

_FULL_SCALE = np.float32(1 << 15)


class Sound(Protocol):
    """What a stream comes from: a binary file, or anything that is read in the same way."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer at the end alone."""


class Listener:
    """Recognises one sample on the chip, from rest, frame by frame.

    Args:
        network: what runs.
        chip: a stepper of its chain.
        rule: how it decides.

    Attributes:
        answer: as soon as there is one.
    """

    def __init__(self, network: Network, chip: "Stepper", rule: Rule) -> None:
        self._manifest, self._rule = network.manifest, rule
        self._chip, self._steps = chip, 0
        chip.rest()
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
        self._steps += 1
        self._chip.advance(self._steps)
        self._chip.receive(injected)
        step, last = self._steps - self._manifest.latency, self._manifest.steps
        if self.answer is not None or self._first_sound is None or step < 1:
            return
        voltages = self._chip.readout[self._manifest.readout.place].astype(np.int64)
        shares = self._rule.shares(voltages[None, None])[0, 0]
        best = int(shares.argmax())
        if enough(shares[best], step, self._first_sound, last, self._rule.threshold):
            self.answer = Answer(STREAM, self._rule.words[best], float(shares[best]), step, self._steps)


def listen(network: Network, front_end: FrontEndSpec, rule: Rule, sound: Sound, rate: int | None = None) -> Iterator[Answer]:
    """Recognise a stream, one sample after another, each as soon as it is decided; what holds no sound is passed over.

    Args:
        network: what recognises.
        front_end: the network's.
        rule: how it decides.
        sound: 16-bit signed little-endian samples of one channel.
        rate: of them in a second; the front end's if not given.

    Raises:
        InputError: it is a file, there is no sound in it, or it ends within a sample.
        BackendError: the network cannot be run step by step.
    """
    rate, samples, chip = rate or front_end.rate, _Samples(sound), _chip(network)
    answered, first = False, FrontEnd(front_end, rate)
    for number in itertools.count():
        ear, listener, decided = FrontEnd(front_end, rate) if number else first, Listener(network, chip, rule), False
        for frames in _frames(ear, samples, rate):
            if listener.answer is None:
                listener.hear(frames, ear.first_sound)
            if listener.answer is not None and not decided and _sounds(ear, rate):
                decided = answered = True
                yield replace(listener.answer, start=number * front_end.seconds)
        if ear.samples < _length(front_end, rate):
            break
    if not answered:
        require_sound(first, Path(STREAM), rate)


def _chip(network: Network) -> "Stepper":
    """The network at rest, compiled; one is enough for all samples."""
    manifest = network.manifest
    try:
        from neuro_deploy.engine.stepper import Stepper

        chip = Stepper.of(network.chain, 2**manifest.input.message_bits - 1, manifest.steps + manifest.latency)
        chip.compile()
    except NeuroDeployError:
        raise
    except Exception as error:  # a compiler can fail in any way
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BackendError(
            f"{STREAM}: the engine cannot be compiled here ({reason}): recognise recordings in files, on the integer backend"
        ) from error
    return chip


class _Samples:
    """The samples of a stream.

    Args:
        sound: the stream, of which as much is read as tells a file from raw samples.

    Raises:
        InputError: it is a file.
    """

    def __init__(self, sound: Sound) -> None:
        self._head, self._sound = sound.read(LOOK), sound
        kind = container(self._head)
        if kind:
            raise InputError(
                f"{STREAM}: what comes is {kind}, not raw samples: give 16-bit signed little-endian samples of one channel, "
                "or a recording by its name or as /dev/stdin"
            )

    def take(self, count: int) -> NDArray[np.float32]:
        """The next samples, full scale at 1; fewer than that many at the end of the stream.

        Raises:
            InputError: it ends within a sample.
        """
        size = count * _BYTES
        content, self._head = self._head[:size], self._head[size:]
        if len(content) < size:
            content += self._sound.read(size - len(content))
        if len(content) % _BYTES:
            raise InputError(
                f"{STREAM}: the stream ends within a sample: give 16-bit signed little-endian samples of one channel"
            )
        return np.frombuffer(content, "<i2").astype(np.float32) / _FULL_SCALE


def _frames(ear: FrontEnd, samples: _Samples, rate: int) -> Iterator[NDArray[np.float32]]:
    """The frames of the next sample as they are complete; where the stream ends, silence follows."""
    hop, length = max(1, ear.spec.hop * rate // ear.spec.rate), _length(ear.spec, rate)
    while ear.samples < length and len(piece := samples.take(min(hop, length - ear.samples))):
        yield ear.accept(piece)
    if ear.samples:
        yield ear.finish()


def _length(spec: FrontEndSpec, rate: int) -> int:
    return round(spec.seconds * rate)


def _sounds(ear: FrontEnd, rate: int) -> bool:
    try:
        require_sound(ear, Path(STREAM), rate)
    except InputError:
        return False
    return True
