"""Shapes drawn on an image: their geometry, and which pixels lie inside.

Points are (x, y) in pixels of the image as it is stored, x to the right and y
downwards from the upper left corner: the middle of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["line", "ellipse", "polygon", "angle"]
Point = tuple[float, float]
Mask = npt.NDArray[np.bool_]

MOST_POINTS = 500
_POINTS = {"line": (2, 2), "ellipse": (2, 2), "angle": (3, 3)}
_FARTHEST = 1e6
"""Pixels from the corner beyond which no image reaches."""


@dataclass(frozen=True)
class Shape:
    """One shape.

    Args:
        kind: What it is.
        points: Both ends of a line; two opposite corners of the box around an ellipse
            whose axes are those of the image; the corners of a polygon; a point on
            one leg of an angle, its vertex, a point on the other leg.
    """

    kind: Kind
    points: tuple[Point, ...]

    def scaled(self, across: float, down: float) -> Shape:
        """The same in an image of another size."""
        points = tuple((x * across, y * down) for x, y in self.points)
        return Shape(self.kind, points)


class PixelSize(NamedTuple):
    """Distance between the centres of neighbouring pixels, in any unit.

    Args:
        row: From one row to the next.
        column: From one column to the next.
    """

    row: float
    column: float


def shape_of(kind: Any, points: Any) -> Shape | None:
    """A shape as a browser sends it; None for anything else."""
    if kind not in get_args(Kind) or not isinstance(points, list | tuple):
        return None
    least, most = _POINTS.get(kind, (3, MOST_POINTS))
    if not least <= len(points) <= most:
        return None
    pairs = [_point(point) for point in points]
    places = tuple(pair for pair in pairs if pair is not None)
    return Shape(kind, places) if len(places) == len(pairs) else None


def _point(point: Any) -> Point | None:
    if not isinstance(point, list | tuple) or len(point) != 2:
        return None
    for part in point:
        if isinstance(part, bool) or not isinstance(part, int | float):
            return None
        if not abs(part) <= _FARTHEST:  # not-a-number, too
            return None
    return float(point[0]), float(point[1])


def length(shape: Shape, size: PixelSize) -> float:
    """Of a line; the perimeter of a polygon.

    Args:
        shape: A line or polygon.
        size: Of a pixel.
    """
    ends = _places(shape, size)
    if shape.kind == "polygon":
        ends = np.vstack([ends, ends[:1]])
    return float(np.hypot(*np.diff(ends, axis=0).T).sum())


def diameters(shape: Shape, size: PixelSize) -> tuple[float, float]:
    """The longer and the shorter diameter of an ellipse."""
    (left, top), (right, bottom) = _places(shape, size)
    across, down = float(abs(right - left)), float(abs(bottom - top))
    return max(across, down), min(across, down)


def area(shape: Shape, size: PixelSize) -> float:
    """Of an ellipse, or of a polygon that does not cross itself.

    Args:
        shape: An ellipse or polygon.
        size: Of a pixel.
    """
    if shape.kind == "ellipse":
        longer, shorter = diameters(shape, size)
        return math.pi / 4 * longer * shorter
    x, y = _places(shape, size).T
    # Shoelace formula, from the first corner so that large coordinates lose nothing.
    x, y = x - x[0], y - y[0]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def angle(shape: Shape, size: PixelSize) -> float | None:
    """Degrees between the legs, 0 to 180; None where a leg has no length."""
    first, vertex, second = _places(shape, size)
    (ax, ay), (bx, by) = first - vertex, second - vertex
    if not (ax or ay) or not (bx or by):
        return None
    return abs(math.degrees(math.atan2(ax * by - ay * bx, ax * bx + ay * by)))


def crosses_itself(shape: Shape) -> bool:
    """Whether two sides of a polygon that are no neighbours have a point in common."""
    start = np.array(shape.points)
    end = np.roll(start, -1, axis=0)
    count = len(start)
    i, j = np.triu_indices(count, 2)
    apart = ~((i == 0) & (j == count - 1))
    i, j = i[apart], j[apart]

    def side(a: Any, b: Any, c: Any) -> Any:
        return np.sign(
            (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1])
            - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        )

    def between(a: Any, b: Any, c: Any) -> Any:
        return np.all((np.minimum(a, b) <= c) & (c <= np.maximum(a, b)), axis=1)

    a, b, c, d = start[i], end[i], start[j], end[j]
    one, two, three, four = side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
    crossing = (one * two < 0) & (three * four < 0)
    touching = (
        ((one == 0) & between(a, b, c))
        | ((two == 0) & between(a, b, d))
        | ((three == 0) & between(c, d, a))
        | ((four == 0) & between(c, d, b))
    )
    return bool((crossing | touching).any())


def inside(shape: Shape, rows: int, columns: int) -> tuple[slice, slice, Mask]:
    """The pixels whose centres lie in an ellipse or polygon.

    Args:
        shape: An ellipse or polygon.
        rows: Of the image.
        columns: Likewise.

    Returns:
        Rows and columns of the box around it, cut to the image, and which of the box's
        pixels lie inside.
    """
    x, y = np.array(shape.points).T
    box_rows, box_columns = _range(y, rows), _range(x, columns)
    size = box_rows.stop - box_rows.start, box_columns.stop - box_columns.start
    # Centres of pixels in coordinates where these are whole numbers, from the box on.
    x, y = x - 0.5 - box_columns.start, y - 0.5 - box_rows.start
    if shape.kind == "polygon":
        from skimage.draw import polygon

        mask = np.zeros(size, bool)
        mask[polygon(y, x, size)] = True
        return box_rows, box_columns, mask
    (left, right), (top, bottom) = np.sort(x), np.sort(y)
    if left == right or top == bottom:
        return box_rows, box_columns, np.zeros(size, bool)
    across = (2 * np.arange(size[1]) - left - right) / (right - left)
    down = (2 * np.arange(size[0]) - top - bottom) / (bottom - top)
    return box_rows, box_columns, down[:, None] ** 2 + across**2 <= 1


def _range(places: npt.NDArray[np.float64], most: int) -> slice:
    first = min(max(math.floor(places.min()), 0), most)
    return slice(first, max(min(math.ceil(places.max()), most), first))


def _places(shape: Shape, size: PixelSize) -> npt.NDArray[np.float64]:
    """Points in the unit of the pixels' size, shape `(points, 2)`."""
    return np.array(shape.points) * (size.column, size.row)
