"""Regions of a mask: contours on the edges of pixels, areas and diameters by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from medmodel.imaging.measurement.mask_regions import contours, mask_regions
from medmodel.imaging.measurement.shapes import PixelSize


def shoelace(points: np.ndarray) -> float:
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def test_a_box_has_four_corners_on_the_edges_of_its_pixels() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3:9] = True
    (region,) = mask_regions(mask)
    assert region.contours[0].points == ((3, 2), (9, 2), (9, 5), (3, 5))
    assert region.pixels == 18
    size = PixelSize(2.0, 0.5)
    assert region.area(size) == 18
    longest, perpendicular = region.diameters(PixelSize(1.0, 1.0))
    assert longest == pytest.approx(np.hypot(6, 3))
    assert perpendicular < longest


def test_a_hole_has_a_contour_of_its_own_and_no_area() -> None:
    mask = np.ones((7, 7), bool)
    mask[2:4, 2:5] = False
    (region,) = mask_regions(mask)
    assert region.pixels == 43
    assert len(region.contours) == 2
    assert set(region.contours[1].points) == {(2, 2), (5, 2), (5, 4), (2, 4)}


def test_the_largest_regions_come_first() -> None:
    mask = np.zeros((10, 20), bool)
    mask[1, 1], mask[3:6, 3:6], mask[1:3, 10:12] = True, True, True
    assert [region.pixels for region in mask_regions(mask)] == [9, 4, 1]
    assert [region.pixels for region in mask_regions(mask, most=1)] == [9]
    assert mask_regions(mask & False) == []


def test_pixels_that_touch_at_a_corner_are_one_region_with_one_contour() -> None:
    mask = np.array([[1, 0], [0, 1]], bool)
    (region,) = mask_regions(mask)
    assert region.pixels == 2
    assert len(region.contours) == 1
    (other,) = mask_regions(mask[::-1])
    assert len(other.contours) == 1


def test_a_disc_measures_its_diameter() -> None:
    y, x = np.mgrid[:60, :60]
    (region,) = mask_regions(np.hypot(x - 30, y - 30) <= 20)
    longest, perpendicular = region.diameters(PixelSize(1.0, 1.0))
    assert longest == pytest.approx(41, abs=1.2)
    assert perpendicular == pytest.approx(41, abs=1.2)
    assert region.area(PixelSize(1.0, 1.0)) == pytest.approx(np.pi * 20.5**2, rel=0.06)


@given(arrays(bool, (5, 6)))
def test_contours_hold_exactly_the_pixels(mask: np.ndarray) -> None:
    area = sum(
        abs(shoelace(np.array(region.contours[0].points)))
        - sum(abs(shoelace(np.array(c.points))) for c in region.contours[1:])
        for region in mask_regions(mask)
    )
    assert area == mask.sum()
    for loop in contours(mask):
        steps = np.diff(np.vstack([loop, loop[:1]]), axis=0)
        assert ((steps != 0).sum(axis=1) == 1).all()  # along edges alone
