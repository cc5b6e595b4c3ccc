"""Measure a network's answers before its samples have ended."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, find
from neuro_deploy.cli.common import RUNS, DataFile, Encoded, ModelPath, console
from neuro_deploy.workbench.bench import Workbench
from neuro_deploy.workbench.samples import Source, own_steps

if TYPE_CHECKING:
    from neuro_deploy.recognition.anytime import Streaming


def stream(
    model: ModelPath,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help=f"Backend that runs the network: {', '.join(BACKENDS)}.")
    ] = "fast",
    data: DataFile = None,
    encoded: Encoded = False,
    samples: Annotated[int | None, typer.Option(min=1, help="Number of samples to run, from the first; default: all.")] = None,
) -> None:
    """Measure accuracy after a part of each sample, and with early exit at several confidences.

    Parts are fractions of all steps and, for recordings, of the sound without its padding. All confidences are shown; none is
    chosen on these samples. Writes runs/CONFIG/streaming.json and, if the samples have labels, a figure, streaming.svg.
    """
    from neuro_deploy.files import Content, write_all_atomically
    from neuro_deploy.recognition.anytime import to_json
    from neuro_deploy.report.tables import streaming_tables

    find(backend, BACKENDS)
    extras.require("matplotlib")  # before the samples take their time
    result = _measure(Workbench(model, Source(data, encoded, used=samples)), backend, samples)
    console.print(streaming_tables(result))
    folder = RUNS / result.config
    files: dict[Path, Content] = {folder / "streaming.json": to_json(result)}
    if result.all_steps[0].accuracy is not None:
        files[folder / "streaming.svg"] = _drawn(result)
    write_all_atomically(files)
    for path in files:
        console.print(f"wrote {path}")


def _measure(workbench: Workbench, backend: str, limit: int | None) -> "Streaming":
    import numpy as np

    from neuro_deploy.audio.front_end import first_sound
    from neuro_deploy.netx import digest
    from neuro_deploy.recognition import anytime

    network = workbench.network
    samples = workbench.samples.first(limit)
    labels, number = samples.labels, len(samples)
    own = own_steps(network, number) if workbench.source.file is None else None
    console.print(f"{backend}: {number} samples ...", style="dim")
    voltages = anytime.stepwise_readouts(network, workbench.backend(backend), samples.encoded)
    steps, logit = network.manifest.steps, network.manifest.readout.logit
    if logit is None:
        console.print(f"no early exit: {network.name} does not define a confidence (readout.logit)", style="dim")
    heard = network.manifest.front_end is not None and samples.values.dtype.kind == "f"
    first = first_sound(samples.values) if heard else None
    return anytime.Streaming(
        config=network.manifest.config,
        net_sha256=digest(network),
        data_sha256=samples.sha256,
        backend=backend,
        samples=number,
        classes=len(network.manifest.classes),
        steps=steps,
        all_steps=anytime.over_fractions(voltages, labels, np.full(number, steps)),
        own_sound=None if own is None else anytime.over_fractions(voltages, labels, own),
        exits=() if logit is None else anytime.over_thresholds(voltages, labels, logit, first),
    )


def _drawn(result: "Streaming") -> bytes:
    """The figure's file; of samples with labels."""
    from neuro_deploy.report.figures.streaming import streaming
    from neuro_deploy.report.figures.style import svg

    all_steps = [(point.fraction, point.accuracy or 0.0) for point in result.all_steps]
    own_sound = None if result.own_sound is None else [(point.fraction, point.accuracy or 0.0) for point in result.own_sound]
    exits = [(point.threshold, point.steps, point.accuracy or 0.0) for point in result.exits]
    return svg(streaming, all_steps, own_sound, exits, result.steps, result.classes)
