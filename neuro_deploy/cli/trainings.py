"""Train one network or many."""

import shlex
from contextlib import nullcontext
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from neuro_deploy.cli.common import RUNS, Cluster, ConfigName, Jobs, console
from neuro_deploy.cli.signals import Stopped, require_no_signal
from neuro_deploy.errors import ConfigError
from neuro_deploy.workbench.progress import watch_frames


class Device(str, Enum):
    """What a training computes on."""

    cpu = "cpu"
    cuda = "cuda"


class Kernel(str, Enum):
    """What runs SLAYER's neuron on a CPU."""

    compiled = "compiled"
    slayer = "slayer"


def train(
    config: ConfigName,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last finished epoch.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Random seed, instead of the configuration's.")] = None,
    kernel: Annotated[
        Kernel, typer.Option(help="Code of the neurons on a CPU: compiled loops, or SLAYER's own; the spikes are equal.")
    ] = Kernel.compiled,
    device: Annotated[Device, typer.Option(help="The CPU, or the GPU that torchrun assigns to each process.")] = Device.cpu,
) -> None:
    """Train a network; checkpoints and the log go to runs/CONFIG."""
    from neuro_deploy.training.config import load
    from neuro_deploy.training.data import unwatched
    from neuro_deploy.training.distributed import process_group, rank
    from neuro_deploy.training.folder import is_new, occupied
    from neuro_deploy.training.loop import Trainer
    from neuro_deploy.training.models.slayer import Neuron
    from neuro_deploy.training.progress import TrainingProgress

    Neuron.compiled = kernel is Kernel.compiled
    settings = load(config)
    if seed is not None:
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={"seed": seed})})
    folder = RUNS / settings.name
    with process_group(device.value), nullcontext() if rank() > 0 else occupied(folder):
        console.quiet = rank() > 0  # of the processes that torchrun starts, one speaks and writes
        trainer = Trainer(settings, folder, device.value, unwatched if rank() > 0 else watch_frames)
        if resume and is_new(folder):
            console.print(f"{folder} has no training to continue: starting from the beginning")
        elif resume:
            trainer.resume()
        try:
            with TrainingProgress(console, done=trainer.done) as progress:
                trainer.run(progress.hooks(require_no_signal))
        except KeyboardInterrupt:
            again = f"neuro-deploy train {shlex.quote(config)} --resume" + ("" if seed is None else f" --seed {seed}")
            go_on = f"continue with: {again}" if trainer.saved else "nothing is saved"
            said = "" if rank() > 0 else f"stopped after epoch {trainer.saved} of {trainer.epochs}; {go_on}"
            raise Stopped(said) from None
        best = min(trainer.history, key=lambda epoch: epoch.validation_loss)
        console.print(
            f"{folder / 'best.npz'}: epoch {best.epoch} of {trainer.epochs}, "
            f"{100 * best.validation_accuracy:.2f} % of the validation split with the deployed integers"
        )


def sweep(
    config: ConfigName,
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE,...", help="Values of a setting, such as train.rate=0.003,0.01; repeatable."),
    ] = [],  # noqa: B006 (typer makes a new list)
    alone: Annotated[
        list[str],
        typer.Option(
            "--each", metavar="KEY=VALUE,...", help="Values to try one at a time, such as model.memory=false; repeatable."
        ),
    ] = [],  # noqa: B006
    jobs: Jobs = None,
    cluster: Cluster = None,
) -> None:
    """Train every combination of settings and rank them by the validation split; the same command continues a stopped sweep.

    With --each, one setting is changed at a time, and the unchanged configuration is trained too.
    """
    from neuro_deploy.report.tables import sweep_table
    from neuro_deploy.training import sweep as sweeps
    from neuro_deploy.training.config import load
    from neuro_deploy.verify.parallel import workers

    if not settings and not alone:
        raise ConfigError("nothing to try: give --set KEY=VALUE,VALUE, or --each KEY=VALUE")
    base = load(config)
    found = sweeps.combinations(base, settings, RUNS.resolve(), alone)
    results = []
    try:
        with workers(jobs, cluster) as number:
            for result in sweeps.run(found, number):
                results.append(result)
                console.print(f"{len(results)}/{len(found)} {Path(result.folder).name}", style="dim", soft_wrap=True)
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {len(results)} of {len(found)}; the same command continues") from None
    results = sweeps.ranked(results)
    path = RUNS / f"{base.name}-sweep.json"
    sweeps.save(base.name, results, path)
    console.print(sweep_table([vars(result) for result in results], base.name))
    console.print(f"wrote {path}")
