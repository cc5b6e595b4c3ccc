"""Compare trained models on their test split."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neuro_deploy.cli.common import console, watch_frames


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of trainings, as runs/CONFIG, or checkpoints (.pt).")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of objects instead of a table.")] = False,
) -> None:
    """Accuracy, size and cost of trained models side by side, baselines among them.

    Of spiking models the deployed chain is run (backend fast), on the whole test split. Compare on the validation split what you
    choose between: the test split is for the report.
    """
    from neuro_deploy.report.tables import merit_table
    from training.assessment import assess
    from training.checkpoint import read

    checkpoints = [(run, read(run / "best.pt" if run.is_dir() else run)) for run in runs]
    found = []
    for run, checkpoint in checkpoints:
        if not as_json:
            console.print(f"{run} ...", style="dim")
        found.append({"run": str(run), **asdict(assess(checkpoint, watch_frames))})
    if as_json:
        console.print(json.dumps(found, indent=1), soft_wrap=True)
    else:
        console.print(merit_table(found))
