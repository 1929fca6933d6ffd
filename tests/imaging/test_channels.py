"""Grey stored as colour is grey: to digests, facts and what a model sees."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medmodel.core.preprocessing import Preprocessing
from medmodel.imaging import images
from medmodel.imaging.channels import Pixels, as_colour, of_colour, single_channel


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
