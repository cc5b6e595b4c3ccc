"""Networks of others: look at a NetX file, and make a manifest for it."""

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy.cli.common import InputShape, MessageBits, console, shape, user_path
from neuro_deploy.cli.messages import note
from neuro_deploy.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from neuro_deploy.ir.manifest import Loading


class Answer(str, Enum):
    """What the answer of a network is."""

    voltage = "voltage"
    sum = "sum"
    last = "last"


NetFile = Annotated[
    Path, typer.Argument(metavar="FILE.net", parser=user_path, help="A NetX file, written by this project or not.")
]
ResetInterval = Annotated[int | None, typer.Option(min=1, help="Reset the LIF neurons every so many steps.")]
ResetOffset = Annotated[
    int, typer.Option(min=0, help="Step of the first layer's first reset; each further layer is reset one step later.")
]
SkipLayers = Annotated[int, typer.Option(min=0, help="Number of layers to skip at the beginning of the file.")]
NumLayers = Annotated[int | None, typer.Option(min=1, help="Number of layers of the file to read; default: all.")]
SpikeExp = Annotated[int, typer.Option(min=0, max=7, help="Fractional bits of graded messages.")]


def inspect(
    model: NetFile,
    message_bits: MessageBits = None,
    input_shape: InputShape = None,
    reset_interval: ResetInterval = None,
    reset_offset: ResetOffset = 0,
    skip_layers: SkipLayers = 0,
    num_layers: NumLayers = None,
    spike_exp: SpikeExp = 6,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what a network is: layers, parameters, weights, delays, the chip's rules, and which backends run it.

    It needs no data. The options are those of lava-dl's loader, for a file without a manifest. Exit code 1 if a rule is violated.
    """
    from neuro_deploy.ir.manifest import Loading
    from neuro_deploy.netx import Use, adopt, load_network
    from neuro_deploy.report.examination import examination_json, examination_tables
    from neuro_deploy.workbench.examination import examine

    given = _loading(input_shape, reset_interval, reset_offset, skip_layers, num_layers, spike_exp)
    manifest = model.with_suffix(".json")
    if manifest.exists():
        if given != Loading() or message_bits is not None:
            raise ConfigError(
                f"{manifest} says how {model} is loaded: omit the loader's options, or adopt it again with --force"
            )
        network = load_network(model)
        found = examine(network, steps=network.manifest.steps)
    else:
        network, notes = adopt(model, Use(1, message_bits or 0, given))
        found = examine(network, notes)
    if as_json:
        console.print(json.dumps(examination_json(found), indent=1), soft_wrap=True)
    else:
        console.print(examination_tables(found))
    if found.violations:
        raise typer.Exit(1)


def adopt(
    model: NetFile,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a sample.")],
    message_bits: MessageBits = None,
    input_shape: InputShape = None,
    reset_interval: ResetInterval = None,
    reset_offset: ResetOffset = 0,
    skip_layers: SkipLayers = 0,
    num_layers: NumLayers = None,
    spike_exp: SpikeExp = 6,
    answer: Annotated[
        Answer | None,
        typer.Option(help="What the answer is: the last layer's voltage, the sum of what it sends, or what it sends last."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing manifest.")] = False,
) -> None:
    """Write a manifest for a NetX file of another project, so that every command takes it.

    Each layer is a population, the last one is the read-out; edit the manifest to name them and the classes. The NetX file stays
    as it is.
    """
    from neuro_deploy.netx import Use, save_manifest
    from neuro_deploy.netx import adopt as read

    given = _loading(input_shape, reset_interval, reset_offset, skip_layers, num_layers, spike_exp)
    network, notes = read(model, Use(steps, message_bits or 0, given, None if answer is None else answer.value))
    for remark in notes:
        note(f"{model}: {remark}")
    manifest = model.with_suffix(".json")
    if manifest.exists() and not force:
        raise OutputError(f"{manifest} is there: give --force to replace it")
    save_manifest(network.manifest, manifest)
    console.print(f"wrote {manifest}")


def _loading(
    input_shape: str | None,
    reset_interval: int | None,
    reset_offset: int,
    skip_layers: int,
    num_layers: int | None,
    spike_exp: int,
) -> "Loading":
    """The options of lava-dl's loader."""
    from pydantic import ValidationError

    from neuro_deploy.errors import problems
    from neuro_deploy.ir.manifest import Loading

    try:
        return Loading(
            input_shape=shape(input_shape) or (),
            reset_interval=reset_interval,
            reset_offset=reset_offset,
            skip_layers=skip_layers,
            num_layers=num_layers,
            spike_exp=spike_exp,
        )
    except ValidationError as error:
        raise ConfigError(f"options of the loader: {problems(error)}") from error
