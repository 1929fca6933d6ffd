"""Cases of `odd_files`: images that are neither DICOM nor NIfTI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from medmodel.benchmark.odd_files import Case
from medmodel.imaging import images

FOUND = {
    # file -> height, width, channels, images in it, darkest and brightest grey level
    "png_rgb16_12bit_range_almost_black.png": (64, 96, 3, 1, 0, 255),
    "tiff_10_pages_one_ifd_9_unseen.tif": (64, 96, 1, 10, 0, 190),
    "tiff_5_channels_shown_5_pixels_wide.tif": (64, 96, 1, 1, 0, 190),
    "tiff_cmyk16_wrong_colours.tif": (64, 96, 3, 1, 0, 255),
    "tiff_grey_12bit_packed_crashes_whole_check.tiff": (16, 16, 1, 1, 0, 255),
    "tiff_int8_wraps.tif": (64, 96, 1, 1, 0, 255),
    "tiff_lzw_rgb16_refused.tif": (64, 96, 3, 1, 0, 255),
    "tiff_rgb16_orientation_6_not_turned.tif": (96, 64, 3, 1, 0, 255),
    "tiff_rgba16_12bit_range_goes_black.tif": (64, 96, 3, 1, 0, 255),
    "tiff_rgba16_alpha_ignored.tif": (64, 96, 3, 1, 0, 255),
    "tiff_ycbcr420_uncompressed_crash.tif": (64, 256, 3, 1, 0, 255),
    "tiff_zstd_rgb16_crash_ModuleNotFound.tif": (64, 96, 3, 1, 0, 255),
}


def cases(folder: Path) -> Iterator[Case]:
    """Files of `found`, and what is drawn here."""
    for name, expected in FOUND.items():
        yield Case(name, partial(_summary, folder / name), expected)


def _summary(path: Path) -> tuple[int, ...]:
    decoded = images.decode(path)
    darkest, brightest = int(decoded.pixels.min()), int(decoded.pixels.max())
    return *decoded.pixels.shape, decoded.frames, darkest, brightest
