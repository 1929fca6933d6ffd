"""Turned and mirrored images: of the hash as of the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from medmodel.data import image_stats
from medmodel.data.image_stats import hash_array
from medmodel.quality.turns import Turn, comparable_hashes, turned_hashes, turned_image

PIL_TURNS = {
    Turn.MIRRORED: Image.Transpose.FLIP_LEFT_RIGHT,
    Turn.UPSIDE_DOWN: Image.Transpose.FLIP_TOP_BOTTOM,
    Turn.HALF_TURN: Image.Transpose.ROTATE_180,
    Turn.QUARTER_TURN: Image.Transpose.ROTATE_90,
    Turn.TRANSPOSED: Image.Transpose.TRANSPOSE,
    Turn.TRANSVERSED: Image.Transpose.TRANSVERSE,
}


def drawn(height: int = 60, width: int = 90) -> Image.Image:
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def hash_of(image: Image.Image) -> np.ndarray:
    return hash_array([image_stats._hash(image)])


@pytest.mark.parametrize("turn", Turn)
def test_pixels_are_turned_as_pillow_turns_them(turn: Turn) -> None:
    image = drawn()
    expected = np.asarray(image.transpose(PIL_TURNS[turn]))
    assert (turned_image(np.asarray(image), turn) == expected).all()


@pytest.mark.parametrize("turn", Turn)
def test_the_hash_of_a_turned_image_is_the_turned_hash(turn: Turn) -> None:
    image = drawn()
    hashes = turned_hashes(hash_of(image), turn).astype(int)
    other = hash_of(image.transpose(PIL_TURNS[turn]))
    comparable = comparable_hashes(np.ones_like(other), turn)
    assert comparable.sum() == (29 if turn.value[0] else 32)
    assert np.abs(hashes - other * comparable).max() <= 3


@pytest.mark.parametrize("turn", Turn)
def test_twice_turned_is_as_before_but_for_a_quarter(turn: Turn) -> None:
    pixels = np.arange(9, dtype=np.uint8).reshape(3, 3)
    twice = turned_image(turned_image(pixels, turn), turn)
    assert (twice == pixels).all() == turn.own_inverse
