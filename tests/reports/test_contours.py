"""Contours on an image: where the line lies, what stays of the image, colours."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.reports.contours import contour_colours, draw_contours

AREA = np.zeros((20, 10), bool)
AREA[5:15, 2:8] = True


@pytest.mark.parametrize("channels", [1, 3])
def test_beside_the_line_the_image_is_as_it_was(channels: int) -> None:
    image = np.full((20, 10, channels), 40, np.uint8)
    image[..., -1] = 90  # a colour whose red tells nothing of its blue
    drawn = draw_contours(image, [(AREA, (230, 159, 0))], side=40)
    assert drawn.shape == (40, 20, 3)
    expected = [90] * 3 if channels == 1 else [40, 40, 90]
    assert drawn[0, 0].tolist() == drawn[20, 10].tolist() == expected
    assert drawn[10, 4].tolist() == drawn[20, 5].tolist() == [230, 159, 0]


def test_each_class_has_its_colour() -> None:
    colours = contour_colours([str(n) for n in range(7)])
    assert len(set(list(colours.values())[:5])) == 5
    assert colours["0"] == colours["5"] == (230, 159, 0)
