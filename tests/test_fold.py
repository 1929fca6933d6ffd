"""What counts as whole on a screen, for the row that measures it in a browser."""

from __future__ import annotations

import pytest

from medmodel.benchmark.browser.fold import Box, is_whole, overlap


def box(*sides: float) -> Box:
    return dict(zip(("x", "y", "width", "height"), sides, strict=True))


@pytest.mark.parametrize(
    ("sides", "whole"),
    [
        ((0, 0, 1280, 720), True),
        ((0, 0, 1281, 720), False),
        ((0, 1, 1280, 720), False),
        ((0, 0.4, 1280, 720), True),
        ((-1, 0, 100, 100), False),
        ((0, -1, 100, 100), False),
        ((10, 620, 100, 101), False),
    ],
)
def test_a_box_is_whole(sides: tuple[float, ...], whole: bool) -> None:
    assert is_whole(box(*sides)) == whole


def test_what_lies_below_the_disclaimer_is_cut() -> None:
    note = box(880, 690, 400, 30)
    assert overlap(box(800, 600, 200, 100), note)
    assert not overlap(box(800, 600, 200, 90), note)
    assert not overlap(box(300, 600, 580, 120), note)
    assert not overlap(box(0, 0, 1280, 720), None)
