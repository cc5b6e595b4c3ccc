"""The networks that are shipped."""

from pathlib import Path

from neuro_deploy.ir.network import Network
from neuro_deploy.netx import load_network

MODELS = Path(__file__).parent.parent / "netx_models"


def network(name: str) -> Network:
    """One of them."""
    return load_network(MODELS / f"{name}.net")
