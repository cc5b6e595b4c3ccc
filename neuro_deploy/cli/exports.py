"""Write a trained network for the chip."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy.cli.common import MODELS, RUNS, ConfigName, console, user_path

if TYPE_CHECKING:
    from neuro_deploy.ir.network import Network

NUMBER = 8
"""Samples that a file carries, if nothing else is said."""


def export(
    config: ConfigName,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", parser=user_path, help="Checkpoint, instead of runs/CONFIG/best.npz.")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"Test samples to store in the manifest, so that 'check' needs no data; default: {NUMBER}, 0 for your own folder.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", parser=user_path, help="Folder for the .net, .json and .npz files.")
    ] = MODELS,
) -> None:
    """Lower a trained network to a NetX chain, check it against the chip's rules and write it."""
    from neuro_deploy.ir.network import Network
    from neuro_deploy.lowering import lower
    from neuro_deploy.netx import save_network
    from neuro_deploy.report.tables import chain_table
    from neuro_deploy.training.checkpoint import read
    from neuro_deploy.training.config import load, require_same
    from neuro_deploy.training.deploy import describe, to_graph

    settings = load(config)
    source = checkpoint or RUNS / settings.name / "best.npz"
    trained = read(source)
    require_same(trained.config, settings, source)
    network = Network.of(lower(to_graph(trained)), describe(trained))
    network = _with_examples(network, examples)
    path = output / f"{settings.name}.net"
    save_network(network, path, trained.to_bytes())
    console.print(chain_table(network.chain, network.manifest))
    console.print(f"wrote {path}, {path.with_suffix('.json')} and {path.with_suffix('.npz')}")


def _with_examples(network: "Network", number: int | None) -> "Network":
    """The network with samples of its test split, where these are at hand and may be passed on."""
    from neuro_deploy.errors import DatasetError
    from neuro_deploy.verify.examples import carry
    from neuro_deploy.workbench.samples import configuration, test_split

    settings = configuration(network)
    assert settings is not None  # it was trained here
    wanted = number if number is not None else NUMBER if settings.data.public else 0
    if wanted == 0:
        return network
    try:
        samples = test_split(network, None)
    except DatasetError as error:
        if number is not None:
            raise
        console.print(f"the file carries no samples: {error}", style="dim", soft_wrap=True)
        return network
    return carry(network, samples.first(min(wanted, len(samples))))
