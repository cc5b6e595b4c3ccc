"""One row of a report for each way to run the network: what it counted, what it took."""

from collections.abc import Mapping

from neuro_deploy.backends import BACKENDS
from neuro_deploy.backends.host import HostRun
from neuro_deploy.measure.quantity import Kind, Quantity
from neuro_deploy.report.model import Backend
from neuro_deploy.verify.simulation import BackendResult

EVENTS = {
    "spikes": "compute_spikes",
    "relay_spikes": "relay_spikes",
    "synops": "compute_synops",
    "relay_synops": "relay_synops",
    "updates": "updates",
    "active": "active_updates",
    "packets": "packets",
    "messages": "messages",
    "graded": "graded",
}
"""Fields of :class:`neuro_deploy.measure.counts.Totals` by the name that the report gives them."""


def simulated(result: BackendResult) -> Backend:
    """A backend of the reference check, by its run."""
    samples = result.samples
    counted = f"events of a run of {_number(samples)}, mean of one"
    events = {name: getattr(result.counts, attribute) for name, attribute in EVENTS.items()}
    if not result.counts.graded:
        del events["graded"]  # no neuron can send any
    clock = "wall clock of the run without start-up, over its samples"
    note = "the time to simulate the chip, of one of the samples that ran together"
    quantities = {
        **({} if result.accuracy is None else {"accuracy": accuracy(result.accuracy, samples)}),
        **{name: Quantity(n / samples, "", "counted", counted) for name, n in events.items() if n is not None},
        "latency": Quantity(result.seconds / samples, "s", "measured", clock, note),
        "throughput": Quantity(samples / result.seconds, "1/s", "measured", clock, note),
    }
    return Backend(name=result.backend, what=BACKENDS[result.backend].about, quantities=quantities)


def host(run: HostRun) -> Backend:
    """A model in torch on this machine."""
    quantities = {"latency": run.latency, "throughput": run.throughput, "energy": run.energy}
    return Backend(name=f"{run.device} {run.model}, {run.mode}", what=run.latency.note, quantities=delay_product(quantities))


def accuracy(share: float, samples: int) -> Quantity:
    """Right answers in per cent."""
    return Quantity(100 * share, "%", "counted", f"right answers, of {_number(samples)}")


def absent(name: str, what: str, reason: str) -> Backend:
    """A backend that cannot run here.

    Args:
        name: what the user calls it.
        what: it is, in a few words.
        reason: what is missing and how to get it.
    """
    units = {"latency": "s", "throughput": "1/s", "energy": "J", "edp": "J s"}
    quantities = {key: Quantity(None, unit, "measured", name, reason) for key, unit in units.items()}
    return Backend(name=name, what=what, quantities=quantities)


def delay_product(quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """The quantities with the energy-delay product, J s, where both energy and latency are there; as good as the worse of them."""
    energy, latency = quantities.get("energy"), quantities.get("latency")
    found = dict(quantities)
    if energy is None or latency is None:
        return found
    kind: Kind = "measured" if energy.kind == latency.kind == "measured" else "modelled"
    if energy.value is None or latency.value is None:
        missing = energy if energy.value is None else latency
        found["edp"] = Quantity(None, "J s", missing.kind, missing.source, missing.note)
    else:
        source = f"energy ({energy.source}) times latency ({latency.source})"
        found["edp"] = Quantity(energy.value * latency.value, "J s", kind, source, latency.note)
    return found


def _number(samples: int) -> str:
    return f"{samples:,} sample{'s' if samples > 1 else ''}"
