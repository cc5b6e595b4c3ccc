"""Compare trained models on their test split."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuro_deploy import extras
from neuro_deploy.cli.common import DataFile, Encoded, console, user_path
from neuro_deploy.errors import InputError
from neuro_deploy.workbench.progress import watch_frames
from neuro_deploy.workbench.samples import Source

if TYPE_CHECKING:
    from neuro_deploy.report.figures.merit import Point


def evaluate(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", parser=user_path, help="Folders of trainings, such as runs/CONFIG, or checkpoints (.npz)."
        ),
    ],
    data: DataFile = None,
    encoded: Encoded = False,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", parser=user_path, help="Also draw accuracy against operations.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects instead of a table.")] = False,
) -> None:
    """Compare accuracy, size and cost of trained models, baselines included.

    Spiking models run as the deployed chain (backend fast), on the whole test split or on your own samples. Choose between models
    by the validation split: the test split is for the report.
    """
    if figure is not None:
        extras.require("matplotlib")  # before the models take their time
    from neuro_deploy.report.tables import merit_table
    from neuro_deploy.training.checkpoint import read
    from neuro_deploy.workbench.assessment import assess

    source = Source(data, encoded)
    checkpoints = [(run, read(run / "best.npz" if run.is_dir() else run)) for run in runs]
    found = []
    for run, checkpoint in checkpoints:
        if not as_json:
            console.print(f"{run} ...", style="dim")
        found.append({"run": str(run), **asdict(assess(checkpoint, source, watch_frames))})
    if figure is not None:
        if any(model["test"] is None for model in found):
            raise InputError(f"{data}: it has no labels, and the figure shows accuracy: leave out --figure")
        _draw(found, figure)
    if as_json:
        console.print(json.dumps(found, indent=1), soft_wrap=True)
    else:
        console.print(merit_table(found))


def _draw(found: "list[dict[str, Any]]", figure: Path) -> None:
    """Write the figure of all models."""
    from neuro_deploy.files import write_atomically
    from neuro_deploy.report.figures.merit import tradeoff
    from neuro_deploy.report.figures.style import svg

    write_atomically(figure, svg(tradeoff, [_point(model) for model in found]))


def _point(model: "dict[str, Any]") -> "Point":
    """A model's place in the figure; its name is what a sweep changed, or that of its folder."""
    from neuro_deploy.report.figures.merit import Point

    path, spiking = Path(model["run"]), model["macs"] is None
    name = (path.parent if path.name == "best.npz" else path).name
    operations = model["synops"] + model["relay_synops"] if spiking else model["macs"]
    return Point(_short(name), operations, model["test"], model["test_error"], spiking)


def _short(name: str) -> str:
    """What a sweep changed last: ``memory=False`` of ``config,train.rate=0.003,model.memory=False``; else the name."""
    before, equals, value = name.rpartition("=")
    return before.rpartition(",")[2].rpartition(".")[2] + equals + value
