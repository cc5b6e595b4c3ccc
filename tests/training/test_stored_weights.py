"""What the loader stores: ours against lava-dl's and Lava's own functions."""

import lava_reference
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuro_deploy.loihi.weights import stored_weights

pytestmark = pytest.mark.filterwarnings(
    "ignore:divide by zero:RuntimeWarning"
)  # optimize_weight_bits, when the largest weight is 0


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None]:
    """Pairs with all the signs, common factors and edges that change how they are stored."""
    rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    step = draw(st.sampled_from([1, 2, 4, 16, 64, 128]))
    values = st.sampled_from([-256, -255, -128, -64, -1, 0, 1, 127, 128, 254, 255]) | st.integers(-256, 255)

    def matrix(width: int) -> np.ndarray:
        sign = draw(st.sampled_from([None, 1, -1]))
        numbers = np.array(draw(st.lists(values, min_size=rows * width, max_size=rows * width)), np.int64)
        numbers = numbers if sign is None else sign * np.abs(numbers)
        return (numbers // step * step).reshape(rows, width)

    weight = matrix(columns)
    return weight, draw(st.sampled_from([None, matrix(rows)]))


@settings(max_examples=400)
@given(matrices())
def test_equals_the_loader(pair: tuple[np.ndarray, np.ndarray | None]) -> None:
    weight, weight_rec = pair
    joint = weight if weight_rec is None else np.hstack((weight, weight_rec))
    assume(joint.any())
    assume(joint.max() <= 255)
    stored, stored_rec = stored_weights(weight, weight_rec)
    expected, expected_rec = lava_reference.stored(weight, weight_rec)
    assert (stored == expected).all()
    assert (stored_rec is None) == (expected_rec is None)
    if stored_rec is not None:
        assert (stored_rec == expected_rec).all()


def test_even_mixed_weights_are_kept() -> None:
    weight = np.array([[-256, 254], [2, 0]])
    assert (stored_weights(weight, None)[0] == weight).all()


def test_a_submatrix_without_positive_weights_loses_its_lowest() -> None:
    stored, _ = stored_weights(np.array([[-256]]), np.array([[254]]))
    assert stored.tolist() == [[-255]]


def test_a_matrix_of_zeros_is_refused_here_and_there() -> None:
    with pytest.raises(ValueError, match="zeros"):
        stored_weights(np.zeros((2, 2), np.int64), None)
    with pytest.raises(OverflowError):
        lava_reference.stored(np.zeros((2, 2), np.int64), None)
