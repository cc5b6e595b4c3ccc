"""The chip itself, through Lava's run configuration for it (``Loihi2HwCfg``).

Lava's public release cannot compile for the chip: Intel gives the extension that can (the compiler of neuro-core processes, NxKernel,
the adapters between host and chip) to the members of its neuromorphic research community. Without it this backend says so. This
project has not run it on a chip; that samples reach the network and spikes come back is tested with a stand-in for the extension.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuro_deploy.backends import lava_python
from neuro_deploy.backends.lava import LavaBackend
from neuro_deploy.errors import BackendError
from neuro_deploy.ir.network import Network
from neuro_deploy.ir.trace import Trace


class Loihi2Backend(LavaBackend):
    """Runs the NetX file on a Loihi 2, every layer's spikes read back.

    The board is the one that ``NXSDKHOST`` names by its address; without it SLURM chooses one, of ``PARTITION`` or ``BOARD`` if set.

    Args:
        time_limit: seconds that start-up, or one sample, may take before the run is given up.
    """

    def __init__(self, time_limit: float = 120.0) -> None:
        super().__init__(time_limit)
        self.name = "loihi2"
        self.way = "hardware"

    def run(self, network: Network, encoded: NDArray[np.int32]) -> Trace:
        """Run samples; see :class:`neuro_deploy.backends.Backend`.

        Raises:
            BackendError: Lava's extension for Loihi is missing, no board answers, or the run failed.
        """
        if (reason := missing()) is not None:
            raise BackendError(f"loihi2: {reason}")
        return super().run(network, encoded)


def missing() -> str | None:
    """What keeps this machine from running on a chip; None if nothing is known to.

    Looks for the file that Lava's own ``lava.utils.loihi.is_installed`` looks for, without importing Lava.
    """
    try:
        elsewhere = lava_python.named()
    except BackendError as error:
        return str(error)
    spec = find_spec("lava")
    places = elsewhere.places if elsewhere else [] if spec is None else spec.submodule_search_locations or []
    if any(any(Path(place, "utils").glob("loihi2_profiler*")) for place in places):
        return None
    return (
        "Lava's extension for Loihi (NxKernel and its compiler) is not installed: Intel gives it to members of its neuromorphic "
        "research community (INRC); use lava to simulate the chip"
    )
