"""Run a network on backends and compare them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, find
from neuro_deploy.backends.host import HOSTS
from neuro_deploy.cli.common import (
    RUNS,
    Cluster,
    DataFile,
    Encoded,
    InputShape,
    Jobs,
    MessageBits,
    ModelPath,
    console,
    shape,
    user_path,
)
from neuro_deploy.cli.messages import note
from neuro_deploy.errors import ConfigError
from neuro_deploy.workbench.bench import Workbench
from neuro_deploy.workbench.opening import Feed
from neuro_deploy.workbench.samples import Source

if TYPE_CHECKING:
    from neuro_deploy.verify.check import Comparison
    from neuro_deploy.verify.simulation import Simulation

NAMES = (*BACKENDS, *HOSTS)
"""Everything that --backend takes."""

LavaSamples = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Number of samples that stock Lava runs and SANA-FE replays, which take seconds each.  [{BACKENDS['lava'].samples}]",
    ),
]
BrianSamples = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"Number of samples that brian2-loihi runs, if it is installed.  [{BACKENDS['brian2loihi'].samples}]"
    ),
]
TimeLimit = Annotated[float, typer.Option(min=0, help="Seconds that Lava may take for one sample before it is stopped.")]


def simulate(
    model: ModelPath,
    backend: Annotated[str | None, typer.Option(metavar="NAME", help=f"Run this backend alone: {', '.join(NAMES)}.")] = None,
    fused: Annotated[bool, typer.Option("--fused", hidden=True)] = False,
    data: DataFile = None,
    encoded: Encoded = False,
    samples: Annotated[int | None, typer.Option(min=1, help="Number of samples to run, from the first; default: all.")] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", parser=user_path, help="Save every spike of the backend that --backend names."),
    ] = None,
    lava_samples: LavaSamples = None,
    brian_samples: BrianSamples = None,
    time_limit: TimeLimit = 120.0,
    message_bits: MessageBits = None,
    input_shape: InputShape = None,
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Run a network on its test split or on your own samples: on all backends with the reference check, or on one backend.

    Without --backend, the result is also written to runs/CONFIG/simulation.json; exit code 1 if one spike differs. torch-cpu and
    torch-gpu time the models in torch instead, with and without spikes.
    """
    from neuro_deploy.report.tables import simulation_tables
    from neuro_deploy.verify.parallel import workers
    from neuro_deploy.verify.simulation import save_result

    few = fewer(lava_samples, brian_samples)
    if fused:
        if backend != "lava":
            raise ConfigError("--fused needs --backend lava: it is a way to run Lava")
        backend = "lava-fused"
        note("--backend lava --fused is now --backend lava-fused")
    source, feed = Source(data, encoded, used=samples), Feed(message_bits, shape(input_shape))
    if backend is not None:
        find(backend, {**BACKENDS, **HOSTS})
        if backend in HOSTS:
            _refuse(backend, {"--samples": samples, "--trace": trace, "--jobs": jobs, "--cluster": cluster})
            _time(Workbench(model, source, feed=feed), backend)
            return
        with workers(jobs, cluster) as parts:
            _run_one(Workbench(model, source, time_limit, feed), backend, samples, few, parts, trace)
        return
    if trace is not None:
        raise ConfigError("--trace needs --backend: it saves the spikes of one backend")
    with workers(jobs, cluster) as parts:
        workbench = Workbench(model, source, time_limit, feed)
        simulation = run_all(workbench, samples, few, unquantised=True, parts=parts)
    path = RUNS / workbench.network.manifest.config / "simulation.json"
    save_result(simulation, path)
    console.print(simulation_tables(simulation))
    console.print(f"wrote {path}")
    _exit_unless_equal(simulation.comparisons)


def check(
    model: ModelPath,
    data: DataFile = None,
    encoded: Encoded = False,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Number of samples to compare, from the first; default: all.")
    ] = None,
    lava_samples: LavaSamples = None,
    brian_samples: BrianSamples = None,
    time_limit: TimeLimit = 120.0,
    message_bits: MessageBits = None,
    input_shape: InputShape = None,
    slayer: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="Compare with a SLAYER model instead: the function that returns it. The file is executed.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE.pt", parser=user_path, help="State of the SLAYER model, as written by torch.save."),
    ] = None,
) -> None:
    """Compare every spike of every backend with the integer reference; exit code 1 if one differs.

    The samples are the few that the manifest stores together with their read-outs, so no data set is needed. With more --samples
    than these, or if none are stored, they are taken from the test split.
    """
    from neuro_deploy.report.tables import check_table
    from neuro_deploy.verify.examples import recall

    few = fewer(lava_samples, brian_samples)
    source, feed = Source(data, encoded, few=samples or 1, used=samples), Feed(message_bits, shape(input_shape))
    if slayer is not None or checkpoint is not None:
        _check_slayer(model, source, feed, slayer, checkpoint)
        return
    workbench = Workbench(model, source, time_limit, feed)
    simulation = run_all(workbench, samples, few, unquantised=False)
    recalled = recall(workbench.network)
    comparisons = simulation.comparisons if recalled is None else (recalled, *simulation.comparisons)
    console.print(check_table(comparisons, every_population=True))
    _exit_unless_equal(comparisons)


def _check_slayer(model: Path, source: Source, feed: Feed, slayer: str | None, checkpoint: Path | None) -> None:
    """A SLAYER model against its NetX file; exit code 1 if one message differs."""
    if slayer is None:
        raise ConfigError("--checkpoint is the state of a SLAYER model: give --slayer FILE.py:FUNCTION too")
    if source.file is None:
        raise ConfigError("--slayer needs samples as the model reads them: give --data FILE.npz")
    extras.require("torch", "lava")
    from neuro_deploy.datasets.arrays import read_arrays
    from neuro_deploy.report.slayer import slayer_tables
    from neuro_deploy.workbench.opening import open_network
    from neuro_deploy.workbench.slayer.compare import check_slayer
    from neuro_deploy.workbench.slayer.module import load

    network = open_network(model, source, feed)
    values, _ = read_arrays(source.file, len(network.manifest.classes))
    note(f"runs {slayer}")
    found = check_slayer(load(slayer, checkpoint), network, values[: source.used])
    console.print(slayer_tables(found))
    if not found.equal:
        raise typer.Exit(1)


def _run_one(
    workbench: Workbench, name: str, number: int | None, few: Mapping[str, int], parts: int, trace: Path | None
) -> None:
    """One backend: its row of the table, and its spikes in a file."""
    from neuro_deploy.report.tables import backends_table
    from neuro_deploy.verify.simulation import save_trace, summarise

    total = len(workbench.samples)
    samples = workbench.samples.first(number or min(total, few.get(name, total)))
    result = workbench.backend(name, parts).run(workbench.network, samples.encoded)
    console.print(backends_table([summarise(result, workbench.network, samples.labels)], workbench.network.name))
    if trace is not None:
        save_trace(result, trace, samples.labels)
        console.print(f"wrote {trace}")


def _refuse(backend: str, options: Mapping[str, object]) -> None:
    """Refuse options that mean nothing where a machine is timed."""
    for option, value in options.items():
        if value is not None:
            raise ConfigError(
                f"{option} does not apply to --backend {backend}, which times one sample and fixed batches: omit it"
            )


def _time(workbench: Workbench, name: str) -> None:
    """The models in torch on a device of this machine."""
    from neuro_deploy.report.tables import hosts_table

    console.print(hosts_table(workbench.time(name), workbench.network.name))


def fewer(lava: int | None, brian: int | None) -> dict[str, int]:
    """How many samples the slow backends run: what the user says of them, or they themselves."""
    said = {"lava": lava, "sanafe": lava, "brian2loihi": brian}
    return {name: said.get(name) or entry.samples for name, entry in BACKENDS.items() if entry.samples is not None}


def run_all(
    workbench: Workbench, samples: int | None, few: Mapping[str, int], unquantised: bool, parts: int = 1
) -> "Simulation":
    """All backends on the samples, those that need seconds for each on the first few."""
    from neuro_deploy.verify.simulation import simulate as run

    names, left_out = workbench.checked()
    for name, reason in left_out.items():
        console.print(f"{name}: left out, {reason}", style="dim", soft_wrap=True)
    chosen = workbench.samples.first(samples)
    runs = [(workbench.backend(name, parts), min(len(chosen), few.get(name, len(chosen)))) for name in names]
    accuracy = workbench.unquantised_accuracy(samples) if unquantised else None
    console.print(f"{len(chosen):,} samples of {chosen.origin}", style="dim", soft_wrap=True)

    def announce(backend: str, count: int) -> None:
        console.print(f"{backend}: {count} samples ...", style="dim")

    return run(workbench.network, runs, chosen, announce, accuracy)


def _exit_unless_equal(comparisons: "Sequence[Comparison]") -> None:
    if not all(comparison.equal for comparison in comparisons):
        raise typer.Exit(1)
