"""From a trained spiking network to a checked and measured deployment, not one spike lost."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("neuro-deploy")
except PackageNotFoundError:  # imported from its folder, as by a Python that has nothing but Lava
    __version__ = "unknown"
