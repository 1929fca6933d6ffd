"""Files drawn with several images: the right one is read, and copies do not count.

Drawn files of every kind: test_image_variants.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.imaging import images, raster
from medmodel.imaging.tiff import reading

LEVELS = (40, 120, 200)


def saved(file_format: str, levels: tuple[int, ...] = LEVELS, **options: Any) -> bytes:
    """A plain grey image for each level, in one file."""
    first, *more = [Image.new("L", (32, 24), level) for level in levels]
    buffer = io.BytesIO()
    if more:
        options |= {"save_all": True, "append_images": more}
    first.save(buffer, file_format, **options)
    return buffer.getvalue()


def pages(*values: np.ndarray, **options: Any) -> bytes:
    """A TIFF with these pages."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        for number, page in enumerate(values):
            file.write(page, contiguous=False, **options, **_kind(number, values))
    return buffer.getvalue()


def _kind(number: int, values: tuple[np.ndarray, ...]) -> dict[str, Any]:
    smaller = values[number].size < values[0].size
    return {"subfiletype": 1} if smaller else {}


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "WEBP", "PNG"])
def test_each_frame_is_read(file_format: str) -> None:
    data = saved(file_format, lossless=True)
    for number, level in enumerate(LEVELS):
        decoded = images.decode(data, frame=number)
        assert (decoded.format, decoded.frames) == (file_format, 3)
        assert decoded.pixels.shape[:2] == (24, 32)
        assert (decoded.pixels == level).all()
    assert (images.decode(data).pixels == LEVELS[0]).all()
    with pytest.raises(ImageError, match="a has no frame 4: it has 3"):
        images.decode(data, "a", frame=3)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP", "GIF"])
def test_files_of_one_picture_have_no_second(file_format: str) -> None:
    data = saved(file_format, (90,))
    assert images.decode(data, frame=0).frames == 1
    with pytest.raises(ImageError, match="no frame 2: it has 1"):
        images.decode(data, frame=1)


def test_a_camera_file_with_a_preview_is_one_picture() -> None:
    """MPO: a JPEG behind the JPEG, for another eye or for a quick view."""
    decoded = images.decode(saved("MPO", (90, 20)))
    assert (decoded.format, decoded.frames) == ("JPEG", 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_smaller_copies_and_masks_are_no_pages(dtype: type) -> None:
    """float64 is read by tifffile, uint8 by Pillow: they count alike."""
    rows: np.ndarray = np.arange(32 * 48).reshape(32, 48).astype(dtype) % 251
    small = rows[::2, ::2].copy()
    data = pages(rows, small, rows[::-1].copy(), photometric="minisblack")
    assert images.decode(data).frames == 2
    assert (images.decode(data, frame=0).pixels.shape) == (32, 48, 1)
    turned = images.decode(data, frame=1).pixels
    assert turned.shape == (32, 48, 1)
    assert (turned == images.decode(data).pixels[::-1]).all()
    with pytest.raises(ImageError, match="no frame 3: it has 2"):
        images.decode(data, frame=2)


def test_a_deep_page_behind_a_plain_one() -> None:
    """Each page is read by what can read it."""
    plain = np.full((20, 20), 7, np.uint8)
    deep = np.linspace(0, 60000, 400).reshape(20, 20, 1).astype(np.uint16)
    deep = np.concatenate([deep, deep // 2, deep // 4], axis=2)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(plain, photometric="minisblack", contiguous=False)
        file.write(deep, photometric="rgb", contiguous=False)
    assert (images.decode(buffer.getvalue()).pixels == 7).all()
    second = images.decode(buffer.getvalue(), frame=1)
    assert second.pixels.shape == (20, 20, 3) and second.mode == "RGB, 16 bits"
    assert second.pixels[-1, -1, 0] > 250 and second.pixels[0, 0, 0] == 0


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = np.zeros((10, 10), np.uint8), np.zeros((40, 40), np.uint8)
    data = pages(small, large, photometric="minisblack")
    monkeypatch.setattr(raster, "MAX_PIXELS", 400)
    assert images.read(data, "x")["frames"] == 2
    with pytest.raises(ImageError, match="more than"):
        reading.read(data, "a.tif", 1)


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [
        (raster.MAX_PIXELS, 1, ""),
        (1, raster.MAX_PIXELS, ""),
        (raster.MAX_PIXELS + 1, 1, "more than 100 million pixels"),
        (0, 1, "has no pixels"),
        (1, 0, "has no pixels"),
        (1, 1, ""),
    ],
)
def test_sizes(width: int, height: int, sentence: str) -> None:
    if not sentence:
        raster.check_size(width, height, "a.png")
        return
    with pytest.raises(ImageError, match=f"a.png .*{sentence}"):
        raster.check_size(width, height, "a.png")
