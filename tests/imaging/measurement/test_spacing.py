"""Which calibration counts for a shape."""

from __future__ import annotations

import pytest

from medmodel.imaging.measurement.shapes import PixelSize, Shape
from medmodel.imaging.measurement.spacing import Calibration, Region, Spacing

OUTSIDE = Spacing("outside")
LEFT = Region((0, 0, 50, 100), PixelSize(0.5, 0.5))
RIGHT = Region((50, 0, 100, 100), PixelSize(0.25, 0.25))


def line(*points: tuple[float, float]) -> Shape:
    return Shape("line", points)


def test_a_region_counts_where_it_holds_all_points() -> None:
    both = Calibration(OUTSIDE, (LEFT, RIGHT))
    assert both.of(line((0, 0), (50, 100))).size == PixelSize(0.5, 0.5)
    assert both.of(line((60, 10), (100, 10))).size == PixelSize(0.25, 0.25)
    assert both.of(line((60, 10), (90, 10))).source == "ultrasound"
    assert both.of(line((60, 10), (90, 10))).in_mm
    for across in (line((10, 10), (60, 10)), line((10, 10), (10, 101))):
        assert both.of(across) == OUTSIDE
    assert both.of(line((-1, 10), (10, 10))) == OUTSIDE


def test_of_regions_that_overlap_the_one_above_counts() -> None:
    below = Region((0, 0, 100, 100), PixelSize(0.1, 0.1), high_priority=False)
    both = Calibration(OUTSIDE, (below, LEFT))
    assert both.of(line((10, 10), (20, 20))).size == PixelSize(0.5, 0.5)
    assert both.of(line((60, 10), (90, 10))).size == PixelSize(0.1, 0.1)
    # Of the same size they say the same; of two sizes neither is believed.
    same = Region((0, 0, 100, 100), LEFT.size)
    assert Calibration(OUTSIDE, (LEFT, same)).of(line((1, 1), (2, 2))).in_mm
    other = Region((0, 0, 100, 100), PixelSize(0.3, 0.3))
    assert Calibration(OUTSIDE, (LEFT, other)).of(line((1, 1), (2, 2))) == OUTSIDE


def test_a_known_length_calibrates_all_and_keeps_the_pixels_shape() -> None:
    # Four rows of 2 and six columns of 1 are 10 long; they are 30 mm.
    oblong = Calibration(Spacing("none", PixelSize(2, 1)))
    by_hand = oblong.by_hand(line((0, 0), (6, 4)), 30)
    assert by_hand.whole == Spacing("hand", PixelSize(6, 3), in_mm=True)
    in_region = Calibration(OUTSIDE, (LEFT,)).by_hand(line((0, 0), (3, 4)), 5)
    assert in_region.whole.size == pytest.approx(PixelSize(1, 1))
    assert in_region.of(line((0, 0), (10, 0))).source == "hand"
