"""Measure a network's answers before its samples have ended."""

from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, find
from neuro_deploy.cli.common import RUNS, ModelPath, console
from neuro_deploy.workbench.bench import Workbench

if TYPE_CHECKING:
    from neuro_deploy.recognition.anytime import Streaming


def stream(
    model: ModelPath,
    backend: Annotated[str, typer.Option(metavar="NAME", help=f"What runs the network: {', '.join(BACKENDS)}.")] = "fast",
    samples: Annotated[int | None, typer.Option(min=1, help="First test samples to run; all if not given.")] = None,
) -> None:
    """Accuracy on the test set after a part of each sample, and where the network answers as soon as it is sure enough.

    Parts are of all steps and, of recordings, of their own sound without the silence that fills them up. Every threshold is
    shown: none is chosen by the test set. Writes runs/CONFIG/streaming.json and a figure, streaming.svg.
    """
    from neuro_deploy.files import write_all_atomically
    from neuro_deploy.recognition.anytime import to_json
    from neuro_deploy.report.tables import streaming_tables

    find(backend, BACKENDS)
    extras.require("matplotlib")  # before the samples take their time
    result = _measure(Workbench(model), backend, samples)
    console.print(streaming_tables(result))
    folder = RUNS / result.config
    paths = folder / "streaming.json", folder / "streaming.svg"
    write_all_atomically({paths[0]: to_json(result), paths[1]: _drawn(result)})
    for path in paths:
        console.print(f"wrote {path}")


def _measure(workbench: Workbench, backend: str, limit: int | None) -> "Streaming":
    import numpy as np

    from neuro_deploy.audio.front_end import first_sound
    from neuro_deploy.ir.inputs import fingerprint
    from neuro_deploy.netx import digest
    from neuro_deploy.recognition import anytime
    from neuro_deploy.recognition.answers import logit_voltage

    network, number = workbench.network, limit or len(workbench.labels)
    logit, data = logit_voltage(network), workbench.first(number)
    own = workbench.own_steps(number)
    console.print(f"{backend}: {number} samples ...", style="dim")
    samples, labels = data
    voltages = anytime.hear(network, workbench.backend(backend), samples)
    steps = network.manifest.steps
    first = None if network.manifest.front_end is None else first_sound(samples)
    return anytime.Streaming(
        config=network.manifest.config,
        net_sha256=digest(network),
        data_sha256=fingerprint(*data),
        backend=backend,
        samples=number,
        classes=len(network.manifest.classes),
        steps=steps,
        all_steps=anytime.over_fractions(voltages, labels, np.full(number, steps)),
        own_sound=None if own is None else anytime.over_fractions(voltages, labels, own),
        exits=anytime.over_thresholds(voltages, labels, logit, first),
    )


def _drawn(result: "Streaming") -> bytes:
    """The figure's file."""
    from neuro_deploy.report.figures.streaming import streaming
    from neuro_deploy.report.figures.style import svg

    all_steps, own_sound = (
        None if heard is None else [(point.fraction, point.accuracy) for point in heard]
        for heard in (result.all_steps, result.own_sound)
    )
    exits = [(point.threshold, point.steps, point.accuracy) for point in result.exits]
    return svg(streaming, all_steps, own_sound, exits, result.steps, result.classes)
