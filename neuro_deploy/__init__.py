"""From a trained spiking network to a checked and measured deployment, not one spike lost.

The functions here are the public interface; docs/python.md shows them at work. What they need is imported when they are
called, so that importing this package takes no time and asks for nothing that a program does not use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from torch.nn import Module

    from neuro_deploy.ir.graph import Graph
    from neuro_deploy.ir.network import Network
    from neuro_deploy.ir.trace import Trace
    from neuro_deploy.measure.counts import Counts
    from neuro_deploy.measure.energy.model import Energy
    from neuro_deploy.verify.check import Comparison
    from neuro_deploy.workbench.slayer.compare import SlayerCheck

    __version__: str

__all__ = ["__version__", "accuracy", "check", "check_slayer", "count", "encode", "energy", "load", "lower", "run", "save"]


def load(
    net: "str | Path", steps: int | None = None, *, message_bits: int = 0, input_shape: "tuple[int, int, int] | None" = None
) -> "Network":
    """Read a network: one of this project's, with its manifest beside it, or any that stock Lava loads.

    Args:
        net: path of the NetX file; its manifest, ``.json`` of the same stem, stands beside it.
        steps: T, of a sample, for a file without a manifest; the other two are for such a file too.
        message_bits: of the input's messages; 0: each counts once where it is not 0.
        input_shape: (width, height, channels) of the input, where the file does not say it.

    Raises:
        ModelFileError: a file is missing, damaged or does not belong to the other, or holds what stock Lava does not run.
        ConfigError: steps, bits or a shape that nothing can have.
    """
    from pathlib import Path

    from pydantic import ValidationError

    from neuro_deploy.errors import ConfigError, problems
    from neuro_deploy.ir.manifest import Loading
    from neuro_deploy.netx import Use, adopt, load_network

    if steps is None:
        return load_network(Path(net))
    try:
        return adopt(Path(net), Use(steps, message_bits, Loading(input_shape=input_shape or ())))[0]
    except ValidationError as error:
        raise ConfigError(f"{net}: {problems(error)}") from error


def lower(
    graph: "Graph",
    steps: int,
    *,
    name: str = "network",
    classes: "Sequence[str] | None" = None,
    message_bits: int = 8,
    scale: float = 1.0,
    offset: float = 0.0,
    clip: bool = False,
    logit: int | None = None,
) -> "Network":
    """Lower a graph of populations to the chain of layers that the chip runs.

    Args:
        graph: what to lower; see :mod:`neuro_deploy.ir.graph`.
        steps: T, of a sample.
        name: of the network.
        classes: names, one for each neuron of the read-out; their numbers if not given.
        message_bits: of a graded spike of the input.
        scale: a number ``x`` of the data is fed as the integer ``round((x - offset) * scale)``.
        offset: see there.
        clip: clip integers to what a message carries; otherwise samples beyond it are refused.
        logit: voltage of the read-out for a logit of 1, which says what a confidence is; without it nothing answers early.

    Raises:
        RuleError: the graph cannot be lowered, or the chain breaks rules of the chip; lists all that is wrong.
        InputError: the classes or the encoder do not fit.
    """
    from pydantic import ValidationError

    from neuro_deploy.errors import InputError, problems
    from neuro_deploy.ir.manifest import Description, Encoder
    from neuro_deploy.ir.network import Network
    from neuro_deploy.loihi import rules
    from neuro_deploy.lowering import lower as to_chain

    chain = to_chain(graph)
    names = tuple(classes) if classes is not None else tuple(str(number) for number in range(chain.readout.size))
    try:
        encoder = Encoder(message_bits=message_bits, scale=scale, offset=offset, clip=clip)
        network = Network.of(chain, Description(name, names, encoder, steps, logit=logit))
    except ValidationError as error:
        raise InputError(f"network {name}: {problems(error)}") from error
    rules.check(chain, message_bits=message_bits, steps=steps)
    return network


def save(network: "Network", net: "str | Path") -> "Network":
    """Check a network against the chip's rules and write it, all files or none.

    Args:
        network: in memory, or read from other files.
        net: path of the NetX file; the manifest goes to ``.json`` of the same stem.

    Returns:
        The network as it is in the files.

    Raises:
        RuleError: the chain breaks rules; lists all of them.
        OutputError: a file cannot be written; none has changed.
    """
    from pathlib import Path

    from neuro_deploy.netx import save_network

    return save_network(network, Path(net))


def encode(network: "Network", samples: "ArrayLike") -> "NDArray[np.int32]":
    """Turn samples into the graded integers that a network reads, by the encoder that its manifest describes.

    Args:
        network: what reads them.
        samples: numbers [samples, T, channels] in the data's own unit.

    Returns:
        int32 [samples, T, channels].

    Raises:
        InputError: another shape or type, or a value that the encoder does not take.
    """
    return network.signature.encode(samples)


def run(network: "Network", encoded: "ArrayLike", backend: str = "fast", *, time_limit: float = 120.0) -> "Trace":
    """Run samples on a backend, from rest, and record every spike.

    Args:
        network: what to run.
        encoded: integers [samples, T, channels], see :func:`encode`.
        backend: one of :data:`neuro_deploy.backends.BACKENDS`; ``integer`` is the reference, ``fast`` the same compiled.
        time_limit: seconds that Lava may take for one sample.

    Raises:
        InputError: the samples do not fit the network.
        BackendError: there is no such backend, or it cannot run here.
        MissingPackageError: what it needs is not installed.
    """
    from neuro_deploy.backends import Options, create
    from neuro_deploy.workbench.bench import load_model

    return create(backend, Options(time_limit, load_model)).run(network, network.signature.accept(encoded))


def check(reference: "Trace", trace: "Trace") -> "Comparison":
    """Compare two runs of the same samples: every spike of every population, and every read-out.

    Args:
        reference: taken as true.
        trace: the run to be checked; it may have fewer samples, from the first.

    Returns:
        ``.equal`` says whether not one value differs, ``.first`` where the two part first; printed, it is one line.

    Raises:
        InputError: the traces are of different inputs or networks.
    """
    from neuro_deploy.verify.check import compare

    return compare(reference, trace)


def check_slayer(module: "Module", network: "Network", x: "ArrayLike") -> "SlayerCheck":
    """Find where a SLAYER model is lost on its way to Lava: every block held against its layer of the NetX file.

    Args:
        module: of blocks of ``lava.lib.dl.slayer.block``; it stays as it is.
        network: what was exported from it.
        x: numbers [samples, steps, channels], or [samples, steps, width, height, channels], as the module reads them.

    Returns:
        ``.equal`` says whether not one message differs, ``.rows`` how many of each block, ``.first`` where they part first,
        ``.around`` the states there, ``.causes`` the likely reasons; printed, it is one line.

    Raises:
        InputError: the blocks do not match the layers, or the samples do not fit.
        MissingPackageError: torch or lava-dl is not installed.
    """
    from neuro_deploy import extras

    extras.require("torch", "lava")
    from neuro_deploy.workbench.slayer.compare import check_slayer as checked

    return checked(module, network, x)


def count(network: "Network", trace: "Trace") -> "Counts":
    """Count the events of a run: spikes, synaptic operations, updates, packets, messages; exact integers for each sample.

    Args:
        network: what ran.
        trace: its record.
    """
    from neuro_deploy.measure.counts import count as counted

    return counted(trace, network.chain)


def energy(counts: "Counts", table: str) -> "Energy":
    """Model the energy of one inference: counts times published costs, mean of the samples, in J.

    Args:
        counts: of a backend that runs the chain.
        table: name of a cost table, see :func:`neuro_deploy.measure.energy.tables.names`, or path of a ``.toml`` file.

    Raises:
        ConfigError: there is no such table, or it is not one.
        InputError: the counts are of a backend that runs the model and not the chain.
    """
    from neuro_deploy.measure.energy.model import energy as modelled
    from neuro_deploy.measure.energy.tables import load_table

    return modelled(counts, load_table(table))


def accuracy(trace: "Trace", labels: "ArrayLike") -> float:
    """Share of samples whose largest read-out is their label's.

    Args:
        trace: a run.
        labels: integers [samples].

    Raises:
        InputError: not one label for each sample.
    """
    return trace.accuracy(labels)


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: the look-up takes longer than everything else here."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("neuro-deploy")
    except PackageNotFoundError:  # imported from its folder, as by a Python that has nothing but Lava
        return "unknown"
