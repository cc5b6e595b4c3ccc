"""Write and read NetX files and the manifest and checkpoint beside them."""

from neuro_deploy.netx.adoption import Use, adopt
from neuro_deploy.netx.network import content, digest, load_network, require_checkpoint, save_manifest, save_network
from neuro_deploy.netx.reading import read
from neuro_deploy.netx.writing import image, write

__all__ = [
    "Use",
    "adopt",
    "content",
    "digest",
    "image",
    "load_network",
    "read",
    "require_checkpoint",
    "save_manifest",
    "save_network",
    "write",
]
