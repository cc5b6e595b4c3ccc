"""The report as plain data: what ``report.json`` holds, and all that the page and the comparison know."""

from typing import Final, Literal

from pydantic import Field

from neuro_deploy.ir.chain import Role
from neuro_deploy.measure.quantity import Quantity
from neuro_deploy.report.views import Answers, Memory, Plain, Ranges, Sample

FORMAT: Final = "neuro-deploy report"
"""Tells a report from any other JSON."""

FORMAT_VERSION: Final = 1
"""Raised whenever a reader of an older report could misread a newer one."""


INPUT: Final = "input"
"""Stands for population and role where the host's messages are meant."""

ShownRole = Role | Literal["input"]


class NetworkFacts(Plain):
    """What was run.

    Attributes:
        config: name of the configuration.
        net_sha256: of the NetX file; reports with one hash are of one network.
        classes: names, in the order of the read-out.
        steps: T, steps of a sample.
        latency: D, layers of the chain.
        gap: G, silent steps after a sample.
        neurons: of the chain, by role.
        synapses: nonzero weights.
    """

    config: str
    net_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    classes: tuple[str, ...] = Field(min_length=1)
    steps: int
    latency: int
    gap: int
    neurons: dict[Role, int]
    synapses: int


class DataFacts(Plain):
    """What it was run on.

    Attributes:
        name: of the samples: a split of a data set, or a file.
        samples: how many.
        sha256: of samples and labels, before any encoding; reports with one hash are of one data set.
    """

    name: str
    samples: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Backend(Plain):
    """One way to run the network, in numbers of one inference.

    Attributes:
        name: what the user calls it.
        what: what it is, in a few words.
        quantities: by name; see :data:`neuro_deploy.report.readable.LABELS`.
    """

    name: str
    what: str
    quantities: dict[str, Quantity]


class Check(Plain):
    """A backend held against the reference.

    Attributes:
        backend: the one that is checked.
        reference: taken as true.
        samples: on how many samples.
        compared: spike values (0 or 1 for each sample, step and neuron).
        spikes: those that are 1.
        mismatches: those that differ.
        readouts: read-out voltages compared.
        readout_mismatches: those that differ.
        first: the first difference in words; empty if there is none.
    """

    backend: str
    reference: str
    samples: int
    compared: int
    spikes: int
    mismatches: int
    readouts: int
    readout_mismatches: int
    first: str

    @property
    def equal(self) -> bool:
        """Not one value differs."""
        return self.mismatches == 0 and self.readout_mismatches == 0


class PopulationCounts(Plain):
    """Events of the neurons that hold one population's spikes in one role, means of an inference.

    Attributes:
        population: whose spikes they are.
        role: compute, or the taps, relays or bias neurons that carry it.
        neurons: how many.
        spikes: of them.
        synops: that arrive at them.
        sent: synaptic operations that their spikes cause.
        active: neuron updates that are active.
        packets: one per spike and destination core.
        bits: of the widest message that they sent, its sign included; None of spikes.
    """

    population: str
    role: Role
    neurons: int
    spikes: float
    synops: float
    sent: float
    active: float
    packets: float
    bits: int | None = None


class Share(Plain):
    """The modelled energy of one population in one role, joules of an inference."""

    population: str
    role: ShownRole
    energy: float


class EnergyModel(Plain):
    """An energy by one cost table.

    Attributes:
        table: its name.
        title: what it is.
        source: where its numbers are published.
        leaves_out: what is not in them.
        static: what is known of static power.
        total: of an inference.
        components: its parts.
        shares: its parts, by population and role.
        relays: taps, relays and bias neurons: what they cost.
        delays: what axonal delays in the hardware would save of it.
    """

    table: str
    title: str
    source: str
    leaves_out: str
    static: str
    total: Quantity
    components: dict[str, Quantity]
    shares: tuple[Share, ...]
    relays: Quantity
    delays: Quantity


class Report(Plain):
    """Everything that a report says.

    Attributes:
        format: tells the file from any other JSON.
        format_version: see :data:`FORMAT_VERSION`.
        created: date and time, UTC.
        machine: what it ran on, in words.
        versions: of the packages that made it.
        network: what was run.
        data: on what.
        unquantised_accuracy: of the model with real-valued weights.
        backends: every way to run it.
        checks: every exact backend against the reference.
        counts: events by population and role.
        energies: by cost table.
        benchmark: NeuroBench's metrics, by its names.
        rates: spikes per neuron and step, by population.
        answers: step by step.
        sample: one sample's spikes.
        memories: of that sample.
        ranges: weights and voltages.
    """

    format: Literal["neuro-deploy report"] = FORMAT
    format_version: Literal[1] = FORMAT_VERSION
    created: str
    machine: str
    versions: dict[str, str]
    network: NetworkFacts
    data: DataFacts
    unquantised_accuracy: Quantity
    backends: tuple[Backend, ...]
    checks: tuple[Check, ...]
    counts: tuple[PopulationCounts, ...]
    energies: tuple[EnergyModel, ...]
    benchmark: dict[str, Quantity]
    rates: dict[str, float]
    answers: Answers
    sample: Sample
    memories: tuple[Memory, ...]
    ranges: Ranges
