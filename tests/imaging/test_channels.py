"""Samples to grey levels; grey stored as colour is grey to all who look at it.

Drawn files of every kind: test_image_variants.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging import channels, images
from medmodel.imaging.channels import (
    Pixels,
    as_colour,
    from_cmyk,
    from_image,
    from_ycbcr,
    lay_on_black,
    of_colour,
    row_bands,
    single_channel,
    to_grey_levels,
    upright,
)


def picture(height: int, width: int, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 1), np.uint8)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 999), st.integers(0, 2))
def test_one_channel_only_where_all_are_equal(
    height: int, width: int, seed: int, channel: int
) -> None:
    grey = picture(height, width, seed)
    stored = grey.repeat(3, axis=2)
    assert np.array_equal(single_channel(stored), grey)
    assert single_channel(grey) is grey
    assert np.array_equal(as_colour(grey), stored)
    stored[height // 2, width // 2, channel] ^= 1
    assert single_channel(stored) is stored


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_grey_stored_as_colour_is_read_as_grey(channel: int) -> None:
    grey = picture(300, 271)
    stored = grey.repeat(3, axis=2)
    assert np.array_equal(of_colour(Image.fromarray(stored)), grey)
    assert np.array_equal(images.decode(images.png_bytes(stored)).pixels, grey)
    square = images.png_bytes(stored[:271])
    assert np.array_equal(images.decode(square, side=271).pixels, stored[:271])
    stored[-1, -1, channel] ^= 1
    assert np.array_equal(of_colour(Image.fromarray(stored)), stored)
    assert np.array_equal(images.decode(images.png_bytes(stored)).pixels, stored)


def test_digest_is_that_of_all_versions() -> None:
    grey = picture(5, 7)
    known = hashlib.sha1(b"(5, 7, 1)" + grey.tobytes()).hexdigest()[:32]
    assert images.pixel_digest(grey) == known
    assert images.pixel_digest(grey.repeat(3, axis=2)) == known


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", [(40, 40), (90, 41), (17, 60)])
def test_what_a_model_sees_is_the_same_to_the_last_bit(
    fit: Any, shape: tuple[int, int]
) -> None:
    """Scaled as one channel and then made three, or scaled as three."""
    grey = picture(*shape)
    almost = grey.repeat(3, axis=2)
    almost[0, 0, 2] ^= 1  # one bit, so that nobody can take it for grey
    for preprocessing in (Preprocessing(40, fit), Preprocessing(40, fit, "grey")):
        seen = images.prepare_image(grey, preprocessing)
        stored = grey.repeat(3, axis=2)
        assert np.array_equal(images.prepare_image(stored, preprocessing), seen)
        scaled = images.prepare_image(almost, preprocessing)
        assert (scaled[8:, 8:] == seen[8:, 8:]).all()


@pytest.mark.parametrize(
    ("dtype", "bits", "stored", "shown"),
    [
        (np.uint8, 8, [0, 1, 254, 255], [0, 1, 254, 255]),
        (np.uint8, 1, [0, 1, 0, 1], [0, 255, 0, 255]),
        (np.uint8, 2, [0, 1, 2, 3], [0, 85, 170, 255]),
        (np.uint8, 4, [0, 1, 14, 15], [0, 17, 238, 255]),
        (np.uint8, 7, [0, 1, 64, 127], [0, 2, 129, 255]),
        (np.bool_, 1, [0, 1, 1, 0], [0, 255, 255, 0]),
        (np.int8, 8, [-128, -1, 0, 127], [0, 127, 128, 255]),
        (np.uint16, 16, [0, 1000, 2000, 4000], [0, 64, 128, 255]),
        (np.float32, 32, [-1, 0, 0.5, 1], [0, 128, 191, 255]),
    ],
)
def test_samples_are_shown_by_the_range_of_up_to_8_bits_or_by_their_own(
    dtype: type, bits: int, stored: list[float], shown: list[int]
) -> None:
    # So many of each end that the percentiles are these.
    samples: np.ndarray = np.array([stored] * 200, dtype)[..., None]
    for inverted in (False, True):
        levels = to_grey_levels(samples, bits, "a", inverted)
        expected = [255 - level for level in shown] if inverted else shown
        assert np.abs(levels[0, :, 0].astype(int) - expected).max() <= 1
        assert levels.dtype == np.uint8 and levels.shape == samples.shape
        if bits <= 8 and dtype is not np.int8:
            assert levels[0, :, 0].tolist() == expected


def test_alpha_takes_away() -> None:
    pixels = np.full((1, 3, 3), 200, np.uint8)
    shown = lay_on_black(pixels, np.array([[0, 51, 255]], np.uint8), 8)
    assert shown[0, :, 0].tolist() == [0, 40, 200]
    two_bits = lay_on_black(pixels, np.array([[0, 1, 3]], np.uint8), 2)
    assert two_bits[0, :, 0].tolist() == [0, 67, 200]
    # Large alpha has a range of its own, as large colours have.
    for full in (4095, 65535):
        alpha = np.array([[0, full // 2, full]], np.uint16)
        assert lay_on_black(pixels, alpha, 16)[0, :, 1].tolist() == [0, 100, 200]
    nothing = lay_on_black(pixels, np.zeros((1, 3), np.uint16), 16)
    assert not nothing.any()
    holes = np.array([[np.nan, 0.5, 1]], np.float32)
    assert lay_on_black(pixels, holes, 32)[0, :, 2].tolist() == [0, 100, 200]


def test_inks_become_the_colours_that_pillow_makes() -> None:
    inks = np.random.default_rng(0).integers(0, 256, (50, 60, 4), np.uint8)
    image = Image.frombytes("CMYK", (60, 50), inks.tobytes())
    known = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(from_cmyk(inks, 255) - known).max() <= 1
    deep = from_cmyk(inks.astype(np.uint16) * 257, 65535) / 257
    assert np.abs(deep - known).max() <= 1
    part = from_cmyk((inks / 255).astype(np.float32), 1.0)
    assert np.abs(part * 255 - known).max() <= 1


def test_luma_and_differences_become_the_colours_that_pillow_makes() -> None:
    colours = picture(40, 90).reshape(40, 30, 3)
    ycbcr = np.asarray(Image.fromarray(colours).convert("YCbCr"))
    weights, levels = (0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255)
    made = from_ycbcr(ycbcr, weights, levels).astype(int)
    assert np.abs(made - colours).max() <= 3
    # ITU-R BT.601 of broadcasting: black is 16, white 235.
    black_white = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    narrow = from_ycbcr(black_white, weights, (16, 235, 128, 240, 128, 240))
    assert narrow.tolist() == [[[0] * 3, [255] * 3]]


@pytest.mark.parametrize("orientation", range(10))
def test_upright_as_pillow_has_it(orientation: int) -> None:
    pixels = picture(3, 5)
    image = Image.fromarray(pixels[..., 0])
    image.getexif()[0x0112] = orientation
    known = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(upright(pixels, orientation)[..., 0], known)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_large_images_in_bands_are_the_same(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours = picture(40, 90).reshape(40, 30, 3).copy()
    colours[:20] = colours[:20, :, :1]  # grey at first
    image = Image.fromarray(colours).convert("RGBA")
    image.putalpha(Image.fromarray(picture(40, 30, 1)[..., 0]))
    image = image.convert(mode)
    at_once = from_image(image)
    assert at_once.shape[2] == (1 if mode in ("1", "L", "LA") else 3)
    assert len(list(row_bands(40, 30))) == 1
    for band in (1, 100, 30 * 39):
        monkeypatch.setattr(channels, "BAND", band)
        assert np.array_equal(from_image(image), at_once)
        assert np.array_equal(single_channel(as_colour(picture(9, 9))), picture(9, 9))


def test_bands_hold_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "BAND", 10)
    rows = [range(b.start, b.stop) for b in row_bands(7, 3)]
    assert [row for band in rows for row in band] == [*range(7)]
    assert [len(band) for band in rows] == [3, 3, 1]
    assert len(list(row_bands(7, 10**6))) == 7
