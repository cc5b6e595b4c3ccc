"""Run a network on backends and compare them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, find
from neuro_deploy.backends.host import HOSTS
from neuro_deploy.cli.common import RUNS, Cluster, Jobs, ModelPath, console
from neuro_deploy.errors import ConfigError
from neuro_deploy.workbench.bench import Workbench

if TYPE_CHECKING:
    from neuro_deploy.verify.simulation import Simulation

NAMES = (*BACKENDS, *HOSTS)
"""Everything that --backend takes."""

LavaSamples = Annotated[
    int, typer.Option(min=1, help="How many samples stock Lava runs, and SANA-FE replays; they need seconds for each.")
]
BrianSamples = Annotated[int, typer.Option(min=1, help="How many samples brian2-loihi runs, if it is installed; likewise.")]
TimeLimit = Annotated[float, typer.Option(min=0, help="Seconds that Lava may take for one sample before it is ended.")]


def simulate(
    model: ModelPath,
    backend: Annotated[str | None, typer.Option(metavar="NAME", help=f"Run this one alone: {', '.join(NAMES)}.")] = None,
    fused: Annotated[bool, typer.Option("--fused", help="With --backend lava: the network as one process in Lava.")] = False,
    samples: Annotated[int | None, typer.Option(min=1, help="First test samples to run; all if not given.")] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Save every spike of the one backend.")] = None,
    lava_samples: LavaSamples = 16,
    brian_samples: BrianSamples = 2,
    time_limit: TimeLimit = 120.0,
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Run a network on the test set: on all backends with the reference check, or on one.

    Without --backend the result is also written to runs/CONFIG/simulation.json; exit code 1 if one spike differs. torch-cpu and
    torch-gpu time the models in torch instead, with and without spikes.
    """
    from neuro_deploy.report.tables import simulation_tables
    from neuro_deploy.verify.parallel import workers
    from neuro_deploy.verify.simulation import save_result

    few = {"lava": lava_samples, "sanafe": lava_samples, "brian2loihi": brian_samples}
    if fused and backend != "lava":
        raise ConfigError("--fused needs --backend lava: it is a way to run Lava")
    if backend is not None:
        find(backend, {**BACKENDS, **HOSTS})
        if backend in HOSTS:
            _refuse(backend, {"--samples": samples, "--trace": trace, "--jobs": jobs, "--cluster": cluster})
            _time(model, backend)
            return
        with workers(jobs, cluster) as parts:
            _run_one(model, backend + ("-fused" if fused else ""), samples, few, time_limit, parts, trace)
        return
    if trace is not None:
        raise ConfigError("--trace needs --backend: it saves the spikes of one backend")
    with workers(jobs, cluster) as parts:
        workbench = Workbench(model, time_limit)
        simulation = run_all(workbench, samples, few, unquantised=True, parts=parts)
    path = RUNS / workbench.network.manifest.config / "simulation.json"
    save_result(simulation, path)
    console.print(simulation_tables(simulation))
    console.print(f"wrote {path}")
    _exit_unless_equal(simulation)


def check(
    model: ModelPath,
    samples: Annotated[
        int | None, typer.Option(min=1, help="First test samples for all but Lava and brian2-loihi; all if not given.")
    ] = None,
    lava_samples: LavaSamples = 16,
    brian_samples: BrianSamples = 2,
    time_limit: TimeLimit = 120.0,
) -> None:
    """Compare every spike of every backend with the integer reference; exit code 1 if one differs."""
    from neuro_deploy.report.tables import check_table

    few = {"lava": lava_samples, "brian2loihi": brian_samples}
    simulation = run_all(Workbench(model, time_limit), samples, few, unquantised=False)
    console.print(check_table(simulation.comparisons, every_population=True))
    _exit_unless_equal(simulation)


def _run_one(
    model: Path, name: str, samples: int | None, few: Mapping[str, int], time_limit: float, parts: int, trace: Path | None
) -> None:
    """One backend: its row of the table, and its spikes in a file."""
    from neuro_deploy.report.tables import backends_table
    from neuro_deploy.verify.simulation import run_backend, save_trace, summarise

    workbench = Workbench(model, time_limit)
    number = samples or few.get(name, len(workbench.labels))
    data, labels = workbench.first(number)
    result = run_backend(workbench.network, workbench.backend(name, parts), data)
    console.print(backends_table([summarise(result, workbench.network, labels)], str(model)))
    if trace is not None:
        save_trace(result, trace, labels)
        console.print(f"wrote {trace}")


def _refuse(backend: str, options: Mapping[str, object]) -> None:
    """Refuse options that mean nothing where a machine is timed."""
    for option, value in options.items():
        if value is not None:
            raise ConfigError(
                f"{option} means nothing with --backend {backend}, which times one sample and fixed batches: omit it"
            )


def _time(model: Path, name: str) -> None:
    """The models in torch on a device of this machine."""
    from neuro_deploy.report.tables import hosts_table

    console.print(hosts_table(Workbench(model).time(name), str(model)))


def run_all(
    workbench: Workbench, samples: int | None, few: Mapping[str, int], unquantised: bool, parts: int = 1
) -> "Simulation":
    """All backends on the samples, those that need seconds for each on the first few."""
    from neuro_deploy.netx import require_checkpoint
    from neuro_deploy.verify.simulation import simulate as run

    require_checkpoint(workbench.network)  # before the reference takes its minutes
    number = samples or len(workbench.labels)
    data = workbench.first(number)
    runs = [(workbench.backend(name, parts), min(number, few.get(name, number))) for name in _checked()]
    accuracy = _unquantised_accuracy(workbench, number) if unquantised else None

    def announce(backend: str, count: int) -> None:
        console.print(f"{backend}: {count} samples ...", style="dim")

    return run(workbench.network, runs, *data, announce, accuracy)


def _checked() -> list[str]:
    """The backends of the reference check; one whose package is missing is left out, and that is said."""
    names = []
    for name, entry in BACKENDS.items():
        if not entry.checked:
            continue
        if entry.package is None or extras.present(entry.package):
            names.append(name)
        else:
            console.print(f"{name}: left out, {extras.advice(entry.package)}", style="dim", soft_wrap=True)
    return names


def _unquantised_accuracy(workbench: Workbench, number: int) -> float:
    """Accuracy of the checkpoint with real-valued weights on the same samples."""
    from neuro_deploy.netx import require_checkpoint
    from neuro_deploy.training.checkpoint import read
    from neuro_deploy.training.data import Split
    from neuro_deploy.training.evaluation import evaluate

    network = read(require_checkpoint(workbench.network)).network()
    return evaluate(network, Split(*workbench.first(number)), workbench.network.manifest.input, quantised=False).accuracy


def _exit_unless_equal(simulation: "Simulation") -> None:
    if not simulation.equal:
        raise typer.Exit(1)
