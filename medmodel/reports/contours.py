"""Contours of masks drawn on an image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import numpy.typing as npt

from medmodel.imaging.channels import as_colour, from_pixels, to_pixels
from medmodel.imaging.images import Pixels

Colour = tuple[int, int, int]
Area = npt.NDArray[np.bool_]
# Of Okabe and Ito (2008) the light ones.
_COLOURS: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (204, 121, 167), (217, 200, 26), (0, 158, 115)),
)
_WIDTH = 2
"""Pixels of a line in the drawing."""


def draw_contours(
    image: Pixels, areas: Sequence[tuple[Area, Colour]], side: int
) -> Pixels:
    """An image at another size with lines around areas, along the edges of pixels.

    Args:
        image: uint8 (h, w, 1 or 3); its size may differ from that of the areas.
        areas: Areas of the whole image, (height, width) each, and colours; later ones
            lie above.
        side: Longer side of the drawing in pixels.

    Returns:
        uint8 (height, width, 3).
    """
    from PIL import Image

    height, width = areas[0][0].shape
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smooth = Image.Resampling.BILINEAR if scale < 1 else Image.Resampling.NEAREST
    coloured = as_colour(image) if image.shape[2] == 1 else image
    drawn = np.array(to_pixels(from_pixels(coloured).resize(size, smooth)))
    for area, colour in areas:
        mask = Image.fromarray(area).resize(size, Image.Resampling.NEAREST)
        drawn[_border(np.asarray(mask))] = colour
    return drawn


def contour_colours(classes: Sequence[str]) -> dict[str, Colour]:
    """A colour for each class whose line is seen on a dark scan, too.

    The first one is that of Evaluate for what a model outlines.
    """
    return dict(zip(classes, cycle(_COLOURS), strict=False))


def _border(area: Area) -> Area:
    """The pixels inside an area that are near to its outside."""
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(area, iterations=_WIDTH, border_value=1)
    return area & ~np.asarray(inner)
