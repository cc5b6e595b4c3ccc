"""A network with its test data and what can run it: the one place where the models of ``training`` and the backends meet."""

from pathlib import Path
from typing import Any

from neuro_deploy.errors import ConfigError


class Workbench:
    """A network with its test data and the backends that can run it."""

    def __init__(self, model: Path, time_limit: float) -> None:
        from neuro_deploy.netx import load_network
        from training.config import parse
        from training.data import load_data

        self.network = load_network(model)
        manifest = self.network.manifest
        settings = parse(manifest.settings, f"in {model.with_suffix('.json')}")
        self.test = load_data(settings.data).test
        self.labels = self.test.labels
        self.time_limit = time_limit

    def first(self, number: int) -> tuple[Any, Any]:
        """The first test samples and their labels."""
        if number > len(self.labels):
            raise ConfigError(f"{number} samples asked for, the test set has {len(self.labels)}: ask for fewer")
        return self.test.samples[:number], self.test.labels[:number]

    def backend(self, name: str, parts: int = 1) -> Any:
        """A backend by its name, which runs its samples in so many parts."""
        from neuro_deploy.backends import BACKENDS, Factories, create
        from neuro_deploy.backends.lava import LavaBackend
        from neuro_deploy.backends.torch import TorchBackend
        from neuro_deploy.parallel import InParts
        from training.deploy import load_evaluator

        limit = self.time_limit  # a factory goes to other processes: without the test data
        own: Factories = {
            "torch": lambda: TorchBackend(load_evaluator),
            "lava": lambda: LavaBackend(limit),
            "lava-fused": lambda: LavaBackend(limit, fused=True),
        }
        factories = {**BACKENDS, **own}
        create(name, factories)  # refuses an unknown name
        return InParts(factories[name], parts)  # alone: with all of them, each process would import torch
