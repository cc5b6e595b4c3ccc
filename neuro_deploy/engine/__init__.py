"""The batch engine: a chain over many samples, event by event, compiled, on all cores.

Importing this package imports Numba.
"""

from neuro_deploy.compiling import THREADS
from neuro_deploy.engine.plan import LayerPlan, Plan, make_plan
from neuro_deploy.engine.run import run_chain

__all__ = ["THREADS", "LayerPlan", "Plan", "make_plan", "run_chain"]
