"""A stream of endless noise, recognised on one core: how much faster than real time, and whether memory stays as it is."""

import os
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.measure import Comparison, Section, Settings, require
from neuro_deploy.ir.manifest import FrontEndSpec
from neuro_deploy.ir.network import Network
from neuro_deploy.netx import load_network
from neuro_deploy.recognition.answers import front_end, rule
from neuro_deploy.recognition.stream import listen

MODEL = Path("netx_models/speech_commands_12.net")
"""The network that listens: that of the other benchmarks has no front end."""

SECONDS, QUICK_SECONDS = 600, 60
"""Of sound."""

WARM_UP = 10
"""Seconds of sound after which memory is looked at for the first time."""

THRESHOLD = 0.8
"""The confidence at which a second is decided."""


class Noise:
    """Seconds of white noise as raw samples, made while they are read."""

    def __init__(self, seconds: float, rate: int) -> None:
        self._left = 2 * round(seconds * rate)
        self._random = np.random.default_rng(0)

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        size = min(size, self._left)
        self._left -= size
        return (3000 * self._random.standard_normal(size // 2)).astype("<i2").tobytes()


def measure(settings: Settings) -> Section:
    """Seconds of each part of one long stream that is read as fast as it can be recognised, and the memory that it takes."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    network = load_network(MODEL)
    spec = front_end(network, MODEL)
    part = (QUICK_SECONDS if settings.quick else SECONDS) // settings.repeats
    taken, memory = _listen(network, spec, part, settings.repeats)
    found: dict[str, float | int | str] = {
        "network": network.manifest.config,
        "seconds of noise": part * settings.repeats,
        "confidence asked for": THRESHOLD,
        f"memory after {WARM_UP} s of it, MB": round(memory[0], 1),
        "memory that came on top, MB": round(max(memory) - memory[0], 1),
    }
    values = {"in real time": [float(part)] * settings.repeats, "recognised": taken}
    notes = [
        "On one core, front end included; a spread over the parts of one stream.",
        "Memory is that of the whole process, Python, Numba and the network included.",
    ]
    return Section([Comparison(f"{part} s of endless noise", "s", "in real time", values)], facts=found, notes=notes)


def _listen(network: Network, spec: FrontEndSpec, part: int, parts: int) -> tuple[list[float], list[float]]:
    """Seconds that each part of a stream takes, and the megabytes of this process after each second but the first ones."""
    noise = Noise(WARM_UP + part * parts, spec.rate)
    ends, memory = [], []
    for number, answer in enumerate(listen(network, spec, rule(network, THRESHOLD), noise), 1):
        require(answer.start + spec.seconds == number * spec.seconds, "answers and pieces of the noise")
        heard = round(number * spec.seconds)
        if heard >= WARM_UP:
            memory.append(_resident())
        if heard >= WARM_UP and (heard - WARM_UP) % part == 0:
            ends.append(time.perf_counter())
    require(len(ends) == parts + 1, "answers and parts of the noise")
    return [end - begin for begin, end in pairwise(ends)], memory


def _resident() -> float:
    """Megabytes of this process; what it has had at most where the system does not say what it has."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
