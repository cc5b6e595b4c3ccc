"""Whether a manifest and the layers of a NetX file speak of the same network, and of one that a machine can run."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn

from neuro_deploy.ir.chain import Chain, Segment
from neuro_deploy.ir.manifest import LayerSpec, Manifest
from neuro_deploy.ir.semantics import settle_steps

SLACK = 2
"""How many times longer than its chain needs a manifest may ask for silence."""

Fail = Callable[[str], NoReturn]


def require_agreement(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    """Refuse a manifest that does not describe the layers of a file.

    Args:
        chain: the file's layers; their segments and the gap are still the manifest's alone.
        manifest: what is said of them.
        fail: raises an error about the manifest.
    """
    for require in (_input, _layers, _readout, _sources, _front_end, _gap):
        require(chain, manifest, fail)


def _input(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    if len(chain.layers) != len(manifest.layers) or chain.latency != manifest.latency:
        fail(
            f"{len(manifest.layers)} layers and latency {manifest.latency}, "
            f"the NetX file has {len(chain.layers)} layers and latency {chain.latency}"
        )
    if manifest.loading is not None:
        _adopted_input(chain, manifest, fail)
        return
    inputs = manifest.input.frames * manifest.input.channels + 1
    if chain.input_size != inputs or manifest.input.constant_channel != inputs - 1:
        fail(
            f"input of {manifest.input.frames} frames x {manifest.input.channels} channels and constant channel "
            f"{manifest.input.constant_channel}, the NetX file reads {chain.input_size} channels, the last one constant"
        )


def _adopted_input(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    """A file that this project did not make: frames are fed as they are, and each sample starts from rest."""
    spec = manifest.input
    if (spec.channels, spec.frames, spec.constant_channel) != (chain.input_size, 1, None):
        fail(f"input of {spec.frames} frames x {spec.channels} channels, the NetX file reads one frame of {chain.input_size}")


def _layers(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    for index, (layer, spec) in enumerate(zip(chain.layers, manifest.layers, strict=True)):
        if manifest.loading is None and layer.special is not None:
            fail(f"layer {index} of the NetX file has {layer.special}, and no options of the loader are given: adopt it")
        if (spec.index, spec.size, spec.kind) != (index, layer.size, layer.kind):
            fail(
                f"layer {spec.index} is {spec.kind} [{spec.size}], the NetX file's layer {index} is {layer.kind} [{layer.size}]"
            )
        names = Counter(segment.name for segment in spec.populations)
        if twice := [name for name, times in names.items() if times > 1]:
            fail(f"layer {index}: two populations are called {twice[0]}: each needs a name of its own")
        end = 0
        for segment in spec.populations:
            if segment.start != end or segment.stop <= segment.start:
                fail(f"layer {index}: {segment.name} covers {segment.start}..{segment.stop}, the one before ends at {end}")
            end = segment.stop
        if end != layer.size:
            fail(f"layer {index}: the populations cover {end} of {layer.size} neurons")


def _readout(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    readout = manifest.readout
    found = [(spec.index, s.start, s.stop) for spec, s in _segments(manifest) if s.role == "readout"]
    if found != [(len(chain.layers) - 1, readout.start, readout.stop)] or readout.layer != found[0][0]:
        fail(
            f"read-out layer {readout.layer}, neurons {readout.start}..{readout.stop}: does not fit its populations, "
            f"of which one in the last layer must be the read-out"
        )
    if readout.stop - readout.start != len(manifest.classes):
        fail(
            f"read-out layer {readout.layer}, neurons {readout.start}..{readout.stop}, "
            f"for {len(manifest.classes)} classes: does not fit"
        )


def _sources(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    """Each computing population is there once, and every tap and relay holds the spikes of one."""
    sizes: dict[str, int] = {}
    for spec, segment in _segments(manifest):
        if segment.role == "compute":
            if segment.name in sizes or segment.source != segment.name or segment.lag:
                fail(
                    f"layer {spec.index}: population {segment.name} has source {segment.source} and lag {segment.lag}: "
                    "a computing population is there once, is its own source and has no lag"
                )
            sizes[segment.name] = segment.size
    for spec, segment in _segments(manifest):
        if segment.role in ("tap", "relay") and sizes.get(segment.source) != segment.size:
            fail(
                f"layer {spec.index}: {segment.name} holds {segment.size} neurons of {segment.source}, "
                f"which has {sizes.get(segment.source, 'none')}"
            )


def _front_end(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    spec = manifest.front_end
    if spec is not None and (spec.steps, spec.bins) != (manifest.steps, manifest.input.channels):
        fail(
            f"front_end makes {spec.steps} frames of {spec.bins} bands, "
            f"the network reads {manifest.steps} steps of {manifest.input.channels} channels"
        )


def _gap(chain: Chain, manifest: Manifest, fail: Fail) -> None:
    """The delay lines empty, and the slowest currents and voltages of neurons that fire leak to zero: see :mod:`lowering.settle`.

    Fewer steps would leave something of a sample to the next one, many more would take for ever.
    """
    if manifest.loading is not None:
        if manifest.gap:
            fail(
                f"gap is {manifest.gap} silent steps: a network that was adopted starts each sample from rest, with a gap of 0"
            )
        return
    emptying = sum(len({segment.lag for segment in spec.populations if segment.role == "tap"}) for spec in manifest.layers)
    currents = {layer.current_decay for layer in chain.layers}
    voltages = {layer.voltage_decay for layer in chain.layers[:-1]} - {0}  # without a leak nothing settles, however long it is
    settling = settle_steps(min(currents)) + (settle_steps(min(voltages)) if voltages else 0)
    limit = SLACK * (emptying + settling + len(chain.layers))
    if manifest.gap > limit:
        fail(f"gap is {manifest.gap} silent steps, and after {limit} at most this chain is silent")
    computing = [
        layer.voltage_decay
        for layer, spec in zip(chain.layers, manifest.layers, strict=True)
        if any(segment.role == "compute" for segment in spec.populations)
    ]
    needed = emptying + max((settle_steps(voltage) for voltage in computing if voltage), default=0)
    if manifest.gap < needed:
        # Backends that reset nothing would carry spikes into the next sample, and be blamed for what they then answer.
        fail(
            f"gap is {manifest.gap} silent steps, this chain needs {needed} until nothing of a sample is left: export it again"
        )


def _segments(manifest: Manifest) -> Iterator[tuple[LayerSpec, Segment]]:
    for spec in manifest.layers:
        for segment in spec.populations:
            yield spec, segment
