"""A chain as NetX HDF5, the form that ``lava.lib.dl.netx.hdf5.Network`` loads.

The names are those that lava-dl's own export writes (``lava/lib/dl/slayer/block/base.py``, 0.6.0) ::

    /layer/<k>/type, shape, inFeatures, outFeatures, weight [, weight_rec] [, bias]
    /layer/<k>/neuron/type, iDecay, vDecay, vThMant, refDelay, gradedSpike

There is no ``input`` layer: a loader needs none when the first layer is dense, and so layer ``k`` of the file is layer ``k``
of the chain.
"""

import io
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from neuro_deploy.files import write_atomically
from neuro_deploy.ir.chain import Chain, Layer


def write(chain: Chain, path: Path) -> None:
    """Write a chain as a NetX file.

    Args:
        chain: layers that keep the rules.
        path: the file, usually with the suffix ``.net``.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, image(chain))


def image(chain: Chain) -> bytes:
    """The bytes of the NetX file: the same for equal chains, so that hashes can be compared."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for index, layer in enumerate(chain.layers):
            _write_layer(file.create_group(f"layer/{index}"), layer)
    return buffer.getvalue()


def _write_layer(group: h5py.Group, layer: Layer) -> None:
    # The loader takes the first element of an array of fixed-length strings, as lava-dl writes them.
    _put(group, "type", np.array([layer.kind.encode("ascii")], "S10"))
    _put(group, "shape", np.array([layer.size], np.int64))
    _put(group, "inFeatures", np.int64(layer.weight.shape[1]))
    _put(group, "outFeatures", np.int64(layer.size))
    _put_matrix(group, "weight", layer.weight)
    if layer.weight_rec is not None:
        _put_matrix(group, "weight_rec", layer.weight_rec)
    if layer.bias is not None:
        _put(group, "bias", layer.bias)
    neuron = group.create_group("neuron")
    _put(neuron, "type", np.bytes_(b"CUBA"))
    _put(neuron, "iDecay", np.int64(layer.current_decay))
    _put(neuron, "vDecay", np.int64(layer.voltage_decay))
    _put(neuron, "vThMant", np.int64(layer.threshold))
    _put(neuron, "refDelay", np.int64(1))
    _put(neuron, "gradedSpike", np.bool_(False))


def _put(group: h5py.Group, name: str, value: NDArray[np.generic] | np.generic) -> None:
    # Time stamps would make every file different.
    group.create_dataset(name, data=value, track_times=False)


def _put_matrix(group: h5py.Group, name: str, weight: NDArray[np.int64]) -> None:
    # Most weights of a layer with relays are zero; the loader widens whatever integer it finds.
    group.create_dataset(name, data=weight.astype(np.int16), track_times=False, compression="gzip", shuffle=True)
