"""Write and read NetX files and the manifest and checkpoint beside them."""

from neuro_deploy.netx.network import Network, load_network, save_network
from neuro_deploy.netx.reading import read
from neuro_deploy.netx.writing import image, write

__all__ = ["Network", "image", "load_network", "read", "save_network", "write"]
