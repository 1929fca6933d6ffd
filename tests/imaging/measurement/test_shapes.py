"""Geometry of shapes, checked by hand and by what must hold for any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.imaging.measurement.shapes import (
    MOST_POINTS,
    PixelSize,
    Shape,
    angle,
    area,
    crosses_itself,
    diameters,
    inside,
    length,
    shape_of,
)

SQUARE = PixelSize(1.0, 1.0)
TALL = PixelSize(2.0, 0.5)  # rows 2 apart, columns 0.5
numbers = st.floats(0, 60, allow_nan=False).map(lambda n: round(n, 3))
points = st.tuples(numbers, numbers)


def pixels_inside(shape: Shape, rows: int, columns: int) -> list[tuple[int, int]]:
    """(row, column) of each pixel inside."""
    box_rows, box_columns, mask = inside(shape, rows, columns)
    found = np.argwhere(mask) + (box_rows.start, box_columns.start)
    return [(int(row), int(column)) for row, column in found]


def test_the_length_of_a_line_knows_rows_from_columns() -> None:
    assert length(Shape("line", ((1, 1), (4, 5))), SQUARE) == 5
    # 8 columns of 0.5 and 1.5 rows of 2: 4 and 3.
    assert length(Shape("line", ((0, 0), (8, 1.5))), TALL) == 5


def test_a_polygon_by_hand() -> None:
    triangle = Shape("polygon", ((0, 0), (4, 0), (0, 3)))
    assert area(triangle, SQUARE) == 6
    assert length(triangle, SQUARE) == 12
    assert area(triangle, TALL) == 6  # 2 wide and 6 high
    assert length(triangle, TALL) == pytest.approx(2 + 6 + math.hypot(2, 6))


def test_far_from_the_corner_an_area_is_as_exact() -> None:
    unit = ((0, 0), (1, 0), (1, 1), (0, 1))
    far = Shape("polygon", tuple((x + 99999.25, y + 99999.5) for x, y in unit))
    assert area(far, SQUARE) == pytest.approx(1, abs=1e-9)


def test_an_ellipse_by_hand() -> None:
    ellipse = Shape("ellipse", ((9, 2), (1, 8)))  # 8 wide, 6 high, corners in any order
    assert diameters(ellipse, SQUARE) == (8, 6)
    assert area(ellipse, SQUARE) == pytest.approx(math.pi * 12)
    assert diameters(ellipse, TALL) == (12, 4)
    assert area(ellipse, TALL) == pytest.approx(math.pi * 12)


@pytest.mark.parametrize(
    ("places", "size", "degrees"),
    [
        (((5, 0), (0, 0), (0, 5)), SQUARE, 90),
        (((5, 0), (0, 0), (9, 0)), SQUARE, 0),
        (((5, 0), (0, 0), (-2, 0)), SQUARE, 180),
        (((5, 0), (0, 0), (5, -5)), SQUARE, 45),
        (((4, 0), (0, 0), (4, 1)), TALL, 45),
    ],
)
def test_an_angle_by_hand(
    places: tuple[tuple[float, float], ...], size: PixelSize, degrees: float
) -> None:
    assert angle(Shape("angle", places), size) == pytest.approx(degrees)


def test_a_leg_without_length_has_no_angle() -> None:
    assert angle(Shape("angle", ((1, 1), (1, 1), (2, 2))), SQUARE) is None
    assert angle(Shape("angle", ((2, 2), (1, 1), (1, 1))), SQUARE) is None


@pytest.mark.parametrize(
    ("corners", "crosses"),
    [
        (((0, 0), (4, 0), (4, 4), (0, 4)), False),
        (((0, 0), (4, 4), (4, 0), (0, 4)), True),  # an hourglass
        (((0, 0), (6, 0), (6, 6), (3, 0), (0, 6)), True),  # a corner on a side
        (((0, 0), (4, 0), (4, 4), (2, 1), (0, 4)), False),  # concave
        (((0, 0), (4, 0), (0, 3)), False),
        # There and back along the same line.
        (((0, 0), (9, 0), (9, 5), (9, 0), (0, 0), (0, 5)), True),
    ],
)
def test_an_outline_that_crosses_itself(
    corners: tuple[tuple[float, float], ...], crosses: bool
) -> None:
    assert crosses_itself(Shape("polygon", corners)) is crosses


def test_a_pixel_is_inside_where_its_centre_is() -> None:
    box = Shape("polygon", ((1, 1), (3.4, 1), (3.4, 3.6), (1, 3.6)))
    rows_and_columns = [(r, c) for r in (1, 2, 3) for c in (1, 2)]
    assert pixels_inside(box, 9, 9) == rows_and_columns
    # A circle of radius 1.5 around the centre of pixel (2, 3): its eight neighbours.
    circle = Shape("ellipse", ((2, 1), (5, 4)))
    neighbours = [(r, c) for r in (1, 2, 3) for c in (2, 3, 4)]
    assert pixels_inside(circle, 9, 9) == neighbours
    # Of radius 1.25 the corners, which are √2 away, are outside.
    smaller = Shape("ellipse", ((2.25, 1.25), (4.75, 3.75)))
    cross = [(1, 3), (2, 2), (2, 3), (2, 4), (3, 3)]
    assert pixels_inside(smaller, 9, 9) == cross


def test_beyond_the_image_there_are_no_pixels() -> None:
    over = Shape("polygon", ((-5, -5), (2, -5), (2, 1), (-5, 1)))
    assert pixels_inside(over, 9, 9) == [(0, 0), (0, 1)]
    beside = Shape("ellipse", ((20, 20), (30, 30)))
    assert pixels_inside(beside, 9, 9) == []
    assert pixels_inside(Shape("ellipse", ((-9, -9), (-2, -2))), 9, 9) == []


def test_what_is_too_small_or_flat_holds_no_pixel() -> None:
    assert pixels_inside(Shape("ellipse", ((1.6, 1.6), (2.4, 2.4))), 9, 9) == []
    assert pixels_inside(Shape("ellipse", ((1, 2.5), (6, 2.5))), 9, 9) == []
    assert pixels_inside(Shape("ellipse", ((2.5, 1), (2.5, 6))), 9, 9) == []


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("line", [[1, 2], [3, 4.5]]),
        ("ellipse", ((1, 2), (3, 4))),
        ("angle", [[1, 2], [3, 4], [5, 6]]),
        ("polygon", [[0, 0]] * MOST_POINTS),
        ("line", [[-1e6, 0], [0, 1e6]]),
    ],
)
def test_what_a_browser_sends_becomes_a_shape(kind: str, places: Any) -> None:
    shape = shape_of(kind, places)
    assert shape is not None and shape.kind == kind
    assert shape.points == tuple((float(x), float(y)) for x, y in places)


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("circle", [[1, 2], [3, 4]]),
        (None, [[1, 2], [3, 4]]),
        (["line"], [[1, 2], [3, 4]]),
        ("line", [[1, 2]]),
        ("line", [[1, 2], [3, 4], [5, 6]]),
        ("angle", [[1, 2], [3, 4]]),
        ("polygon", [[1, 2], [3, 4]]),
        ("polygon", [[0, 0]] * (MOST_POINTS + 1)),
        ("line", "ab"),
        ("line", None),
        ("line", [[1, 2], [3]]),
        ("line", [[1, 2], [3, 4, 5]]),
        ("line", [[1, 2], [3, "4"]]),
        ("line", [[1, 2], [3, True]]),
        ("line", [[1, 2], [3, math.nan]]),
        ("line", [[1, 2], [3, math.inf]]),
        ("line", [[1, 2], [3, 1e7]]),
        ("line", [[1, 2], {"x": 1}]),
    ],
)
def test_anything_else_is_no_shape(kind: Any, places: Any) -> None:
    assert shape_of(kind, places) is None


@given(points, points, st.floats(0.1, 9), st.floats(0.1, 9))
def test_a_line_is_as_long_from_either_end_and_moved(
    start: tuple[float, float], end: tuple[float, float], row: float, column: float
) -> None:
    size = PixelSize(row, column)
    there = length(Shape("line", (start, end)), size)
    assert length(Shape("line", (end, start)), size) == pytest.approx(there)
    moved = Shape("line", tuple((x + 7, y - 3) for x, y in (start, end)))
    assert length(moved, size) == pytest.approx(there, abs=1e-9)


@given(st.lists(points, min_size=3, max_size=3), st.floats(0.1, 9), st.floats(0.1, 9))
def test_areas_grow_with_both_sizes_and_angles_add_up(
    corners: list[tuple[float, float]], row: float, column: float
) -> None:
    triangle = Shape("polygon", tuple(corners))
    size = PixelSize(row, column)
    expected = area(triangle, SQUARE) * row * column
    assert area(triangle, size) == pytest.approx(expected, abs=1e-6)
    a, b, c = corners
    angles = [angle(Shape("angle", p), size) for p in ((a, b, c), (b, c, a), (c, a, b))]
    if None not in angles:
        total = sum(angle or 0.0 for angle in angles)
        assert total == pytest.approx(180, abs=1e-4)


@given(st.floats(6, 28), st.floats(6, 28), st.floats(30, 34), st.floats(30, 34))
def test_an_ellipse_holds_as_many_pixels_as_its_area(
    wide: float, high: float, x: float, y: float
) -> None:
    ellipse = Shape("ellipse", ((x - wide, y - high), (x + wide, y + high)))
    count = len(pixels_inside(ellipse, 64, 64))
    # Gauss's circle problem: the difference is far below the perimeter.
    assert abs(count - area(ellipse, SQUARE)) < math.pi * (wide + high) / 4


@given(numbers, numbers, numbers, numbers)
def test_a_box_holds_the_pixels_whose_centres_are_between_its_sides(
    left: float, top: float, right: float, bottom: float
) -> None:
    left, right, top, bottom = *sorted((left, right)), *sorted((top, bottom))
    box = Shape("polygon", ((left, top), (right, top), (right, bottom), (left, bottom)))

    def clear(low: float, high: float) -> set[int]:
        return {n for n in range(64) if low < n + 0.5 < high}

    def not_beyond(low: float, high: float) -> set[int]:
        return {n for n in range(64) if low <= n + 0.5 <= high}

    pixels = pixels_inside(box, 64, 64)
    assert {r for r, _ in pixels} <= not_beyond(top, bottom)
    assert {c for _, c in pixels} <= not_beyond(left, right)
    assert len(pixels) >= len(clear(top, bottom)) * len(clear(left, right))


def test_a_shape_in_an_image_of_another_size() -> None:
    shape = Shape("line", ((1, 2), (3, 4)))
    assert shape.scaled(2, 0.5) == Shape("line", ((2, 1), (6, 2)))
