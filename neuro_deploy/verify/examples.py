"""The samples that a network's file carries: put there with the reference's read-outs, and held against them."""

from neuro_deploy.backends.integer import IntegerBackend
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.ir.network import Network
from neuro_deploy.verify.check import Comparison, read_outs

FILE = "its file"
"""What a comparison calls the read-outs that the file carries."""


def carry(network: Network, samples: Samples) -> Network:
    """The network with samples and what the integer reference answers.

    Args:
        network: what answers.
        samples: a few.
    """
    return network.with_examples(samples, IntegerBackend().run(network, samples.encoded).readout)


def recall(network: Network) -> Comparison | None:
    """Hold the integer reference against the read-outs that the network's file carries; None where it carries none.

    Raises:
        ModelFileError: what it carries does not fit the network.
    """
    carried = network.examples()
    if carried is None:
        return None
    samples, expected = carried
    trace = IntegerBackend().run(network, samples.encoded)
    return read_outs(FILE, expected, trace)
