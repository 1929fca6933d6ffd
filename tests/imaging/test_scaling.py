"""Sizes come out as asked for, and nothing appears that was not there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medmodel.imaging.scaling import cropped, isotropic, padded, scaled


def wave(side: int, period: float) -> Image.Image:
    places = np.arange(side) * (2 * np.pi / period)
    grey = 127.5 + 100 * np.sin(places)[None, :] * np.ones((side, 1))
    return Image.fromarray(grey.round().astype(np.uint8))


@settings(max_examples=60, deadline=None)
@given(*[st.integers(1, 90)] * 4)
def test_any_size(width: int, height: int, new_width: int, new_height: int) -> None:
    image = Image.new("RGB", (width, height), (10, 20, 30))
    found = scaled(image, new_width, new_height)
    assert found.size == (new_width, new_height)
    assert found.getcolors() == [(new_width * new_height, (10, 20, 30))]
    assert cropped(image, new_width).size == (new_width, new_width)


@pytest.mark.parametrize("side", [1000, 512, 300])
def test_shrinking_keeps_what_fits_and_drops_what_does_not(side: int) -> None:
    for small in (100, 61):
        coarse = np.asarray(scaled(wave(side, side / 5), small, small), float)
        known = np.asarray(wave(10 * small, 2 * small), float)[:small, 4::10]
        assert np.abs(coarse[:, 3:-3] - known[:, 3:-3]).max() < 8
        fine = np.asarray(scaled(wave(side, 2.0 * side / small / 2.6), small, small))
        assert fine[:, 3:-3].std() < 20  # of 71 before: it would have aliased


def test_shrinking_is_sharp() -> None:
    """An edge is as steep as by the bicubic kernel, within a tenth."""
    edge = Image.fromarray(np.repeat([[0, 200]], 256, axis=1).astype(np.uint8))
    edge = edge.resize((512, 512), Image.Resampling.NEAREST)
    steps = [
        np.diff(np.asarray(image, float)[100]).max()
        for image in (
            scaled(edge, 224, 224),
            edge.resize((224, 224), Image.Resampling.BICUBIC),
        )
    ]
    assert steps[0] > 0.9 * steps[1]


def test_padding_is_black_and_even() -> None:
    found = np.asarray(padded(Image.new("L", (4, 2), 9), 4))
    assert found.tolist() == [[0] * 4, [9] * 4, [9] * 4, [0] * 4]


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (1, 1, (6, 4)),
        (2, 1, (12, 4)),
        (1, 2.5, (6, 10)),
        (0.2, 6.4, (6, 128)),
        (0.2, 6.5, (6, 4)),  # more than can be
        (0, 1, (6, 4)),
        (0, 0, (6, 4)),
        (-1, 1, (6, 4)),
        (math.nan, 1, (6, 4)),
        (math.inf, 1, (6, 4)),
        (1, 1e-300, (6, 4)),
    ],
)
def test_square_pixels(
    kind: type, height: float, width: float, shape: tuple[int, int]
) -> None:
    image: npt.NDArray[Any] = np.arange(24).reshape(6, 4).astype(kind)
    if kind is np.uint8:
        assert isotropic(image[..., None], height, width).shape == (*shape, 1)
        colour = np.stack([image] * 3, -1)
        assert isotropic(colour, height, width).shape == (*shape, 3)
    else:
        assert isotropic(image, height, width).shape == shape


def test_long_images_become_square_along_their_finer_side() -> None:
    assert isotropic(np.zeros((4096, 4), np.float32), 2, 1).shape == (8192, 4)
    assert isotropic(np.zeros((4097, 4), np.float32), 2, 1).shape == (4097, 2)
    assert isotropic(np.zeros((9000, 4), np.float32), 1, 2).shape == (9000, 8)
    assert isotropic(np.zeros((9000, 1), np.float32), 2, 1).shape == (9000, 1)


def test_no_value_is_made_where_there_is_none() -> None:
    values = np.array([[1, 1, np.nan, np.nan], [1, 1, np.nan, np.nan]], np.float32)
    widened = isotropic(values, 1, 2)
    assert (widened[:, :4] == 1).all() and np.isnan(widened[:, 4:]).all()
