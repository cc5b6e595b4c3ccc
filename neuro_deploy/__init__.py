"""From a trained spiking network to a checked and measured deployment, not one spike lost."""

from importlib.metadata import version

__version__ = version("neuro-deploy")
