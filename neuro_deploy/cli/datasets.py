"""Get data sets and see whether they are whole."""

from pathlib import Path
from typing import Annotated

import typer

from neuro_deploy.cli.common import console, user_path

app = typer.Typer(help="List, download and verify data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name that 'data list' shows; 'verify' also takes a folder.")]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="FOLDER",
        parser=user_path,
        help="Folder of all data sets; default: $NEURO_DEPLOY_DATA, or the user's cache.",
    ),
]


@app.command("list")
def show(root: Root = None) -> None:
    """List the data sets and which of them are present."""
    from neuro_deploy.datasets.catalogue import read_catalogue
    from neuro_deploy.datasets.store import data_root, folder_of
    from neuro_deploy.report.tables import datasets_table

    place = data_root(root)
    catalogue = read_catalogue()
    console.print(datasets_table(catalogue, {name: folder_of(name, place) for name in catalogue}))


@app.command()
def fetch(
    name: Name,
    root: Root = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", parser=user_path, help="Local archive, or folder that holds the files."),
    ] = None,
) -> None:
    """Download a data set, resuming where it stopped, and unpack it; no partial data set stays behind."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from neuro_deploy.datasets import store

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        place = store.data_root(root)
        there = store.folder_of(name, place).exists()
        folder = store.fetch(name, place, source, lambda have, total: progress.update(task, completed=have, total=total))
    console.print(f"{name}: {'was there already:' if there else 'is in'} {folder}", soft_wrap=True)


@app.command()
def verify(name: Name, root: Root = None) -> None:
    """Compare a data set with its checksums, or a folder in the layout of Speech Commands with its lists."""
    from neuro_deploy.datasets import layouts, store
    from neuro_deploy.datasets.catalogue import read_catalogue

    if name not in read_catalogue() and Path(name).is_dir():
        clips = layouts.speech_commands(Path(name))
        words = len({clip.word for clip in clips})
        parts = {split: sum(clip.split == split for clip in clips) for split in ("train", "validation", "test")}
        shares = ", ".join(f"{split} {number:,}" for split, number in parts.items())
        console.print(f"{name}: {words} words, {len(clips):,} clips: {shares}; structure only", soft_wrap=True)
        return
    place = store.data_root(root)
    files = store.verify(name, place)
    how = f"{files:,} files have their checksums" if files else "structure only: it was not put there by 'data fetch'"
    console.print(f"{name}: {store.folder_of(name, place)}: {how}", soft_wrap=True)
