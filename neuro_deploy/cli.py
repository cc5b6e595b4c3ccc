"""The command line: verbs and their options, nothing else."""

import os
import shlex
import sys
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from neuro_deploy.errors import ConfigError, NeuroDeployError

# Everything else is imported inside the verbs: torch and SLAYER need seconds, and --help should not.

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train a Spiking LMUFormer, deploy it to NetX, and prove that not one spike is lost on the way.",
)


class _Console(Console):
    """Ends the program quietly when nobody reads its output any more, as ``head`` does after a line."""

    def on_broken_pipe(self) -> None:
        """Exit with what a shell reports of a program that SIGPIPE ended: 1 would mean that spikes differ."""
        with suppress(SystemExit):
            super().on_broken_pipe()
        raise typer.Exit(141)


# Not a terminal, as in a pipe or a log: wide enough that no table is cut. Paths may hold what looks like markup.
console = _Console(width=None if sys.stdout.isatty() else 120, markup=False, emoji=False, highlight=False)

ALL_BACKENDS = ("integer", "torch", "fast", "lava-fused", "lava")
"""What a simulation without --backend runs; the reference comes first."""

RUNS = Path("runs")
MODELS = Path("netx_models")

ConfigName = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A file of training/configs without .toml, or the path of a .toml file.")
]
ModelPath = Annotated[
    Path, typer.Argument(metavar="MODEL.net", help="An exported network; its manifest and checkpoint lie beside it.")
]
LavaSamples = Annotated[int, typer.Option(min=1, help="How many samples stock Lava runs; it needs seconds for each.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Parts that run at once; 1, or on a cluster as many as its cores.")]
Cluster = Annotated[str | None, typer.Option(metavar="dask://HOST:PORT", help="A Dask cluster, or ray://HOST:PORT, a Ray one.")]
TimeLimit = Annotated[float, typer.Option(min=0, help="Seconds that Lava may take for one sample before it is ended.")]


class Device(str, Enum):
    """What a training computes on."""

    cpu = "cpu"
    cuda = "cuda"


class Kernel(str, Enum):
    """What runs SLAYER's neuron on a CPU."""

    compiled = "compiled"
    slayer = "slayer"


@app.command()
def train(
    config: ConfigName,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last finished epoch.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Instead of the configuration's seed.")] = None,
    kernel: Annotated[
        Kernel, typer.Option(help="The neurons' loops on a CPU: compiled, or SLAYER's own; the spikes are the same.")
    ] = Kernel.compiled,
    device: Annotated[Device, typer.Option(help="The CPU, or the GPUs that torchrun gives to its processes.")] = Device.cpu,
) -> None:
    """Train a network; checkpoints and the log go to runs/CONFIG."""
    from training.config import load
    from training.distributed import process_group, rank
    from training.loop import Trainer
    from training.progress import TrainingProgress
    from training.slayer import Neuron

    Neuron.compiled = kernel is Kernel.compiled
    settings = load(config)
    if seed is not None:
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={"seed": seed})})
    with process_group(device.value):
        console.quiet = rank() > 0  # of the processes that torchrun starts, one speaks
        folder = RUNS / settings.name
        trainer = Trainer(settings, folder, device.value)
        if resume:
            trainer.resume()
        try:
            with TrainingProgress(console, done=trainer.done) as progress:
                trainer.run(progress.hooks())
        except KeyboardInterrupt:
            again = f"neuro-deploy train {shlex.quote(config)} --resume" + ("" if seed is None else f" --seed {seed}")
            go_on = f"go on with: {again}" if trainer.done else "nothing is saved"
            console.print(f"stopped after epoch {trainer.done} of {trainer.epochs}; {go_on}")
            raise typer.Exit(130) from None
        best = min(trainer.history, key=lambda epoch: epoch.validation_loss)
        console.print(
            f"{folder / 'best.pt'}: epoch {best.epoch} of {trainer.epochs}, "
            f"{100 * best.validation_accuracy:.2f} % of the validation split with the deployed integers"
        )


@app.command()
def export(
    config: ConfigName,
    checkpoint: Annotated[Path | None, typer.Option(help="Instead of runs/CONFIG/best.pt.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for the .net, .json and .pt files.")] = MODELS,
) -> None:
    """Lower a trained network to a NetX chain, check it against the chip's rules and write it."""
    from neuro_deploy.lowering import lower
    from neuro_deploy.netx import save_network
    from neuro_deploy.report.tables import chain_table
    from training.checkpoint import read
    from training.config import load, require_same
    from training.deploy import describe, to_graph

    settings = load(config)
    source = checkpoint or RUNS / settings.name / "best.pt"
    trained = read(source)
    require_same(trained.config, settings, source)
    chain = lower(to_graph(trained))
    path = output / f"{settings.name}.net"
    manifest = save_network(chain, path, describe(trained), trained.to_bytes())
    console.print(chain_table(chain, manifest))
    console.print(f"wrote {path}, {path.with_suffix('.json')} and {path.with_suffix('.pt')}")


@app.command()
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
        workbench = _Workbench(model, time_limit)
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


@app.command()
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


@app.command()
def sweep(
    config: ConfigName,
    settings: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE,...", help="A setting's values, as train.rate=0.003,0.01; repeat.")
    ],
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Train every combination of some settings, compare them on the validation split; again, it goes on where it stopped."""
    from neuro_deploy.parallel import workers
    from neuro_deploy.report.tables import sweep_table
    from training import sweep as sweeps
    from training.config import load

    base = load(config)
    found = sweeps.combinations(base, settings, RUNS.resolve())
    results = []
    try:
        with workers(jobs, cluster) as number:
            for result in sweeps.run(found, number):
                results.append(result)
                console.print(f"{len(results)}/{len(found)} {Path(result.folder).name}", style="dim", soft_wrap=True)
    except KeyboardInterrupt:
        console.print(f"stopped after {len(results)} of {len(found)}; the same command goes on")
        raise typer.Exit(130) from None
    results = sweeps.ranked(results)
    path = RUNS / f"{base.name}-sweep.json"
    sweeps.save(base.name, results, path)
    console.print(sweep_table([vars(result) for result in results], base.name))
    console.print(f"wrote {path}")


@app.command()
def report(config: ConfigName) -> None:
    """Show the training log and the last simulation of CONFIG."""
    from neuro_deploy.report.tables import simulation_tables, training_table
    from neuro_deploy.simulation import load_result
    from training.config import load
    from training.log import read_log

    folder = RUNS / load(config).name
    log = read_log(folder)
    if log:
        console.print(training_table(log))
    console.print(simulation_tables(load_result(folder / "simulation.json")))


@app.command()
def doctor() -> None:
    """Say what of the set-up is present and whether Lava computes what it should; exit code 1 if something is amiss."""
    from neuro_deploy.doctor import examine
    from neuro_deploy.report.tables import findings_table

    findings = examine(MODELS)
    console.print(findings_table(findings))
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


class _Workbench:
    """A network with its test data and the backends that can run it."""

    def __init__(self, model: Path, time_limit: float) -> None:
        from neuro_deploy.netx import load_network
        from training.config import parse
        from training.data import load_data

        self.network = load_network(model)
        manifest = self.network.manifest
        settings = parse(manifest.settings, f"in {model.with_suffix('.json')}")
        self.test = load_data(settings.data).test
        self.labels = self.test.labels
        self.time_limit = time_limit

    def first(self, number: int) -> tuple[Any, Any]:
        """The first test samples and their labels."""
        if number > len(self.labels):
            raise ConfigError(f"{number} samples asked for, the test set has {len(self.labels)}: ask for fewer")
        return self.test.samples[:number], self.test.labels[:number]

    def backend(self, name: str, parts: int = 1) -> Any:
        """A backend by its name, which runs its samples in so many parts."""
        from neuro_deploy.backends import BACKENDS, Factories, create
        from neuro_deploy.backends.lava import LavaBackend
        from neuro_deploy.backends.torch import TorchBackend
        from neuro_deploy.parallel import InParts
        from training.deploy import load_evaluator

        limit = self.time_limit  # a factory goes to other processes: without the test data
        own: Factories = {
            "torch": lambda: TorchBackend(load_evaluator),
            "lava": lambda: LavaBackend(limit),
            "lava-fused": lambda: LavaBackend(limit, fused=True),
        }
        factories = {**BACKENDS, **own}
        create(name, factories)  # refuses an unknown name
        return InParts(factories[name], parts)  # alone: with all of them, each process would import torch


def _run_all(
    model: Path, samples: int | None, lava_samples: int, time_limit: float, unquantised: bool, parts: int = 1
) -> tuple[_Workbench, Any]:
    """All backends on the samples, stock Lava on the first few of them."""
    from neuro_deploy.simulation import simulate as run

    workbench = _Workbench(model, time_limit)
    workbench.network.require_checkpoint()  # before the reference takes its minutes
    number = samples or len(workbench.labels)
    data = workbench.first(number)
    runs = [(workbench.backend(name, parts), min(number, lava_samples) if name == "lava" else number) for name in ALL_BACKENDS]
    accuracy = _unquantised_accuracy(workbench, number) if unquantised else None

    def announce(backend: str, count: int) -> None:
        console.print(f"{backend}: {count} samples ...", style="dim")

    return workbench, run(workbench.network, runs, *data, announce, accuracy)


def _unquantised_accuracy(workbench: _Workbench, number: int) -> float:
    """Accuracy of the checkpoint with real-valued weights on the same samples."""
    from training.checkpoint import read
    from training.data import Split
    from training.loop import evaluate

    network = read(workbench.network.checkpoint).network()
    return evaluate(network, Split(*workbench.first(number)), workbench.network.manifest.input, quantised=False).accuracy


def _exit_unless_equal(simulation: Any) -> None:
    if not simulation.equal:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error of the user's is one line and exit code 2."""
    arguments = sys.argv[1:]
    try:
        sys.exit(app(arguments or ["--help"], standalone_mode=False))
    except NeuroDeployError as error:
        _fail(str(error))
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        _fail(f"{message[:1].lower()}{message[1:]}, in '{shlex.join(arguments)}': --help lists what there is")
    except MemoryError as error:
        _fail(f"out of memory ({error}): take fewer --samples or a smaller network")
    except OSError as error:  # a full temporary folder, or a full disk that stdout goes to
        with suppress(OSError):  # what could not be written must not fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"{error}: make room, or set TMPDIR to a folder that has some")


def _fail(message: str) -> NoReturn:
    print("error:", " ".join(message.splitlines()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
