"""What the figures of a report show, as plain data: a sample's spikes, its memory, answers and ranges."""

from pydantic import BaseModel, ConfigDict


class Plain(BaseModel):
    """Data without behaviour, checked on reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Answers(Plain):
    """The read-out after each step of a sample.

    Attributes:
        right: samples whose answer so far is right, after 1 to T steps; None without labels, as the confusion.
        settled: samples whose answer so far is the last one and does not change in between.
        confusion: samples by true class and, in each row, by last answer.
    """

    right: tuple[int, ...] | None
    settled: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...] | None


class Spikes(Plain):
    """All spikes of a population in one sample: ``indices[k]`` is the neuron that fires at ``steps[k]``, both 0-based."""

    name: str
    neurons: int
    steps: tuple[int, ...]
    indices: tuple[int, ...]


class Sample(Plain):
    """One sample: its place among the samples, its class if known, the answer, the encoded input [T][channels], every spike."""

    index: int
    label: int | None
    answer: int
    input: tuple[tuple[int, ...], ...]
    populations: tuple[Spikes, ...]


class Memory(Plain):
    """One channel of a Legendre memory over one sample; see :func:`neuro_deploy.report.observe.memory`.

    Attributes:
        source: the population that writes into it.
        target: the population whose spikes stand for it.
        channel: which of the source's neurons.
        length: theta, steps.
        writes: steps at which that neuron fires.
        states: [order][T], the real-valued memory.
        spikes: [order], steps at which the target's neuron of that order fires.
        window: the past of the source at the last step as the memory has it, by lag from 0.
    """

    source: str
    target: str
    channel: int
    length: int
    writes: tuple[int, ...]
    states: tuple[tuple[float, ...], ...]
    spikes: tuple[tuple[int, ...], ...]
    window: tuple[float, ...]


class Box(Plain):
    """Magnitudes of the values of one population that are not zero.

    Attributes:
        name: the population.
        quantiles: 0, 5, 25, 50, 75, 95 and 100 %; None if all are zero.
        zeros: share of values that are zero.
        threshold: of its neurons, where they fire.
        bound: what no input can exceed.
    """

    name: str
    quantiles: tuple[float, ...] | None
    zeros: float
    threshold: float | None
    bound: float | None


class Ranges(Plain):
    """Values against their fixed-point numbers; voltages in units of the weights, so that 64 of the chip's steps are one.

    Attributes:
        weights: by population; of its weights as stored.
        weight_step: smallest nonzero magnitude.
        weight_limit: largest magnitude.
        voltages: by population; after each step of some samples.
        voltage_step: smallest nonzero magnitude.
        voltage_limit: largest magnitude.
        samples: that the voltages are of.
    """

    weights: tuple[Box, ...]
    weight_step: float
    weight_limit: float
    voltages: tuple[Box, ...]
    voltage_step: float
    voltage_limit: float
    samples: int
