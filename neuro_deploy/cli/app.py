"""All verbs of the command line; one file a group of them."""

from typing import Annotated

import typer

from neuro_deploy.cli import datasets
from neuro_deploy.cli.command import print_version
from neuro_deploy.cli.evaluation import evaluate
from neuro_deploy.cli.exports import export
from neuro_deploy.cli.networks import adopt, inspect
from neuro_deploy.cli.recognition import classify
from neuro_deploy.cli.reports import compare, report
from neuro_deploy.cli.setup import doctor
from neuro_deploy.cli.simulations import check, simulate
from neuro_deploy.cli.streaming import stream
from neuro_deploy.cli.trainings import sweep, train

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Train a Spiking LMUFormer, deploy it to NetX, and prove that not one spike is lost on the way.",
)
for _verb in (train, export, simulate, check, stream, classify, sweep, evaluate, report, compare, inspect, adopt, doctor):
    app.command()(_verb)
app.add_typer(datasets.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold what stands before the verb."""
