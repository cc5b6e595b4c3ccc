"""The Legendre memory as what it is for a spike train: a fixed linear filter bank."""

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.signal import cont2discrete


def state_space(order: int, length: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Continuous-time Legendre delay system (Voelker, Kajic, Eliasmith 2019, equations 1 to 3).

    ``dm/dt = A m + B u`` with ``A[i, j] = (2i + 1) / length * (-1 if i < j else (-1)^(i - j + 1))`` and
    ``B[i] = (2i + 1) (-1)^i / length``.

    Args:
        order: number of polynomials.
        length: the window theta, in steps.

    Returns:
        A [order, order] and B [order, 1], per step.
    """
    i, j = np.indices((order, order))
    rows = (2 * np.arange(order)[:, None] + 1) / length
    a = rows * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    b = rows * (-1.0) ** np.arange(order)[:, None]
    return a, b


def discretise(order: int, length: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The memory's recurrence ``m[t] = A m[t-1] + B u[t]``: :func:`state_space` after zero-order hold with steps of 1.

    Returns:
        A [order, order] and B [order].
    """
    a, b = state_space(order, length)
    a, b, *_ = cont2discrete((a, b, np.eye(order), np.zeros((order, 1))), dt=1.0, method="zoh")
    return a, b[:, 0]


@functools.lru_cache(maxsize=4)  # each block of a model has the same
def impulse_response(order: int, length: int, steps: int | None = None) -> NDArray[np.float64]:
    """The memory's answer to one spike, ``H[:, l] = A^l B`` with the A and B of :func:`discretise`.

    For samples of at most ``steps`` steps, filtering with H equals the recurrent form. In integers it is the safer form: it has no
    feedback, so rounding cannot make it unstable.

    Args:
        order: number of polynomials.
        length: the window theta, in steps.
        steps: of the answer; ``length`` if None.

    Returns:
        float64 [order, steps].
    """
    a, b = discretise(order, length)
    columns = [b]
    for _ in range((length if steps is None else steps) - 1):
        columns.append(a @ columns[-1])
    return np.stack(columns, axis=1)
