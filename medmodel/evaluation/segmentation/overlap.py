"""Overlap of two masks: Dice, IoU, lesions that are found, distance of the surfaces.

Names as in Metrics Reloaded (Maier-Hein et al. 2024, Nature Methods 21, 195).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Area = npt.NDArray[np.bool_]
"""(height, width): which pixels belong to a class."""
FOUND = 0.5
"""Share of a lesion that an outline must cover for the lesion to count as found."""
_NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one lesion."""


@dataclass(frozen=True)
class Overlap:
    """How a predicted area agrees with the true one.

    Args:
        dice: 2 |A and B| / (|A| + |B|); not-a-number where there is no true area.
        iou: |A and B| / |A or B|, the Jaccard index; likewise.
        lesions: Connected true areas.
        found: Those of which at least `FOUND` is covered.
        area: True area in pixels.
        predicted_area: Predicted area in pixels.
        hd95: 95th percentile of the distances between the surfaces; not-a-number where
            either area is empty.
    """

    dice: float
    iou: float
    lesions: int
    found: int
    area: int
    predicted_area: int
    hd95: float


def overlap(
    truth: Area, predicted: Area, spacing: tuple[float, float] = (1.0, 1.0)
) -> Overlap:
    """Compares a predicted area with the true one.

    Args:
        truth: (height, width).
        predicted: Likewise.
        spacing: Height and width of a pixel, in the unit of the distances.
    """
    area, predicted_area = int(truth.sum()), int(predicted.sum())
    both = int((truth & predicted).sum())
    lesions, found = _found(truth, predicted)
    return Overlap(
        dice=2 * both / (area + predicted_area) if area else float("nan"),
        iou=both / (area + predicted_area - both) if area else float("nan"),
        lesions=lesions,
        found=found,
        area=area,
        predicted_area=predicted_area,
        hd95=surface_distance(truth, predicted, spacing),
    )


def surface_distance(
    truth: Area, predicted: Area, spacing: tuple[float, float] = (1.0, 1.0)
) -> float:
    """The larger of both directions' 95th percentile of distances (HD95).

    A surface is the pixels of an area with a neighbour at a side that is outside.

    Args:
        truth: (height, width).
        predicted: Likewise.
        spacing: Height and width of a pixel, in the unit of the answer.

    Returns:
        Not-a-number where either area is empty.
    """
    from scipy.ndimage import distance_transform_edt

    if not truth.any() or not predicted.any():
        return float("nan")
    rows, columns = np.nonzero(truth | predicted)
    window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    surfaces = [_surface(area[window]) for area in (truth, predicted)]
    percentiles = []
    for surface, other in (surfaces, surfaces[::-1]):
        distances = distance_transform_edt(~other, sampling=spacing)
        percentiles.append(float(np.percentile(distances[surface], 95)))
    return max(percentiles)


def _surface(area: Area) -> Area:
    from scipy.ndimage import binary_erosion

    return area & ~np.asarray(binary_erosion(area))


def _found(truth: Area, predicted: Area) -> tuple[int, int]:
    """True lesions, and how many of them are covered."""
    from scipy.ndimage import label

    numbers, count = label(truth, _NEIGHBOURS)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    covered = np.bincount(numbers[predicted], minlength=count + 1)[1:]
    return int(count), int((covered >= FOUND * sizes).sum())
