"""Where on an image the square lies that a model sees."""

from __future__ import annotations

import numpy as np
import pytest

from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.imaging.images import model_input_area, prepare_image


def test_areas_by_hand() -> None:
    assert model_input_area(200, 100, 50, "stretch") == (0, 0, 200, 100)
    assert model_input_area(200, 100, 50, "crop") == (50, 0, 100, 100)
    assert model_input_area(100, 200, 50, "crop") == (0, 50, 100, 100)
    # Of 50 rows 25 are the image, below 12 black ones.
    assert model_input_area(200, 100, 50, "pad") == (0, -48, 200, 200)
    assert model_input_area(100, 200, 50, "pad") == (-48, 0, 200, 200)
    # A line of one pixel stays one, whatever it would be scaled to.
    assert model_input_area(400, 1, 40, "pad") == (0, -19, 400, 40)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(60, 120), (120, 60), (90, 90), (77, 130)])
def test_a_bright_square_is_seen_where_the_area_says(
    fit: Fit, shape: tuple[int, int]
) -> None:
    height, width = shape
    pixels = np.zeros((height, width, 1), np.uint8)
    top, left = height // 2 - 12, width // 2 + 6
    pixels[top : top + 12, left : left + 12] = 255
    seen = prepare_image(pixels, Preprocessing(64, fit, "grey"))[..., 0]
    rows, columns = (np.nonzero(seen.any(axis))[0] for axis in (1, 0))
    x, y, across, down = model_input_area(width, height, 64, fit)
    place = [(left + 6 - x) / across * 64, (top + 6 - y) / down * 64]
    centre = [columns.mean() + 0.5, rows.mean() + 0.5]
    assert np.abs(np.subtract(place, centre)).max() < 0.6
