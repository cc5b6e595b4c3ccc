"""Who can run a network: one file a backend, one small interface, the same Trace from each.

Importing this package imports no backend: some of them need Lava, torch or Numba, and seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from neuro_deploy.errors import BackendError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neuro_deploy.backends.torch import Evaluate
    from neuro_deploy.ir.network import Network
    from neuro_deploy.ir.trace import Trace

__all__ = ["BACKENDS", "Backend", "Entry", "Options", "create", "find", "refusal", "require_able"]


class Backend(Protocol):
    """Runs a network over samples."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    def run(self, network: "Network", encoded: "NDArray[np.int32]") -> "Trace":
        """Run samples from rest and record everything.

        Args:
            network: chain and manifest; the files that it came from play no part, but for the checkpoint.
            encoded: int32 [samples, T, channels], see :func:`neuro_deploy.ir.inputs.encode`.

        Raises:
            InputError: the samples do not fit the network.
            BackendError: it cannot run.
        """


def _no_model(path: Path) -> "Evaluate":
    raise BackendError(f"torch: Options.load is missing, which reads {path}")


@dataclass(frozen=True)
class Options:
    """What some backends need to be made.

    Attributes:
        time_limit: seconds that Lava may take for one sample.
        load: reads a checkpoint's evaluation pass; the model's code is not part of this package.
    """

    time_limit: float = 120.0
    load: "Callable[[Path], Evaluate]" = _no_model


def _integer(options: Options) -> Backend:
    from neuro_deploy.backends import integer

    return integer.IntegerBackend()


def _torch(options: Options) -> Backend:
    from neuro_deploy.backends import torch

    return torch.TorchBackend(options.load)


def _fast(options: Options) -> Backend:
    from neuro_deploy.backends import fast

    return fast.FastBackend()


def _lava_fused(options: Options) -> Backend:
    from neuro_deploy.backends import lava

    return lava.LavaBackend(options.time_limit, fused=True)


def _lava(options: Options) -> Backend:
    from neuro_deploy.backends import lava

    return lava.LavaBackend(options.time_limit)


def _brian2loihi(options: Options) -> Backend:
    from neuro_deploy.backends import brian2loihi

    return brian2loihi.Brian2LoihiBackend()


def _sanafe(options: Options) -> Backend:
    from neuro_deploy.backends import sanafe

    return sanafe.SanafeBackend()


def _loihi2(options: Options) -> Backend:
    from neuro_deploy.backends import loihi2

    return loihi2.Loihi2Backend(options.time_limit)


def _anything(network: "Network") -> str | None:
    return None


def _refused_by_brian2loihi(network: "Network") -> str | None:
    from neuro_deploy.backends import brian2loihi

    return brian2loihi.refusal(network)


@dataclass(frozen=True)
class Entry:
    """A backend that can be chosen by its name.

    Attributes:
        make: makes it.
        about: what it is, in a few words.
        package: what it needs beside the core, see :data:`neuro_deploy.extras.EXTRAS`.
        checked: a simulation without a chosen backend runs it too and compares it with the reference.
        samples: how many it runs if nothing else is said, since each takes it seconds; None: all there are.
        any_layer: it runs layers that are not plain, see :class:`neuro_deploy.ir.chain.Layer`.
        delayed_loops: it runs recurrent layers with delays, which lava-dl cannot load.
        refuses: what else keeps it from running a network of layers that it runs, or None.
    """

    make: Callable[[Options], Backend]
    about: str
    package: str | None = None
    checked: bool = True
    samples: int | None = None
    any_layer: bool = False
    delayed_loops: bool = False
    refuses: Callable[["Network"], str | None] = _anything


BACKENDS: Mapping[str, Entry] = {
    "integer": Entry(_integer, "the reference: the integer semantics in NumPy", any_layer=True, delayed_loops=True),
    "torch": Entry(_torch, "the trained model's own evaluation pass", package="torch"),
    "fast": Entry(_fast, "the integer semantics compiled", any_layer=True, delayed_loops=True),
    "lava-fused": Entry(_lava_fused, "the network as one process in Lava", package="lava", any_layer=True),
    "lava": Entry(_lava, "stock Lava", package="lava", samples=16, any_layer=True),
    "brian2loihi": Entry(
        _brian2loihi,
        "brian2-loihi, an independent emulator",
        package="brian2_loihi",
        samples=2,
        refuses=_refused_by_brian2loihi,
    ),
    "sanafe": Entry(_sanafe, "our spikes replayed in SANA-FE's Loihi 1", package="sanafe", checked=False, samples=16),
    "loihi2": Entry(_loihi2, "the chip, through Lava", checked=False, any_layer=True),
}
"""Every backend that returns a trace, by its name; the reference comes first."""


_DEFAULTS = Options()

_Entry = TypeVar("_Entry")


def find(name: str, entries: Mapping[str, _Entry]) -> _Entry:
    """The entry of a backend in a table of names.

    Raises:
        BackendError: there is none of that name.
    """
    if name not in entries:
        raise BackendError(f"backend {name!r} is unknown: use one of {', '.join(sorted(entries))}")
    return entries[name]


def refusal(name: str, network: "Network") -> str | None:
    """What keeps a backend from running a network; None if nothing is known to.

    Args:
        name: one of :data:`BACKENDS`.
        network: what it is to run.
    """
    entry, chain = find(name, BACKENDS), network.chain
    who = ", ".join(other for other, one in BACKENDS.items() if one.any_layer and one.delayed_loops)
    for index, layer in enumerate(chain.layers):
        delayed = any(connection.longest for connection in layer.connections)
        if delayed and len(layer.connections) > 1 and not entry.delayed_loops:
            return f"layer {index} ({layer.kind}) is recurrent and has delays, which only {who} can run"
    if chain.special is not None and not entry.any_layer:
        able = ", ".join(other for other, one in BACKENDS.items() if one.any_layer)
        return f"{chain.special}, which only {able} can run"
    return entry.refuses(network)


def require_able(name: str, network: "Network") -> None:
    """Refuse a network that a backend cannot run.

    Raises:
        BackendError: see :func:`refusal`.
    """
    if (reason := refusal(name, network)) is not None:
        raise BackendError(f"{name}: {reason}")


def create(name: str, options: Options = _DEFAULTS) -> Backend:
    """Make a backend.

    Args:
        name: one of :data:`BACKENDS`.
        options: what some of them need.

    Raises:
        BackendError: there is none of that name.
    """
    return find(name, BACKENDS).make(options)
