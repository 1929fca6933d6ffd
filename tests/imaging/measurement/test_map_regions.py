"""Regions of a saliency map against drawn ones of known size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from medmodel.imaging.measurement.map_regions import MapRegion, map_regions
from medmodel.imaging.measurement.shapes import (
    PixelSize,
    area,
    crosses_itself,
    length,
)

SQUARE = PixelSize(1.0, 1.0)
PLACE = (0.0, 0.0, 200.0, 200.0)
SIZE = (200, 200)


def bump(
    x: float, y: float, long: float, short: float, degrees: float
) -> NDArray[np.float32]:
    """Falls to a half on an ellipse of these semi-axes, (200, 200)."""
    down, across = np.mgrid[:200, :200] + 0.5
    turn = math.radians(degrees)
    u = (across - x) * math.cos(turn) + (down - y) * math.sin(turn)
    v = (down - y) * math.cos(turn) - (across - x) * math.sin(turn)
    return np.asarray(0.5 ** ((u / long) ** 2 + (v / short) ** 2), np.float32)


def only(regions: list[MapRegion]) -> MapRegion:
    (region,) = regions
    return region


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_an_ellipse_of_known_size(degrees: float) -> None:
    heatmap = bump(90, 110, 60, 25, degrees)
    region = only(map_regions(heatmap, 0.5, PLACE, SIZE))
    assert math.sqrt(area(region.outline, SQUARE)) == pytest.approx(
        math.sqrt(math.pi * 60 * 25), abs=1
    )
    assert length(region.longest, SQUARE) == pytest.approx(120, abs=1)
    assert length(region.perpendicular, SQUARE) == pytest.approx(50, abs=1)
    (ax, ay), (bx, by) = region.longest.points
    (cx, cy), (dx, dy) = region.perpendicular.points
    assert (bx - ax) * (dx - cx) + (by - ay) * (dy - cy) == pytest.approx(0, abs=1e-6)
    turn = math.radians(degrees)
    wide = 2 * math.hypot(60 * math.cos(turn), 25 * math.sin(turn))
    assert region.box[2] == pytest.approx(wide, abs=1)
    assert region.box[0] + region.box[2] / 2 == pytest.approx(90, abs=1)
    assert not crosses_itself(region.outline)


def test_the_largest_come_first_and_no_more_than_asked() -> None:
    sizes = (8, 20, 14, 11)
    places = ((40, 40), (140, 50), (50, 150), (150, 150))
    heatmap = np.maximum.reduce(
        [bump(*xy, size, size, 0) for xy, size in zip(places, sizes, strict=True)]
    )
    regions = map_regions(heatmap, 0.5, PLACE, SIZE)
    found = [math.sqrt(area(r.outline, SQUARE) / math.pi) for r in regions]
    assert found == pytest.approx([20, 14, 11], abs=0.5)
    assert len(map_regions(heatmap, 0.5, PLACE, SIZE, most=9)) == 4


def test_the_threshold_is_a_share_of_the_maximum() -> None:
    heatmap = bump(100, 100, 40, 40, 0)
    for share in (0.25, 0.5, 0.9):
        radius = 40 * math.sqrt(-math.log2(share))
        for scale in (1.0, 0.1):
            region = only(map_regions(scale * heatmap, share, PLACE, SIZE))
            assert region.box[2] == pytest.approx(2 * radius, abs=1)


def test_what_a_region_surrounds_belongs_to_it() -> None:
    ring = bump(100, 100, 60, 60, 0) - bump(100, 100, 30, 30, 0)
    region = only(map_regions(ring.clip(0), 0.5, PLACE, SIZE))
    assert area(region.outline, SQUARE) > math.pi * 40**2


def test_the_map_lies_on_a_part_of_the_image_or_beyond_it() -> None:
    heatmap = bump(100, 100, 40, 20, 0)
    # Half as large, in the right lower part.
    part = only(map_regions(heatmap, 0.5, (100, 150, 100, 100), (300, 300)))
    assert part.box == pytest.approx((130, 190, 40, 20), abs=1)
    # Stretched to twice its width.
    wide = only(map_regions(heatmap, 0.5, (0, 0, 400, 200), (400, 200)))
    assert wide.box == pytest.approx((120, 80, 160, 40), abs=1)
    # Padded above and below: what the map shows there is on no image.
    at_edge = bump(100, 50, 40, 40, 0)
    inside = only(map_regions(at_edge, 0.5, (0, -50, 200, 200), (200, 100)))
    assert inside.box[1] == 0 and inside.box[3] == pytest.approx(40, abs=1)
    above = bump(100, 20, 10, 10, 0)
    weak = only(map_regions(above, 0.5, (0, -50, 200, 200), (200, 100)))
    assert weak.box[1] == 0  # the little that reaches the image is the maximum there


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_empty_map_has_no_region(value: float) -> None:
    empty = np.full((200, 200), value, np.float32)
    assert map_regions(empty, 0.5, PLACE, SIZE) == []


def test_a_map_that_is_equal_everywhere_is_one_region() -> None:
    whole = only(map_regions(np.ones((7, 7), np.float32), 0.5, PLACE, SIZE))
    assert area(whole.outline, SQUARE) == pytest.approx(200 * 200, rel=0.02)
    assert whole.box == pytest.approx((0, 0, 200, 200))
