"""Write a trained network for the chip."""

from pathlib import Path
from typing import Annotated

import typer

from neuro_deploy.cli.common import MODELS, RUNS, ConfigName, console


def export(
    config: ConfigName,
    checkpoint: Annotated[Path | None, typer.Option(help="Instead of runs/CONFIG/best.npz.")] = None,
    output: Annotated[Path, typer.Option(help="Folder for the .net, .json and .npz files.")] = MODELS,
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
    path = output / f"{settings.name}.net"
    save_network(network, path, trained.to_bytes())
    console.print(chain_table(network.chain, network.manifest))
    console.print(f"wrote {path}, {path.with_suffix('.json')} and {path.with_suffix('.npz')}")
