"""Recognition step by step against whole samples."""

import nets
import numpy as np

from neuro_deploy.lowering import lower
from neuro_deploy.semantics import Stepwise, run_chain


def test_a_chain_step_by_step_is_the_chain() -> None:
    graph = nets.tiny()
    chain = lower(graph)
    rng = np.random.default_rng(0)
    injected = rng.integers(0, 8, (1, 30, chain.input_size)).astype(np.int64)
    *_, last = run_chain(chain, injected)
    assert last.voltages is not None
    stepwise = Stepwise(chain)
    for step in range(30):
        stepwise.step(injected[0, step])
        assert np.array_equal(stepwise.voltage, last.voltages[0, step])
    assert np.unique(last.voltages).size > 5
