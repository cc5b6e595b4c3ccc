"""Run a network on backends and compare them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neuro_deploy.cli.common import RUNS, Cluster, Jobs, ModelPath, console
from neuro_deploy.cli.workbench import Workbench
from neuro_deploy.errors import ConfigError

ALL_BACKENDS = ("integer", "torch", "fast", "lava-fused", "lava")
"""What a simulation without --backend runs; the reference comes first."""

LavaSamples = Annotated[int, typer.Option(min=1, help="How many samples stock Lava runs; it needs seconds for each.")]
TimeLimit = Annotated[float, typer.Option(min=0, help="Seconds that Lava may take for one sample before it is ended.")]


def simulate(
    model: ModelPath,
    backend: Annotated[str | None, typer.Option(help="Run this one alone: integer, fast, torch or lava.")] = None,
    fused: Annotated[bool, typer.Option("--fused", help="With --backend lava: the network as one process in Lava.")] = False,
    samples: Annotated[int | None, typer.Option(min=1, help="First test samples to run; all if not given.")] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Save every spike of the one backend.")] = None,
    lava_samples: LavaSamples = 16,
    time_limit: TimeLimit = 120.0,
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Run a network on the test set: on all backends with the reference check, or on one.

    Without --backend the result is also written to runs/CONFIG/simulation.json; exit code 1 if one spike differs.
    """
    from neuro_deploy.parallel import workers
    from neuro_deploy.report.tables import backends_table, simulation_tables
    from neuro_deploy.simulation import run_backend, save_result, save_trace, summarise

    if fused and backend != "lava":
        raise ConfigError("--fused needs --backend lava: it is a way to run Lava")
    if backend is not None:
        backend += "-fused" if fused else ""
        workbench = Workbench(model, time_limit)
        chosen = samples or (lava_samples if backend == "lava" else len(workbench.labels))
        data = workbench.first(chosen)
        with workers(jobs, cluster) as parts:
            result = run_backend(workbench.network, workbench.backend(backend, parts), *data)
        console.print(backends_table([summarise(result, workbench.network)], str(model)))
        if trace is not None:
            save_trace(result, trace)
            console.print(f"wrote {trace}")
        return
    if trace is not None:
        raise ConfigError("--trace needs --backend: it saves the spikes of one backend")
    with workers(jobs, cluster) as parts:
        workbench, simulation = _run_all(model, samples, lava_samples, time_limit, unquantised=True, parts=parts)
    path = RUNS / workbench.network.manifest.config / "simulation.json"
    save_result(simulation, path)
    console.print(simulation_tables(simulation))
    console.print(f"wrote {path}")
    _exit_unless_equal(simulation)


def check(
    model: ModelPath,
    samples: Annotated[
        int | None, typer.Option(min=1, help="First test samples for all but stock Lava; all if not given.")
    ] = None,
    lava_samples: LavaSamples = 16,
    time_limit: TimeLimit = 120.0,
) -> None:
    """Compare every spike of every backend with the integer reference; exit code 1 if one differs."""
    from neuro_deploy.report.tables import check_table

    _, simulation = _run_all(model, samples, lava_samples, time_limit, unquantised=False)
    console.print(check_table(simulation.comparisons, every_population=True))
    _exit_unless_equal(simulation)


def _run_all(
    model: Path, samples: int | None, lava_samples: int, time_limit: float, unquantised: bool, parts: int = 1
) -> tuple[Workbench, Any]:
    """All backends on the samples, stock Lava on the first few of them."""
    from neuro_deploy.simulation import simulate as run

    workbench = Workbench(model, time_limit)
    workbench.network.require_checkpoint()  # before the reference takes its minutes
    number = samples or len(workbench.labels)
    data = workbench.first(number)
    runs = [(workbench.backend(name, parts), min(number, lava_samples) if name == "lava" else number) for name in ALL_BACKENDS]
    accuracy = _unquantised_accuracy(workbench, number) if unquantised else None

    def announce(backend: str, count: int) -> None:
        console.print(f"{backend}: {count} samples ...", style="dim")

    return workbench, run(workbench.network, runs, *data, announce, accuracy)


def _unquantised_accuracy(workbench: Workbench, number: int) -> float:
    """Accuracy of the checkpoint with real-valued weights on the same samples."""
    from training.checkpoint import read
    from training.data import Split
    from training.loop import evaluate

    network = read(workbench.network.checkpoint).network()
    return evaluate(network, Split(*workbench.first(number)), workbench.network.manifest.input, quantised=False).accuracy


def _exit_unless_equal(simulation: Any) -> None:
    if not simulation.equal:
        raise typer.Exit(1)
