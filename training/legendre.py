"""The Legendre memory as what it is for a spike train: a fixed linear filter bank."""

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


def impulse_response(order: int, length: int) -> NDArray[np.float64]:
    """The memory's answer to one spike, ``H[:, l] = A^l B`` after zero-order-hold discretisation with steps of 1.

    For samples of at most ``length`` steps, filtering with H equals the recurrent form ``m[t] = A m[t-1] + B u[t]``. In
    integers it is the safer form: it has no feedback, so rounding cannot make it unstable.

    Returns:
        float64 [order, length].
    """
    a, b = state_space(order, length)
    a, b, *_ = cont2discrete((a, b, np.eye(order), np.zeros((order, 1))), dt=1.0, method="zoh")
    columns = [b[:, 0]]
    for _ in range(length - 1):
        columns.append(a @ columns[-1])
    return np.stack(columns, axis=1)
