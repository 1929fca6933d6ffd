"""Grey of more than 8 bits in PNG and TIFF: its values, for other windows."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest

from medmodel.benchmark.odd_files.tiff_variants import tiff
from medmodel.imaging import images, windows
from medmodel.imaging.windows import apply_window

DEEP = (np.arange(40 * 48).reshape(40, 48) * 20).astype(np.uint16)
COLOUR = np.stack([DEEP, DEEP // 2, DEEP // 4], axis=2)


def png(samples: np.ndarray[Any, Any]) -> bytes:
    return bytes(imagecodecs.png_encode(samples))


@pytest.mark.parametrize(
    ("data", "values"),
    [
        pytest.param(png(DEEP), DEEP, id="PNG"),
        pytest.param(tiff(DEEP), DEEP, id="TIFF"),
        pytest.param(tiff(DEEP.astype(">u2"), byteorder=">"), DEEP, id="big-endian"),
        pytest.param(tiff(DEEP.astype("i2")), DEEP.astype("i2"), id="signed"),
        pytest.param(tiff((DEEP / 7).astype("f4")), DEEP / 7, id="float"),
        pytest.param(bytes(imagecodecs.jpegls_encode(DEEP)), DEEP, id="JPEG-LS"),
    ],
)
def test_the_values_come_with_the_window_of_the_pixels(
    data: bytes, values: Any
) -> None:
    image = images.decode(data, "a", values=True)
    assert image.many_bits and image.values is not None and image.window is not None
    assert image.values == pytest.approx(values)
    assert (apply_window(image.values, image.window) == image.pixels[..., 0]).all()
    assert images.decode(data, "a").values is None


def test_large_values_that_are_dark() -> None:
    image = images.decode(tiff(DEEP, photometric="miniswhite"), "a", values=True)
    assert image.inverted and image.values is not None and image.window is not None
    shown = 255 - apply_window(image.values, image.window)
    assert np.abs(shown.astype(int) - image.pixels[..., 0]).max() == 0


def test_a_value_that_is_none_has_no_grey() -> None:
    samples = (DEEP / 7).astype("f4")
    samples[0, :2] = np.nan, np.inf
    values = images.decode(tiff(samples), "a", values=True).values
    assert values is not None and np.isnan(values[0, :2]).all()
    assert np.isfinite(values[0, 2:]).all()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(COLOUR), id="colour"),
        pytest.param(tiff(COLOUR, photometric="rgb"), id="colour of a TIFF"),
        pytest.param(png(np.dstack([DEEP, DEEP])), id="alpha"),
        pytest.param(png((DEEP >> 8).astype(np.uint8)), id="8 bits"),
        pytest.param(tiff((DEEP >> 8).astype(np.uint8)), id="8 bits of a TIFF"),
    ],
)
def test_others_have_no_window(data: bytes) -> None:
    image = images.decode(data, "a", values=True)
    assert not image.many_bits and image.values is None and image.window is None


def test_of_one_value_there_is_no_window() -> None:
    image = images.decode(png(np.full((8, 8), 300, np.uint16)), "a", values=True)
    assert image.many_bits and image.values is None


def test_too_many_pixels_are_shown_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "_MOST_VALUES", DEEP.size)
    assert windows.values_and_window(DEEP)
    monkeypatch.setattr(windows, "_MOST_VALUES", DEEP.size - 1)
    assert windows.values_and_window(DEEP) == {}
