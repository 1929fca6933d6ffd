"""How far an exported model predicts the same as the one that it was made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def agreement(
    predicted: NDArray[Any], expected: NDArray[Any], outlines: bool = False
) -> float:
    """How far two models predict the same, 0 to 1.

    Args:
        predicted: Classes by the one, of images or pixels.
        expected: The same by the other.
        outlines: Whether they are classes of pixels. Most of these are background
            whatever is outlined: then the lowest of the share that is the same, and of
            `foreground_dice`.
    """
    same = float((predicted == expected).mean())
    dice = foreground_dice(predicted, expected) if outlines else None
    return same if dice is None else min(same, dice)


def foreground_dice(predicted: NDArray[Any], expected: NDArray[Any]) -> float | None:
    """The lowest Dice of what is outlined, of all images' pixels together.

    That of the whole foreground, and of each class that the second one outlines.

    Args:
        predicted: Class numbers, 0 for background, of any shape.
        expected: The same by the other model.

    Returns:
        None where neither outlines anything.
    """
    parts = [(predicted > 0, expected > 0)]
    parts += [(predicted == k, expected == k) for k in np.unique(expected) if k]
    values = [
        2 * np.count_nonzero(one & other) / (one.sum() + other.sum())
        for one, other in parts
        if one.any() or other.any()
    ]
    return float(min(values)) if values else None
