"""A network with its test data and what can run it: the one place where the models of ``training`` and the backends meet."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuro_deploy.backends import BACKENDS, Options, create, find
from neuro_deploy.errors import ConfigError
from neuro_deploy.workbench.own_data import own_data

if TYPE_CHECKING:
    from neuro_deploy.backends.host import HostRun
    from neuro_deploy.backends.torch import Evaluate


class Workbench:
    """A network with its test data and the backends that can run it.

    Args:
        model: the NetX file.
        time_limit: seconds that Lava may take for one sample.

    Raises:
        ModelFileError: the network is missing or damaged.
        ConfigError: its settings are not those of a task.
    """

    def __init__(self, model: Path, time_limit: float = 120.0) -> None:
        from neuro_deploy.netx import load_network
        from neuro_deploy.training.config import parse

        self.network = load_network(model)
        manifest = self.network.manifest
        self._settings = parse(manifest.settings, f"in {model.with_suffix('.json')}")
        self.test = own_data(self.network, self._settings).test
        self.labels = self.test.labels
        self.options = Options(time_limit, load_model)

    def first(self, number: int) -> tuple[Any, Any]:
        """The first test samples and their labels.

        Raises:
            ConfigError: there are not so many.
        """
        if number > len(self.labels):
            raise ConfigError(f"{number} samples asked for, the test set has {len(self.labels)}: ask for fewer")
        return self.test.samples[:number], self.test.labels[:number]

    def own_steps(self, number: int) -> Any:
        """Steps of the first test samples that their recordings reach, int64 [samples]; None where the data are no recordings.

        Raises:
            InputError: a recording cannot be read.
        """
        import numpy as np

        from neuro_deploy.audio.recordings import covered_steps
        from neuro_deploy.training.data import load_clips

        spec = self._settings.front_end
        if spec is None:
            return None
        return np.array([covered_steps(clip.path, spec) for clip in load_clips(self._settings.data, "test")[:number]], np.int64)

    def backend(self, name: str, parts: int = 1) -> Any:
        """A backend by its name, which runs its samples in so many parts.

        Raises:
            BackendError: there is none of that name.
        """
        from neuro_deploy.verify.parallel import InParts

        find(name, BACKENDS)
        return InParts(partial(create, name, self.options), parts)  # made where a part runs, without the test data

    def time(self, name: str) -> "tuple[HostRun, ...]":
        """The models in torch, with and without spikes, timed on a device of this machine.

        Raises:
            BackendError: there is none of that name, or this machine has not got it.
            ModelFileError: the checkpoint is missing or damaged.
        """
        from neuro_deploy.backends.host import BATCH, HOSTS, measure
        from neuro_deploy.ir.inputs import encode
        from neuro_deploy.netx import require_checkpoint
        from neuro_deploy.workbench.hosts import load_models

        models = load_models(require_checkpoint(self.network), find(name, HOSTS).device)
        samples, _ = self.first(min(BATCH, len(self.labels)))
        return measure(name, models, encode(samples, self.network.manifest.input))


def load_model(path: Path) -> "Evaluate":
    """The evaluation pass of a checkpoint; imports torch where it is called, which may be another process.

    Raises:
        ModelFileError: the checkpoint is missing, damaged or of another architecture.
    """
    from neuro_deploy.training.deploy import load_evaluator

    return load_evaluator(path)
