"""Put what was run into a report, and compare reports."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuro_deploy import extras
from neuro_deploy.cli.common import MODELS, RUNS, DataFile, Encoded, InputShape, MessageBits, console, shape, user_path
from neuro_deploy.cli.simulations import BrianSamples, LavaSamples, TimeLimit, fewer, run_all
from neuro_deploy.workbench.bench import Workbench
from neuro_deploy.workbench.opening import Feed
from neuro_deploy.workbench.samples import Source

if TYPE_CHECKING:
    from neuro_deploy.report.collect import Subject
    from neuro_deploy.report.model import Backend
    from neuro_deploy.verify.simulation import Simulation

SIMULATION = "simulation.json"
"""What a simulation leaves in runs/CONFIG."""


def report(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG|MODEL.net", help="A configuration whose network was exported, or a NetX file.")
    ],
    data: DataFile = None,
    encoded: Encoded = False,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Number of samples to report on, from the first; default: all.")
    ] = None,
    lava_samples: LavaSamples = None,
    brian_samples: BrianSamples = None,
    tables: Annotated[
        list[str],
        typer.Option("--table", metavar="FILE.toml", help="Your own cost table, in addition to the built-in ones; repeatable."),
    ] = [],  # noqa: B006 (typer makes a new list)
    time_limit: TimeLimit = 120.0,
    message_bits: MessageBits = None,
    input_shape: InputShape = None,
) -> None:
    """Write runs/CONFIG/report.html and report.json: counts, time and energy of all backends side by side, and figures.

    The training log is shown too. The last simulation is reused if it has the same network and samples; otherwise all backends run.
    """
    extras.require("matplotlib", "jinja2")
    from neuro_deploy.measure.energy.tables import load_table, names
    from neuro_deploy.report.collect import collect
    from neuro_deploy.report.store import save
    from neuro_deploy.report.tables import training_table
    from neuro_deploy.report.terminal import report_tables
    from neuro_deploy.training.log import read_log
    from neuro_deploy.verify.simulation import save_result

    feed = Feed(message_bits, shape(input_shape))
    workbench = Workbench(_model(config), Source(data, encoded, used=samples), time_limit, feed)
    name = workbench.network.manifest.config
    if log := read_log(RUNS / name):
        console.print(training_table(log))
    costs = {table: load_table(table) for table in (*names(), *tables)}  # first: a mistake in them shall not take minutes
    subject = _subject(workbench, samples)
    few = fewer(lava_samples, brian_samples)
    simulation = _last(workbench, samples)
    if simulation is None:
        simulation = run_all(workbench, samples, few, unquantised=True)
        save_result(simulation, RUNS / name / SIMULATION)
    found = collect(subject, simulation, costs, _others(workbench, simulation))
    page, values = save(found, RUNS / name)
    console.print(report_tables(found))
    console.print(f"wrote {page} and {values}")
    if not simulation.equal:
        raise typer.Exit(1)


def compare(
    reports: Annotated[
        list[Path], typer.Argument(metavar="A.json B.json ...", parser=user_path, help="Two or more report.json files.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    different_data: Annotated[
        bool, typer.Option("--different-data", help="Compare reports of different samples, too.")
    ] = False,
) -> None:
    """Put reports side by side: every number, and its difference from the first report."""
    if not as_json:
        extras.require("matplotlib")  # writes the units' prefixes
    from neuro_deploy.report import compare as comparing
    from neuro_deploy.report.store import load
    from neuro_deploy.report.terminal import comparison_table

    comparison = comparing.compare([(path, load(path)) for path in reports], different_data)
    if as_json:
        console.print(json.dumps(comparing.as_json(comparison), indent=2), soft_wrap=True)
    else:
        console.print(comparison_table(comparison))


def _model(config: str) -> Path:
    """The NetX file of a configuration, or the file itself."""
    from neuro_deploy.training.config import load

    return Path(config) if config.endswith(".net") else MODELS / f"{load(config).name}.net"


def _subject(workbench: Workbench, number: int | None) -> "Subject":
    """The network with its first samples and, where its checkpoint can be read, its memories."""
    from neuro_deploy.netx import require_checkpoint
    from neuro_deploy.report.collect import Response, Subject

    responses = []
    if workbench.trained and extras.present("torch"):
        from neuro_deploy.training.checkpoint import read
        from neuro_deploy.training.deploy import memories

        responses = [Response(*memory) for memory in memories(read(require_checkpoint(workbench.network)))]
    return Subject(workbench.network, workbench.samples.first(number), responses)


def _others(workbench: Workbench, simulation: "Simulation") -> "list[Backend]":
    """Rows of what is no exact backend: the machine's own torch, and what this machine has not got."""
    from neuro_deploy.backends import BACKENDS, loihi2
    from neuro_deploy.backends.host import HOSTS
    from neuro_deploy.errors import BackendError
    from neuro_deploy.report.rows import absent, host

    ran = {result.backend for result in simulation.backends}
    rows = []
    for name, entry in BACKENDS.items():
        if entry.checked and entry.package is not None and name not in ran:
            there = extras.present(entry.package)
            reason = (
                "it was not installed when simulation.json was made: simulate again" if there else extras.advice(entry.package)
            )
            rows.append(absent(name, entry.about, reason))
    if (missing := loihi2.missing()) is not None:
        rows.append(absent("loihi2", BACKENDS["loihi2"].about, missing))
    for name in HOSTS if workbench.trained and extras.present("torch") else ():
        console.print(f"{name} ...", style="dim")
        try:
            rows += map(host, workbench.time(name))
        except BackendError as error:
            rows.append(absent(name, "the models in torch on this machine", str(error)))
    return rows


def _last(workbench: Workbench, number: int | None) -> "Simulation | None":
    """The last simulation, if it is of this network and its first samples.

    Raises:
        ModelFileError: there is a file, and it is no simulation.
    """
    from neuro_deploy.netx import digest
    from neuro_deploy.verify.simulation import load_result

    path = RUNS / workbench.network.manifest.config / SIMULATION
    if not path.exists():
        return None
    last = load_result(path)
    wanted = (digest(workbench.network), workbench.samples.first(number).sha256)
    fits = (last.net_sha256, last.data_sha256) == wanted
    console.print(f"{path} is of {'this network and these samples: used' if fits else 'others: simulated again'}", style="dim")
    return last if fits else None
