"""Signed square root of pooled features, its inverse and its mean slope."""

from __future__ import annotations

from typing import Any

import keras

SOFT = 1e-3
"""Keeps the slope at 0 finite."""


def signed_sqrt(features: Any) -> Any:
    """Roots of the features, so that few large ones do not rule.

    Perronnin et al. 2010, "Improving the Fisher Kernel for Large-Scale Image
    Classification", ECCV, 3.2.

    Args:
        features: (n, d).
    """
    return features * keras.ops.rsqrt(keras.ops.absolute(features) + SOFT)


def signed_square(roots: Any) -> Any:
    """The inverse of `signed_sqrt`, for any shape."""
    square = roots * roots
    size = (square + keras.ops.sqrt(square * (square + 4 * SOFT))) / 2
    return keras.ops.sign(roots) * size


def secants(roots: Any, usual: Any) -> tuple[Any, Any]:
    """How steep the root is on the way from usual features to these.

    Args:
        roots: (n, d) after the root.
        usual: (d,) the same of a usual image.

    Returns:
        Mean slope on the way divided by the slope at its end, (n, d), and the usual
        features before the root, (d,).
    """
    before, usual_before = signed_square(roots), signed_square(usual)
    size = keras.ops.absolute(before)
    slope = (size / 2 + SOFT) * (size + SOFT) ** -1.5
    step = before - usual_before
    same = keras.ops.absolute(step) < 1e-4
    mean = (roots - usual) / keras.ops.where(same, 1.0, step)
    return keras.ops.where(same, 1.0, mean / slope), usual_before
