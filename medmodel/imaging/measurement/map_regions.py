"""Regions of a saliency map: where it exceeds a threshold.

They show where a network was sensitive; nothing in them knows where a lesion ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medmodel.core.processes import sandbox
from medmodel.imaging.measurement.shapes import PixelSize, Point, Shape, area
from medmodel.language import _

Places = npt.NDArray[np.float64]
_SQUARE = PixelSize(1.0, 1.0)
_SMOOTH = 0.25
"""Cells of the map by which an outline may be off, so that it has fewer points."""


@dataclass(frozen=True)
class MapRegion:
    """One connected region; points are in pixels of the image as it is shown.

    Args:
        outline: A polygon around it. What it surrounds belongs to it.
        box: Left, top, width and height of the box around it.
        longest: Both ends of its longest diameter.
        perpendicular: Both ends of the longest diameter at right angles to that.
    """

    outline: Shape
    box: tuple[float, float, float, float]
    longest: Shape
    perpendicular: Shape


def map_regions(
    heatmap: npt.NDArray[np.float32],
    threshold: float,
    place: tuple[float, float, float, float],
    size: tuple[int, int],
    most: int = 3,
) -> list[MapRegion]:
    """The largest connected regions in which a map reaches a share of its maximum.

    Args:
        heatmap: (height, width), 0 or more.
        threshold: Share of the map's maximum on the image, above 0 to 1.
        place: Left, top, width and height of the map in pixels of the image; it may
            reach beyond the image, whose outside does not count.
        size: Width and height of the image in pixels.
        most: Regions at most.

    Returns:
        The largest first; none of an empty map.
    """
    answer = sandbox.ask(
        f"{__name__}:read",
        np.ascontiguousarray(heatmap, np.float32).tobytes(),
        _("The saliency map"),
        seconds=sandbox.PAGE_SECONDS,
        shape=heatmap.shape,
        threshold=threshold,
        place=place,
        size=size,
    )
    outlines = [np.array(points) for points in answer["outlines"]]
    regions = [_region(points) for points in outlines]
    regions.sort(key=lambda region: -area(region.outline, _SQUARE))
    return regions[:most]


def read(
    data: bytes,
    name: str,
    shape: tuple[int, int],
    threshold: float,
    place: tuple[float, float, float, float],
    size: tuple[int, int],
) -> dict[str, Any]:
    """What the sandbox runs: the outer outline of each region."""
    from skimage.measure import approximate_polygon, find_contours

    heatmap = np.frombuffer(data, np.float32).reshape(shape)
    left, top, width, height = place
    across = left + (np.arange(shape[1]) + 0.5) * width / shape[1]
    down = top + (np.arange(shape[0]) + 0.5) * height / shape[0]
    on_image = (
        ((down > 0) & (down < size[1]))[:, None] & (across > 0) & (across < size[0])
    )
    shown = np.where(on_image & np.isfinite(heatmap), heatmap, 0)
    highest = float(shown.max())
    if highest <= 0:
        return {"outlines": []}
    # Around the map there is nothing, so that every outline is closed.
    level = threshold * highest * (1 - 1e-6)
    outlines = []
    for contour in find_contours(np.pad(shown, 1), level, positive_orientation="high"):
        points = approximate_polygon(contour, _SMOOTH)[:-1]
        if len(points) < 3 or _signed_area(points) >= 0:
            continue  # around a hole
        # Row and column of the padded map -> x and y of the image.
        x = left + (points[:, 1] - 0.5) * width / shape[1]
        y = top + (points[:, 0] - 0.5) * height / shape[0]
        on_edge = np.column_stack([x.clip(0, size[0]), y.clip(0, size[1])])
        outlines.append(on_edge.round(3).tolist())
    return {"outlines": outlines}


def _signed_area(points: Places) -> float:
    row, column = (points - points[0]).T
    return float(column @ np.roll(row, -1) - row @ np.roll(column, -1))


def _region(points: Places) -> MapRegion:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    longest = longest_diameter(points)
    return MapRegion(
        outline=_shape("polygon", points),
        box=(float(left), float(top), float(right - left), float(bottom - top)),
        longest=_shape("line", longest),
        perpendicular=_shape("line", perpendicular_diameter(points, longest)),
    )


def _shape(kind: Any, points: Places) -> Shape:
    pairs: list[Point] = [(float(x), float(y)) for x, y in points]
    return Shape(kind, tuple(pairs))


def longest_diameter(points: Places) -> Places:
    """The two points that are farthest apart, shape (2, 2)."""
    apart = points[:, None] - points[None]
    distances = (apart**2).sum(axis=2)
    return points[list(np.unravel_index(distances.argmax(), distances.shape))]


def perpendicular_diameter(points: Places, longest: Places) -> Places:
    """The ends of the longest chord at right angles to a line, shape (2, 2).

    The length of a chord changes evenly between corners, so the longest ends in one.
    """
    along = longest[1] - longest[0]
    along = along / np.hypot(*along)
    axes = np.array([along, (-along[1], along[0])])
    t, n = axes @ points.T
    next_t, next_n = np.roll(t, -1), np.roll(n, -1)
    spans = (np.minimum(t, next_t)[None] <= t[:, None]) & (
        t[:, None] <= np.maximum(t, next_t)[None]
    )
    steps = np.where(next_t == t, 1.0, next_t - t)
    crossings = n + (t[:, None] - t) / steps * (next_n - n)
    low = np.where(spans, crossings, np.inf).min(axis=1)
    high = np.where(spans, crossings, -np.inf).max(axis=1)
    widest = int((high - low).argmax())
    ends = np.array([[t[widest], low[widest]], [t[widest], high[widest]]])
    return np.asarray(ends @ axes)
