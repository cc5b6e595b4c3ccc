"""The batch engine: a chain over many samples, event by event, compiled, on all cores.

Importing this package imports Numba.
"""

import numba

from neuro_deploy.engine.plan import LayerPlan, make_plan
from neuro_deploy.engine.run import run_chain

__all__ = ["THREADS", "LayerPlan", "make_plan", "run_chain"]

THREADS = int(numba.config.NUMBA_NUM_THREADS)
"""As many as this process may use cores, or the environment variable of the same name."""
