"""What the Lava backend and its worker hand each other: files in one folder."""

import json
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

Way = Literal["stock", "fused", "hardware"]

PROGRESS = "progress"
"""File that grows by one byte when the network is built and by one for each finished sample."""

DONE = "done.json"
"""File with the measured times (``start``, seconds since the epoch, and ``seconds``); all results are complete when it appears."""

ERROR = "error"
"""File with one line that says what went wrong."""


@dataclass(frozen=True)
class Job:
    """One run of Lava over some samples.

    Attributes:
        folder: where its files are.
        net: the NetX file.
        message_bits: bits of the graded input.
        samples: number of samples.
        steps: T + D, after which the read-out is read.
        gap: G, silent steps after that.
        sizes: number of neurons of each layer.
        loading: further options of ``hdf5.Network``, for a network that this project did not make, each sample of which starts in a
            new one; None: one network runs all samples, and is at rest after each gap.
        way: ``stock``: Lava's fixed-point simulation, a process for each part; ``fused``: the same as one process
            (:mod:`neuro_deploy.fused`); ``hardware``: on the chip.
    """

    folder: Path
    net: Path
    message_bits: int
    samples: int
    steps: int
    gap: int
    sizes: tuple[int, ...]
    loading: dict[str, Any] | None = None
    way: Way = "stock"

    @property
    def input(self) -> Path:
        """int32 [samples * (T + D + G), input channels]."""
        return self.folder / "input.npy"

    @property
    def readout(self) -> Path:
        """int64 [samples, read-out neurons]."""
        return self.folder / "readout.npy"

    @property
    def log(self) -> Path:
        """What the worker and Lava print on stderr."""
        return self.folder / "stderr"

    @property
    def spikes(self) -> Path:
        """uint8 or int32 [samples * (T + D + G), neurons of all layers]; made by the parent, filled by the worker."""
        return self.folder / "spikes.npy"

    @property
    def period(self) -> int:
        """Steps of a sample, T + D + G."""
        return self.steps + self.gap

    @property
    def layers(self) -> list[slice]:
        """Where each layer is among all neurons."""
        return [slice(start, stop) for start, stop in pairwise((0, *accumulate(self.sizes)))]

    def finished(self) -> int:
        """Samples that are done; -1 while the network is being built."""
        progress = self.folder / PROGRESS
        return progress.stat().st_size - 1 if progress.exists() else -1

    def save(self) -> None:
        """Write the description into the folder."""
        fields = {name: value for name, value in vars(self).items() if name != "folder"} | {"net": str(self.net)}
        (self.folder / "job.json").write_text(json.dumps(fields))

    @classmethod
    def load(cls, folder: Path) -> "Job":
        """Read the description from a folder."""
        fields = json.loads((folder / "job.json").read_text())
        if fields["loading"] and fields["loading"]["input_shape"]:
            fields["loading"]["input_shape"] = tuple(fields["loading"]["input_shape"])  # Lava takes no list
        return cls(**fields | {"folder": folder, "net": Path(fields["net"]), "sizes": tuple(fields["sizes"])})
