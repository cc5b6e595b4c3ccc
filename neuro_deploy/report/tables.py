"""Results as tables for the terminal."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from neuro_deploy.backends.host import HostRun
from neuro_deploy.datasets.catalogue import Dataset
from neuro_deploy.ir.chain import CHIP_ROLES, Chain
from neuro_deploy.ir.manifest import Manifest
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.recognition.anytime import Streaming
from neuro_deploy.verify.check import Comparison, Row
from neuro_deploy.verify.simulation import BackendResult, Simulation
from neuro_deploy.workbench.doctor import Finding


def simulation_tables(simulation: Simulation) -> RenderableType:
    """Everything that a run on all backends gave."""
    computing, neurons = simulation.neurons
    parts: list[RenderableType] = [
        backends_table(simulation.backends, f"{simulation.config}: {computing:,} computing neurons of {neurons:,}")
    ]
    if simulation.unquantised_accuracy is not None:
        parts.append(Text(f"The same model with real-valued weights: {100 * simulation.unquantised_accuracy:.2f} %"))
    if simulation.backends[0].counts.graded:
        parts.append(Text("Graded messages count as spikes where they are not 0."))
    parts += [Text(), rates(simulation.backends[0].counts.rates), Text(), check_table(simulation.comparisons)]
    return Group(*parts)


def backends_table(results: Sequence[BackendResult], title: str) -> Table:
    """One row for each backend; events are means of one sample."""
    names = (
        "backend",
        "samples",
        "accuracy\n%",
        "spikes",
        "overhead\nspikes",
        "SynOps",
        "overhead\nSynOps",
        "steps",
        "seconds",
    )
    table = plain_table(title, names, left=("backend",))
    table.caption = (
        "Counted, per sample: spikes and synaptic operations (SynOps) of the model's neurons; overhead: those of taps, relays "
        "and bias neurons.\n"
        "Measured: seconds for all samples, without start-up. '-': this backend runs the model, which has no overhead."
    )
    for result in results:
        counts, samples = result.counts, result.samples
        events = (counts.compute_spikes, counts.relay_spikes, counts.compute_synops, counts.relay_synops)
        table.add_row(
            result.backend,
            f"{samples}",
            _per_cent(result.accuracy),
            *("-" if number is None else f"{number / samples:,.0f}" for number in events),
            f"{result.steps // samples}",
            f"{result.seconds:.1f}",
        )
    return table


def hosts_table(runs: Sequence[HostRun], title: str) -> RenderableType:
    """The models on a device of this machine, one row for each mode."""
    table = plain_table(
        title, ("device", "model", "mode", "latency\nms", "inferences\n/s", "energy\nmJ"), left=("device", "model", "mode")
    )
    for run in runs:
        numbers = _number(run.latency, 1e3), _number(run.throughput), _number(run.energy, 1e3)
        table.add_row(run.device, run.model, run.mode, *numbers)
    notes = {f"{run.model}: {run.latency.note}": None for run in runs}
    notes |= {f"Energy: {run.energy.source}: {run.energy.note}": None for run in runs}
    table.caption = (
        "Measured. Latency: from the encoded frames to the answer, of one sample or of a whole batch; median of repeated runs.\n"
        "Energy: of one inference."
    )
    return Group(table, *map(Text, notes))


def _number(quantity: Quantity, factor: float = 1.0) -> str:
    return "not available" if quantity.value is None else f"{factor * quantity.value:,.4g}"


def check_table(comparisons: Sequence[Comparison], every_population: bool = False) -> RenderableType:
    """The reference check: one row for each backend, or for each of its populations."""
    names = ("backend", "population", "compared", "spikes", "mismatching")
    table = plain_table("reference check", names, left=("backend", "population"))
    for comparison in comparisons:
        rows = comparison.rows
        if every_population:
            for row in _by_layer(rows):
                table.add_row(comparison.backend, row.population, f"{row.compared:,}", f"{row.spikes:,}", f"{row.mismatches:,}")
        else:
            spikes = sum(row.spikes for row in rows)
            what = f"all {len(rows)}, {comparison.samples} sample{'' if comparison.samples == 1 else 's'}"
            table.add_row(comparison.backend, what, f"{comparison.compared:,}", f"{spikes:,}", f"{comparison.mismatches:,}")
        table.add_row(
            comparison.backend, "read-out voltages", f"{comparison.readouts:,}", "", f"{comparison.readout_mismatches:,}"
        )
    return Group(table, *(verdict(comparison) for comparison in comparisons))


def _by_layer(rows: Sequence[Row]) -> list[Row]:
    """The populations as they are; of the layers, whose segments are a hundred rows, one row each."""
    sums: dict[str, Row] = {}
    for row in rows:
        layer, segment, _ = row.population.partition(": ")
        name = f"{layer}, all neurons" if segment else row.population
        before = sums.get(name, Row(name, 0, 0, 0))
        numbers = (before.compared + row.compared, before.spikes + row.spikes, before.mismatches + row.mismatches)
        sums[name] = Row(name, *numbers)
    return list(sums.values())


def verdict(comparison: Comparison) -> Text:
    """One line: equal, or where the two part first."""
    return Text(str(comparison), style="green" if comparison.equal else "bold red")


def streaming_tables(result: Streaming) -> RenderableType:
    """Accuracy by the share of each sample that was fed, and by the confidence at which it was ended."""
    about = Text(f"{result.config}: {result.samples:,} samples of {result.steps} steps on {result.backend}")
    columns, names = [result.all_steps], ["part\n%", "of all steps:\naccuracy %", "mean\nsteps"]
    if result.own_sound is not None:
        columns, names = [*columns, result.own_sound], [*names, "of the recording:\naccuracy %", "mean\nsteps"]
    parts = plain_table("after a part of each sample", names)
    if result.own_sound is not None:
        parts.caption = "Of the recording: of its sound, without the silence that pads a sample to its last step."
    for points in list(zip(*columns, strict=True))[1::2]:
        cells = itertools.chain.from_iterable((_per_cent(p.accuracy), f"{p.steps:.1f}") for p in points)
        parts.add_row(f"{100 * points[0].fraction:.0f}", *cells)
    if not result.exits:
        return Group(about, Text(), parts)
    ended = plain_table(
        "early exit at a confidence", ("confidence", "accuracy\n%", "mean\nsteps", "of all\nsteps %", "early exits\n%")
    )
    ended.caption = "All confidences are shown; none is chosen on these samples."
    for exit_ in result.exits:
        numbers = (exit_.steps, 100 * exit_.share, 100 * exit_.early)
        name = "to the end" if exit_.threshold is None else f"{exit_.threshold:g}"
        ended.add_row(name, _per_cent(exit_.accuracy), *(f"{number:.1f}" for number in numbers))
    return Group(about, Text(), parts, Text(), ended)


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


def rates(populations: Mapping[str, float]) -> Text:
    """Firing rates of the populations, which are too many for the columns of a table."""
    shown = (f"{name}={100 * rate:.1f}" for name, rate in populations.items())
    return Text(f"Spikes in 100 neuron-steps, by population: {', '.join(shown)}")


def training_table(epochs: Sequence[Mapping[str, Any]]) -> Table:
    """The log of a training, at most a dozen of its epochs."""
    names = ("epoch", "weights", "loss", "training\naccuracy %", "validation\naccuracy %", "firing\n%", "seconds")
    table = plain_table("training", names, left=("weights",))
    table.caption = "Validation: with the deployed integers. Firing: spikes in 100 neuron-steps, mean of the populations."
    every = max(1, len(epochs) // 11)
    for epoch in [e for e in epochs if e["epoch"] % every == 0 or e is epochs[-1]]:
        firing = epoch["rates"].values()
        table.add_row(
            f"{epoch['epoch']}",
            epoch["phase"],
            f"{epoch['loss']:.3f}",
            f"{100 * epoch['accuracy']:.1f}",
            f"{100 * epoch['validation_accuracy']:.1f}",
            f"{100 * sum(firing) / max(1, len(firing)):.1f}",
            f"{epoch['seconds']:.1f}",
        )
    return table


def sweep_table(results: Sequence[Mapping[str, Any]], config: str) -> Table:
    """The trainings of a sweep, one row each, in the order given."""
    keys = tuple(dict.fromkeys(key for result in results for key in result["settings"]))
    names = (*keys, "validation\naccuracy %", "validation\nloss", "epoch", "parameters", "seconds")
    table = plain_table(f"sweep of {config}", names)
    table.caption = (
        "Best epoch of each training, by the deployed integers on the validation split; '*': the loss became NaN or infinite."
    )
    for result in results:
        accuracy, loss, epoch = (result[key] for key in ("validation_accuracy", "validation_loss", "epoch"))
        table.add_row(
            *(f"{result['settings'].get(key, '')}" for key in keys),
            _per_cent(accuracy),
            "-" if loss is None else f"{loss:.4f}",
            ("-" if epoch is None else f"{epoch}") + ("*" if result["error"] else ""),
            f"{result['parameters']:,}",
            f"{result['seconds']:.1f}",
        )
    return table


def merit_table(models: Sequence[Mapping[str, Any]]) -> Table:
    """Trained models side by side; each is a dictionary of :class:`neuro_deploy.workbench.assessment.Merit` with its ``run``."""
    names = (
        "run",
        "model",
        "parameters",
        "validation\n%",
        "test\n%",
        "real-valued\n%",
        "firing\n%",
        "SynOps",
        "overhead\nSynOps",
        "MACs",
    )
    table = plain_table("", names, left=("run", "model"))
    table.caption = (
        "Test: of a spiking model, the deployed chain; real-valued: the same model without quantisation.\n"
        "Counted, per sample: synaptic operations at the model's neurons; overhead: those at taps, relays and bias neurons; "
        "multiply-accumulates (MACs) of matrix products."
    )
    for model in models:
        shares = (model[key] for key in ("validation", "test", "unquantised", "rate"))
        events = (model[key] for key in ("synops", "relay_synops", "macs"))
        table.add_row(
            model["run"],
            model["model"],
            f"{model['parameters']:,}",
            *map(_per_cent, shares),
            *("-" if number is None else f"{number:,.0f}" for number in events),
        )
    return table


def chain_table(chain: Chain, manifest: Manifest) -> Table:
    """The layers of a chain: what its neurons are."""
    title = f"{manifest.config}: {chain.latency} layers, {manifest.steps} steps, gap {chain.gap}"
    names = ("layer", "type", "neurons", "synapses", "threshold", "compute", "tap", "relay", "bias")
    table = plain_table(title, names, left=("type", "compute"))
    for index, layer in enumerate(chain.layers):
        sizes = {role: sum(s.size for s in layer.segments if s.role == role) for role in CHIP_ROLES}
        computing = ", ".join(f"{s.name} {s.size}" for s in layer.segments if s.of_model)
        synapses = np.count_nonzero(layer.weight) + (0 if layer.weight_rec is None else np.count_nonzero(layer.weight_rec))
        numbers = (f"{size:,}" if size else "" for size in sizes.values())
        table.add_row(f"{index}", layer.kind, f"{layer.size:,}", f"{synapses:,}", f"{layer.threshold:,}", computing, *numbers)
    return table


def findings_table(findings: Sequence[Finding]) -> Table:
    """What the examination of the set-up found."""
    table = plain_table("set-up", ("", "what", "found"), left=("", "what", "found"))
    for finding in findings:
        table.add_row(Text("ok", style="green") if finding.good else Text("no", style="bold red"), finding.what, finding.found)
    return table


def plain_table(title: str, names: Sequence[str], left: Sequence[str] = ()) -> Table:
    """An empty table; numbers to the right, the columns in ``left`` to the left."""
    table = Table(
        title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def datasets_table(catalogue: Mapping[str, Dataset], folders: Mapping[str, Path]) -> Table:
    """One row for each data set that can be had, and whether it is in its folder."""
    names = ("name", "what", "licence", "checked by", "folder")
    table = plain_table("data sets", names, left=names)
    for name, dataset in catalogue.items():
        folder = folders[name]
        checked = "SHA-256" if all(file.sha256 or file.content_sha256 for file in dataset.files) else "size and structure only"
        table.add_row(name, dataset.title, dataset.licence, checked, str(folder) if folder.is_dir() else "not present")
    return table
