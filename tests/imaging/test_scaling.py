"""Sizes come out as asked for, and nothing appears that was not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medmodel.imaging.scaling import cropped, padded, scaled


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
