"""Energy and time by cost tables: the totals, where they go, and what relays have to do with it."""

from collections.abc import Mapping
from importlib.metadata import version

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, sanafe
from neuro_deploy.ir.chain import MODEL_ROLES, Chain
from neuro_deploy.ir.trace import Trace
from neuro_deploy.measure.counts import ChipCounts, Counts, count
from neuro_deploy.measure.energy.delays import with_delays
from neuro_deploy.measure.energy.model import Energy, dense_energy, energy, latency
from neuro_deploy.measure.energy.tables import Table, load_table
from neuro_deploy.measure.neurobench import neurobench
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.model import INPUT, Backend, EnergyModel, PopulationCounts, Share
from neuro_deploy.report.readable import with_unit
from neuro_deploy.report.rows import absent, delay_product

SANAFE = "loihi1-sanafe"
"""The table of SANA-FE's own costs."""

REPLAYED = 2
"""Samples that SANA-FE replays."""


def energy_models(counts: Counts, chain: Chain, tables: Mapping[str, Table]) -> tuple[EnergyModel, ...]:
    """Energy of an inference by each cost table.

    Args:
        counts: of a run of the chain.
        chain: the network.
        tables: by name.
    """
    delayed = with_delays(counts, chain) if chain.constant else counts  # others have no taps and no relays
    found = []
    for name, table in tables.items():
        spent = energy(counts, table)
        found.append(
            EnergyModel(
                table=name,
                title=table.title,
                source=table.source,
                leaves_out=table.leaves_out,
                static=table.static_power,
                total=spent.total,
                components=spent.components,
                shares=_shares(spent, chain),
                relays=_relays(spent),
                delays=_saved(spent.total, energy(delayed, table).total),
            )
        )
    return tuple(found)


def chips(
    counts: Counts, chain: Chain, accuracy: Quantity | None, steps: int, tables: Mapping[str, Table]
) -> tuple[Backend, ...]:
    """A row for each cost table: the chip as its numbers have it, and a dense evaluation where the table knows what one costs.

    Args:
        counts: of a run of the chain.
        chain: the network.
        accuracy: of that run, if known.
        steps: T, steps of a sample.
        tables: by name.
    """
    rows = []
    for name, table in tables.items():
        quantities = {"energy": energy(counts, table).total, "latency": latency(counts, table)}
        if accuracy is not None:
            quantities = {"accuracy": accuracy, **quantities}
        bound = quantities["latency"]
        if bound.value:
            note = "at most: one over the least time of a sample"
            quantities["throughput"] = Quantity(1 / bound.value, "1/s", "modelled", bound.source, note)
        rows.append(_row(f"{name} (modelled)", table, quantities))
        if table.mac is not None:
            dense = {"energy": dense_energy(chain, steps, table)}
            rows.append(_row(f"{name}, dense (modelled)", table, dense, "every weight at every step: "))
    return tuple(rows)


def replayed(trace: Trace, chain: Chain) -> Backend:
    """A run replayed in SANA-FE, beside our closed form over the same samples; says so where SANA-FE is not installed.

    Args:
        trace: a run of the chain; only its first samples are replayed, each takes seconds.
        chain: the network.
    """
    name, what = "sanafe", BACKENDS["sanafe"].about
    if not extras.present(name):
        return absent(name, what, extras.advice(name))
    if chain.special is not None:
        return absent(name, what, f"{chain.special}, which it cannot replay")
    first = trace.first(REPLAYED)
    replays = sanafe.replay(first, chain)
    own = energy(count(first, chain), load_table(SANAFE)).total
    source = f"SANA-FE {version(name)}, replay of {first.samples} samples, their mean"
    note = (
        ""
        if own.value is None
        else f"our closed form with its costs gives {with_unit(own.value, own.unit)} for the same samples"
    )
    joules = sum(sum(replay.energy.values()) for replay in replays) / len(replays)
    seconds = sum(replay.time for replay in replays) / len(replays)
    quantities = {
        "latency": Quantity(seconds, "s", "modelled", source),
        "energy": Quantity(joules, "J", "modelled", source, note),
    }
    return Backend(name=name, what=what, quantities=delay_product(quantities))


def benchmark(counts: Counts, chain: Chain) -> dict[str, Quantity]:
    """NeuroBench's metrics under its names."""
    found = neurobench(counts, chain)
    operations = found.SynapticOperations
    numbers = {
        "Footprint": (found.Footprint, "B"),
        "ConnectionSparsity": (100 * found.ConnectionSparsity, "%"),
        "ActivationSparsity": (100 * found.ActivationSparsity, "%"),
        "Effective_MACs": (operations.Effective_MACs, ""),
        "Effective_ACs": (operations.Effective_ACs, ""),
        "Dense": (operations.Dense, ""),
    }
    source = "NeuroBench's definitions (Yik et al., Nature Communications 16, 2025) on the chain and its counts"
    return {name: Quantity(value, unit, "counted", source) for name, (value, unit) in numbers.items()}


def populations(chip: ChipCounts, chain: Chain, samples: int) -> tuple[PopulationCounts, ...]:
    """Events by population and role, means of the samples; populations in the order of the layers, what is no population last."""
    sums: dict[tuple[str, str], dict[str, float]] = {}
    sources, bits = _sources(chain), dict[tuple[str, str], int | None]()
    for segment in chip.segments:
        bits[sources[segment.layer, segment.name], segment.role] = segment.bits
        row = sums.setdefault((sources[segment.layer, segment.name], segment.role), {})
        events = {
            "neurons": float(segment.neurons),
            "spikes": segment.spikes.sum() / samples,
            "synops": segment.synops.sum() / samples,
            "sent": segment.sent_synops.sum() / samples,
            "active": segment.active.sum() / samples,
            "packets": segment.packets.sum() / samples,
        }
        for what, number in events.items():
            row[what] = row.get(what, 0.0) + float(number)
    order = _order(chain)
    rows = sorted(sums.items(), key=lambda item: order.index(item[0][0]))
    return tuple(PopulationCounts(population=name, role=role, bits=bits[name, role], **row) for (name, role), row in rows)


def _row(name: str, table: Table, quantities: dict[str, Quantity], prefix: str = "") -> Backend:
    return Backend(name=name, what=prefix + table.title, quantities=delay_product(quantities))


def _sources(chain: Chain) -> dict[tuple[int, str], str]:
    """Whose spikes a segment holds, by its layer and name."""
    return {(index, segment.name): segment.source for index, layer in enumerate(chain.layers) for segment in layer.segments}


def _order(chain: Chain) -> list[str]:
    """The populations as the layers compute them, then the other sources of spikes."""
    segments = [segment for layer in chain.layers for segment in layer.segments]
    own = [segment.source for segment in segments if segment.role in MODEL_ROLES]
    return [*own, *dict.fromkeys(segment.source for segment in segments if segment.source not in own), INPUT]


def _shares(spent: Energy, chain: Chain) -> tuple[Share, ...]:
    sources = _sources(chain)
    sums: dict[tuple[str, str], float] = {}
    for segment in spent.segments:
        key = (INPUT, INPUT) if segment.role is None else (sources[segment.layer, segment.name], segment.role)
        sums[key] = sums.get(key, 0.0) + segment.total
    order = _order(chain)
    rows = sorted(sums.items(), key=lambda item: order.index(item[0][0]))
    return tuple(Share(population=name, role=role, energy=joules) for (name, role), joules in rows if joules)


def _relays(spent: Energy) -> Quantity:
    """What taps, relays and bias neurons cost."""
    chosen = [segment for segment in spent.segments if segment.role not in (None, *MODEL_ROLES)]
    total = spent.total
    value = None if total.value is None else sum(segment.total for segment in chosen)
    return Quantity(value, total.unit, total.kind, total.source, total.note)


def _saved(total: Quantity, delayed: Quantity) -> Quantity:
    """What axonal delays would save."""
    value = None if total.value is None or delayed.value is None else total.value - delayed.value
    return Quantity(value, total.unit, total.kind, total.source, total.note)
