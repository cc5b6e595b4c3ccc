"""All samples through each backend: the integer semantics in NumPy, the compiled batch engine, Lava stock and fused."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import shipped
from benchmarks.measure import Comparison, Section, Settings, alternate, longer, require
from neuro_deploy import engine
from neuro_deploy.backends import Backend
from neuro_deploy.backends.fast import FastBackend
from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.backends.lava import LavaBackend

STOCK = "stock Lava"


@dataclass(frozen=True)
class _Variant:
    backend: Backend
    samples: int


def measure(settings: Settings) -> Section:
    """Samples, synaptic events and neuron-steps a second."""
    network, encoded = shipped.load(settings.model)
    variants = _variants(settings, len(encoded))
    events: dict[str, int] = {}

    def run(name: str) -> Callable[[], float]:
        variant = variants[name]
        return lambda: variant.backend.run(network, encoded[: variant.samples]).seconds

    most = max(variant.samples for variant in variants.values())
    reference = IntegerBackend().run(network, encoded[:most])
    for name, variant in variants.items():
        trace = variant.backend.run(network, encoded[: variant.samples])
        require(shipped.equal(trace, reference), f"{name} and the integer semantics")
        events[name] = shipped.synaptic_events(trace, network.chain)
    measurements = {name: longer(run(name)) if name.startswith("fast") else run(name) for name in variants}
    times = alternate(measurements, settings.repeats)
    steps = reference.input.shape[1] * shipped.neurons(network.chain)
    work = {
        "samples/s": {name: variant.samples for name, variant in variants.items()},
        "synaptic events/s": events,
        "neuron-steps/s": {name: variant.samples * steps for name, variant in variants.items()},
    }
    comparisons = [
        Comparison(f"backends, {unit}", unit, STOCK, _rates(times, amounts), higher_is_better=True)
        for unit, amounts in work.items()
    ]
    counts = ", ".join(f"{name} {variant.samples}" for name, variant in variants.items())
    notes = [
        f"Samples of each run: {counts}. All spikes recorded; start-up and compilation are not in it.",
        "Every spike of every neuron and every read-out was compared with the integer semantics first: the same.",
        "A synaptic event is one spike that meets one nonzero weight: counted from the run.",
    ]
    return Section(comparisons, facts=shipped.facts(network) | {"cores": engine.THREADS}, notes=notes)


def _variants(settings: Settings, samples: int) -> dict[str, _Variant]:
    many, few = (min(samples, 40), 1) if settings.quick else (min(samples, 120), 2)
    variants = {
        STOCK: _Variant(LavaBackend(), few),
        "integer": _Variant(IntegerBackend(), many),
        "fast, 1 core": _Variant(FastBackend(threads=1), many),
    }
    if not settings.quick:  # Lava takes ten seconds to start and to end
        variants["fused Lava"] = _Variant(LavaBackend(fused=True), min(many, 40))
    if engine.THREADS > 1:
        variants[f"fast, {engine.THREADS} cores"] = _Variant(FastBackend(), many)
    return variants


def _rates(times: dict[str, list[float]], amounts: dict[str, int]) -> dict[str, list[float]]:
    return {name: [amounts[name] / value for value in values] for name, values in times.items()}
