"""The small convolution, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.imaging import convolution


def test_by_hand() -> None:
    image = np.arange(16.0).reshape(4, 4)
    kernel = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 2.0]])
    # Upper left of the window once, lower right twice: not turned round.
    expected = [[0 + 2 * 10, 1 + 2 * 11], [4 + 2 * 14, 5 + 2 * 15]]
    assert convolution.correlate(image, kernel, 0.5) == pytest.approx(
        np.array(expected) + 0.5
    )


def test_edges_of_a_step() -> None:
    image = np.zeros((5, 6))
    image[:, 3:] = 1
    edges = np.array(convolution.KERNELS["Vertical edges"])
    assert convolution.correlate(image, edges)[0].tolist() == [0, 4, 4, 0]
    flat = np.array(convolution.KERNELS["Horizontal edges"])
    assert not convolution.correlate(image, flat).any()


def test_as_grey() -> None:
    shown = convolution.as_grey(np.array([[-1.0, 0.0], [1.0, 1.0]]))
    assert shown[..., 0].tolist() == [[0, 128], [255, 255]]
    assert (convolution.as_grey(np.ones((2, 2))) == 128).all()
