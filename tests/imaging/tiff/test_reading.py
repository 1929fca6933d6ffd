"""Directories of a TIFF, and what is read of them; pixels: test_image_variants."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile

from medmodel.benchmark.odd_files.tiff_variants import plain_tags, tiff, tiff_of_tags
from medmodel.core.errors import ImageError
from medmodel.imaging.tiff.reading import read

GREY = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)


def with_next(data: bytes, offset: int) -> bytes:
    """A file of one directory whose next one is said to be there."""
    (start,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    at = start + 2 + 12 * count
    return data[:at] + struct.pack("<L", offset) + data[at + 4 :]


def test_a_page_is_found_without_a_look_at_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tiff(np.stack([GREY + n for n in range(50)]))
    numbers = []
    page = tifffile.TiffPage

    def counted(file: Any, index: int, **options: Any) -> Any:
        numbers.append(index)
        return page(file, index, **options)

    monkeypatch.setattr(tifffile, "TiffPage", counted)
    fields = read(data, "a.tif", 40)
    assert fields["frames"] == 50
    assert (fields["pixels"][..., 0] == GREY + 40).all()
    assert numbers == [40]


def test_directories_in_a_circle_end() -> None:
    data = tiff_of_tags(plain_tags(12, 16, 1), GREY.tobytes())
    (start,) = struct.unpack_from("<L", data, 4)
    assert read(with_next(data, start), "a.tif", -1)["frames"] == 1


@pytest.mark.parametrize("offset", [10**6, 2**32 - 1])
def test_pages_that_are_not_there_cost_not_those_before(offset: int) -> None:
    whole = tiff_of_tags(plain_tags(12, 16, 1), GREY.tobytes())
    fields = read(with_next(whole, offset), "a.tif", -1)
    assert np.array_equal(fields["pixels"][..., 0], GREY)
    assert fields["seen"] == "1 of its images, as the rest is lost"
    assert read(whole, "a.tif", -1)["seen"] == ""
    (start,) = struct.unpack_from("<L", whole, 4)
    with pytest.raises(ImageError, match="a.tif cannot be read: the file is damaged"):
        read(whole[:start], "a.tif", -1)


def test_too_many_pixels_are_refused_before_any_is_read() -> None:
    tags = plain_tags(20_000, 20_000, 1)
    with pytest.raises(ImageError, match="a.tif has more than 100 million pixels"):
        read(tiff_of_tags(tags, bytes(99)), "a.tif", -1)


@pytest.mark.parametrize(
    ("samples", "options", "mode"),
    [
        (GREY, {}, "MINISBLACK, 8 bits"),
        (GREY.astype(np.float32), {}, "MINISBLACK, float32"),
        (GREY.astype(np.int16), {"photometric": "miniswhite"}, "MINISWHITE, int16"),
        (np.stack([GREY] * 3, -1), {"photometric": "rgb"}, "RGB, 8 bits"),
        (
            np.stack([GREY] * 4, -1),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
            "RGB, 8 bits",
        ),
        (
            np.stack([GREY] * 4, -1),
            {"photometric": "rgb", "extrasamples": ["assocalpha"]},
            "RGB, 8 bits",
        ),
        (
            np.stack([GREY] * 4, -1),
            {"photometric": "rgb", "extrasamples": ["unspecified"]},
            "RGB, 8 bits, first 3 of 4 channels",
        ),
        (
            np.stack([GREY] * 5, -1),
            {"planarconfig": "contig"},
            "MINISBLACK, 8 bits, first of 5 channels",
        ),
    ],
)
def test_mode_says_colours_depth_and_what_is_not_shown(
    samples: np.ndarray, options: dict[str, Any], mode: str
) -> None:
    assert read(tiff(samples, **options), "a.tif", -1)["mode"] == mode


def test_luma_is_weighted_and_ranged_as_the_file_says() -> None:
    """ITU-R BT.709 and the range of broadcasting: TIFF 6.0, sections 20 and 21."""
    red, blue = 0.2126, 0.0722
    colour = np.array([[[200, 90, 30], [255, 255, 255], [0, 0, 0]]], np.float64)
    luma = colour @ [red, 1 - red - blue, blue]
    of_blue = (colour[..., 2] - luma) / (2 - 2 * blue)
    of_red = (colour[..., 0] - luma) / (2 - 2 * red)
    ranged = [
        16 + luma * 219 / 255,
        128 + of_blue * 112 / 127,
        128 + of_red * 112 / 127,
    ]
    ycbcr = np.stack(ranged, -1).round().astype(np.uint8)
    levels = (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
    weights = (2126, 10_000, 7152, 10_000, 722, 10_000)
    extratags = [(529, "2I", 3, weights, True), (532, "2I", 6, levels, True)]
    data = tiff(ycbcr, photometric="ycbcr", extratags=extratags)
    pixels = read(data, "a.tif", -1)["pixels"]
    assert np.abs(pixels - colour).max() <= 3
    nothing = [(529, "2I", 3, (0,) * 6, True)]
    usual = read(tiff(ycbcr, photometric="ycbcr", extratags=nothing), "a.tif", -1)
    assert np.abs(usual["pixels"] - colour).max() > 10
    assert usual["pixels"][0, 1].tolist() == [235] * 3


def test_a_predictor_of_fewer_samples_is_refused_by_name() -> None:
    tags = plain_tags(12, 16, 6, 3)
    tags += [(317, "H", [2]), (530, "H", [2, 2])]
    with pytest.raises(ImageError, match="a.tif is a TIFF with a predictor of samples"):
        read(tiff_of_tags(tags, bytes(999)), "a.tif", -1)


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        (plain_tags(12, 16, 32_803), "the colours CFA"),
        (plain_tags(12, 16, 777), "the colours number 777"),
        ([*plain_tags(12, 16, 5, 4), (332, "H", [2])], "other inks than cyan"),
        (plain_tags(12, 16, 2, 2), "2 samples for RGB"),
        (plain_tags(12, 16, 1, bits=40), "40-bit samples of sample format"),
        ([*plain_tags(12, 16, 1, bits=64), (339, "H", [6])], "64-bit samples of"),
        ([*plain_tags(12, 16, 6, 3, 16), (530, "H", [1, 1])], "YCbCr of 16 bits"),
        (plain_tags(12, 16, 8, 3, 32), "CIELAB of 32 bits"),
    ],
)
def test_what_is_not_offered_is_named(tags: list[Any], kind: str) -> None:
    sentence = rf"a\.tif is a TIFF with {kind}.*, which cannot be read here: save it"
    with pytest.raises(ImageError, match=sentence):
        read(tiff_of_tags(tags, bytes(9999)), "a.tif", -1)


def test_an_unknown_compression_is_named() -> None:
    tags = [t for t in plain_tags(12, 16, 1) if t[0] != 259]
    for number, kind in ((32_900, "compression 32900"), (34_676, "compression SGILOG")):
        with pytest.raises(ImageError, match=f"a.tif is a TIFF with {kind}, which"):
            read(tiff_of_tags([*tags, (259, "H", [number])], bytes(999)), "a.tif", -1)


def test_samples_that_end_at_the_end_of_the_file_are_all_there() -> None:
    """Packed in runs; the directory stands before them."""
    packed = tiff(GREY, compression="packbits")
    assert (read(packed, "a.tif", -1)["pixels"][..., 0] == GREY).all()
    with tifffile.TiffFile(io.BytesIO(packed)) as file:
        page = file.pages.first
        end = page.dataoffsets[0] + page.databytecounts[0]
    assert end <= len(packed) <= end + 1
    with pytest.raises(ImageError, match="a.tif cannot be read: the file is damaged"):
        read(packed[: end - 1], "a.tif", -1)
