"""A network with its samples and what can run it: the one place where the models of ``training`` and the backends meet."""

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from neuro_deploy import extras
from neuro_deploy.backends import BACKENDS, Backend, Options, create, find, refusal
from neuro_deploy.ir.inputs import Samples
from neuro_deploy.netx import require_checkpoint
from neuro_deploy.verify.parallel import InParts
from neuro_deploy.workbench.opening import Feed, open_network
from neuro_deploy.workbench.samples import Source, configuration, samples

if TYPE_CHECKING:
    from neuro_deploy.backends.host import HostRun
    from neuro_deploy.backends.torch import Evaluate

OWN = Source()
"""The network's own data."""

AS_IT_IS = Feed()
"""Nothing is said of how a network is fed."""


class Workbench:
    """A network with its samples and the backends that can run it.

    Args:
        model: the NetX file.
        source: where the samples are from.
        time_limit: seconds that Lava may take for one sample.
        feed: how a NetX file without a manifest is fed.

    Raises:
        ModelFileError: the network is missing or damaged.
        ConfigError: the settings that it was trained with are not those of a task.
    """

    def __init__(self, model: Path, source: Source = OWN, time_limit: float = 120.0, feed: Feed = AS_IT_IS) -> None:
        self.network = open_network(model, source, feed)
        self.settings = configuration(self.network)
        self.source = source
        self._options = Options(time_limit, load_model)

    @cached_property
    def samples(self) -> Samples:
        """The samples, at least those that are used, read when they are first asked for.

        See :func:`neuro_deploy.workbench.samples.samples` for the errors.
        """
        return samples(self.network, self.source)

    def backend(self, name: str, parts: int = 1) -> Backend:
        """A backend by its name, which runs its samples in so many parts.

        Raises:
            BackendError: there is none of that name.
        """
        find(name, BACKENDS)
        return InParts(partial(create, name, self._options), parts)  # made where a part runs

    def checked(self) -> tuple[list[str], dict[str, str]]:
        """The backends of the reference check that can run here, and why the others are left out, by name.

        Raises:
            ModelFileError: the network was exported with a checkpoint, which is missing or is another.
        """
        names, left_out = [], {}
        for name, entry in BACKENDS.items():
            if not entry.checked:
                continue
            if entry.package is not None and not extras.present(entry.package):
                left_out[name] = extras.advice(entry.package)
            elif name == "torch" and not self.trained:
                left_out[name] = "the network was made without a checkpoint"
            elif (reason := refusal(name, self.network)) is not None:
                left_out[name] = reason
            else:
                names.append(name)
        if "torch" in names:
            require_checkpoint(self.network)  # before the reference takes its minutes
        return names, left_out

    @property
    def trained(self) -> bool:
        """The network was exported with its checkpoint."""
        hashes = self.network.manifest.sha256
        return hashes is not None and hashes.checkpoint is not None

    def unquantised_accuracy(self, number: int | None) -> float | None:
        """Accuracy of the checkpoint with real-valued weights on the first samples; None without checkpoint, labels or torch.

        Raises:
            ModelFileError: the checkpoint is missing or damaged.
        """
        samples = self.samples.first(number)
        if samples.labels is None or not self.trained or not extras.present("torch"):
            return None
        from neuro_deploy.training.checkpoint import read
        from neuro_deploy.training.deploy import answers

        model = read(require_checkpoint(self.network)).network()
        return samples.accuracy(answers(model, samples.encoded, quantised=False))

    def time(self, name: str) -> "tuple[HostRun, ...]":
        """The models in torch, with and without spikes, timed on a device of this machine.

        Raises:
            BackendError: there is none of that name, or this machine has not got it.
            ModelFileError: the checkpoint is missing or damaged.
        """
        from neuro_deploy.backends.host import BATCH, HOSTS, measure
        from neuro_deploy.workbench.hosts import load_models

        device = find(name, HOSTS).device
        models = load_models(require_checkpoint(self.network), device)
        return measure(name, models, self.samples.encoded[:BATCH])


def load_model(path: Path) -> "Evaluate":
    """The evaluation pass of a checkpoint; imports torch where it is called, which may be another process.

    Raises:
        ModelFileError: the checkpoint is missing, damaged or of another architecture.
    """
    from neuro_deploy.training.deploy import load_evaluator

    return load_evaluator(path)
