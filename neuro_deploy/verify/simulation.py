"""Run a network on several backends, hold each against the reference, and keep the numbers."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from neuro_deploy.backends import Backend
from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import parse_json, read_text, reason, remedy, write_atomically
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import Totals, count
from neuro_deploy.netx import digest
from neuro_deploy.verify.check import Comparison, compare

REFERENCE = "integer"
"""The backend that all others are compared with."""

RESULT_FORMAT = 2


@dataclass(frozen=True)
class BackendResult:
    """One backend's run in numbers.

    Attributes:
        backend: its name.
        samples: how many it ran.
        steps: chip steps (or model steps of a backend without a chip) of all samples.
        accuracy: share of right answers; None without labels.
        counts: events; see :class:`neuro_deploy.measure.counts.Totals`.
        seconds: wall time of the run, measured.
        startup: wall time before the first step, measured.
    """

    backend: str
    samples: int
    steps: int
    accuracy: float | None
    counts: Totals
    seconds: float
    startup: float


@dataclass(frozen=True)
class Simulation:
    """The result of :func:`simulate`.

    Attributes:
        config: name of the network's configuration.
        net_sha256: of the NetX file.
        data_sha256: of the samples that the reference ran, see :attr:`neuro_deploy.ir.inputs.Samples.sha256`.
        neurons: computing neurons, and all neurons of the chain.
        unquantised_accuracy: of the model with real-valued weights on as many samples as the reference ran, or None.
        backends: in the order in which they ran.
        comparisons: every backend but the reference, held against it.
    """

    config: str
    net_sha256: str
    data_sha256: str
    neurons: tuple[int, int]
    unquantised_accuracy: float | None
    backends: tuple[BackendResult, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def equal(self) -> bool:
        """No backend differs from the reference anywhere."""
        return all(comparison.equal for comparison in self.comparisons)


def simulate(
    network: Network,
    runs: Sequence[tuple[Backend, int]],
    samples: Samples,
    announce: Callable[[str, int], None] = lambda backend, samples: None,
    unquantised_accuracy: float | None = None,
) -> Simulation:
    """Run the first samples on each backend and compare all with the reference.

    Args:
        network: what runs.
        runs: backends and the number of samples that each runs; the reference comes first.
        samples: as many as the reference runs, or more.
        announce: called before each run.
        unquantised_accuracy: of the model without quantisation, for the record.
    """
    reference: Trace | None = None
    results, comparisons = [], []
    for backend, number in runs:
        announce(backend.name, number)
        trace = backend.run(network, samples.encoded[:number])
        results.append(summarise(trace, network, samples.labels))
        if reference is None:
            reference = trace
        else:
            comparisons.append(compare(reference, trace))
    total = sum(layer.size for layer in network.chain.layers)
    compute = sum(s.size for layer in network.chain.segments for s in layer if s.of_model)
    return Simulation(
        config=network.manifest.config,
        net_sha256=digest(network),
        data_sha256=samples.first(results[0].samples).sha256,
        neurons=(compute, total),
        unquantised_accuracy=unquantised_accuracy,
        backends=tuple(results),
        comparisons=tuple(comparisons),
    )


def summarise(trace: Trace, network: Network, labels: NDArray[np.int64] | None) -> BackendResult:
    """A trace in numbers.

    Args:
        trace: a run.
        network: what ran.
        labels: of its samples and perhaps of more, or None where nobody knows them.
    """
    steps = network.manifest.steps if trace.layers is None else trace.input.shape[1]
    return BackendResult(
        trace.backend,
        trace.samples,
        steps * trace.samples,
        None if labels is None else trace.accuracy(labels[: trace.samples]),
        count(trace, network.chain).totals,
        trace.seconds,
        trace.startup,
    )


def save_trace(trace: Trace, path: Path, labels: NDArray[np.int64] | None = None) -> None:
    """Write a trace as a compressed NumPy archive.

    Keys: ``input``, ``population/<name>``, ``readout``, from a backend that runs the chain ``layer/<index>``, and ``label``
    (int64 [samples]) where labels are given; shapes and types as in :class:`neuro_deploy.ir.trace.Trace`.

    Raises:
        OutputError: it cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {"input": trace.input}
    arrays |= {f"population/{name}": spikes for name, spikes in trace.populations.items()}
    arrays |= {f"layer/{index}": spikes for index, spikes in enumerate(trace.layers or ())}
    arrays["readout"] = trace.readout
    if labels is not None:
        arrays["label"] = labels
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def versions() -> dict[str, str]:
    """Of the packages that results depend on, as far as they are installed."""
    found = {}
    for name in ("neuro-deploy", "lava-nc", "lava-dl", "torch", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def save_result(result: Simulation, path: Path) -> None:
    """Write a result as JSON, with the versions that made it.

    Raises:
        OutputError: it cannot be written.
    """
    values = {
        "format_version": RESULT_FORMAT,
        **asdict(result),
        "equal": result.equal,
        "versions": versions(),
    }
    write_atomically(path, (json.dumps(values, indent=1) + "\n").encode())


def load_result(path: Path) -> Simulation:
    """Read what :func:`save_result` wrote.

    Raises:
        ModelFileError: missing, damaged or of another format.
    """
    try:
        values = parse_json(read_text(path))
        if values.pop("format_version") != RESULT_FORMAT:
            raise ModelFileError(f"{path}: not a simulation result of format {RESULT_FORMAT}: simulate again")
        values = {field.name: values[field.name] for field in fields(Simulation)}
        return TypeAdapter(Simulation).validate_python(values)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file: simulate first") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({reason(error)}): {remedy(error, 'simulate again')}") from error
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: not a simulation result, or damaged: simulate again") from error
