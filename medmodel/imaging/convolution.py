"""A small convolution by hand: what the first layer of a network does, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medmodel.language import N_

KERNELS: dict[str, list[list[float]]] = {
    N_("Vertical edges"): [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    N_("Horizontal edges"): [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    N_("Smooth"): [[0.11, 0.11, 0.11], [0.11, 0.12, 0.11], [0.11, 0.11, 0.11]],
    N_("Sharpen"): [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    N_("All directions"): [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    N_("Nothing"): [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}


def correlate(
    image: NDArray[np.floating], kernel: NDArray[np.floating], bias: float = 0.0
) -> NDArray[np.float64]:
    """What deep learning calls a convolution: the kernel is not turned round.

    Args:
        image: (height, width).
        kernel: (3, 3), whose rows and columns lie as they are written.
        bias: Added to every number.

    Returns:
        (height - 2, width - 2): only where the kernel lies wholly within the image.
    """
    from scipy.signal import correlate2d

    response: NDArray[np.float64] = correlate2d(image, kernel, mode="valid") + bias
    return response


def as_grey(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers as an image: the lowest black, the highest white; grey where all equal.

    Args:
        values: (height, width).

    Returns:
        uint8 (height, width, 1).
    """
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-12:
        return np.full((*values.shape, 1), 128, np.uint8)
    scaled = 255 * (values - low) / (high - low)
    return scaled.round().astype(np.uint8)[..., None]
