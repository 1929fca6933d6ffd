"""Files that ask for much are what they are called: harmless ones of their kind."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.benchmark import bomb_files, bombs
from medmodel.core.errors import ImageError
from medmodel.imaging import images, scans
from medmodel.imaging.untrusted import open_image


@pytest.mark.parametrize("depth", [1, 8, 16])
@pytest.mark.parametrize("colour_type", [0, 2, 3, 6])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png(colour_type: int, depth: int, interlaced: bool) -> None:
    if depth not in {0: (1, 8, 16), 3: (1, 8)}.get(colour_type, (8, 16)):
        return
    data = bomb_files.png(30, 20, colour_type, depth, interlaced)
    opened = open_image(data)
    assert (opened.width, opened.height) == (30, 20)
    assert opened.decoded.format == "PNG" and not opened.decoded.pixels.any()


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_png_with_text(kind: bytes) -> None:
    # Nobody unpacks what is no part of the picture.
    for unpacked in (100, 70_000_000):
        opened = open_image(bomb_files.png_with_text(kind, unpacked), "a.png")
        assert opened.decoded.format == "PNG"


FRAMES: dict[str, Callable[[int], bytes]] = {
    "PNG": bomb_files.animated_png,
    "WEBP": bomb_files.animated_webp,
    "GIF": lambda count: bomb_files.gif(20, 10, count),
    "TIFF": bomb_files.tiff,
    "BigTIFF": lambda count: bomb_files.tiff(count, big=True),
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_frames_are_counted(kind: str, count: int) -> None:
    decoded = images.decode(FRAMES[kind](count))
    assert decoded.frames == count and decoded.format == kind.removeprefix("Big")


def test_pages_in_a_ring_end() -> None:
    for pages, back in ((1, 0), (5, 0), (5, 3)):
        try:
            assert images.decode(bomb_files.tiff(pages, back)).frames <= pages
        except ImageError as error:
            assert "The image" in str(error)


def test_jpeg_with_scans() -> None:
    data = bomb_files.jpeg_with_scans(40, 5)
    assert data.count(b"\xff\xda") > 5
    assert images.decode(data).pixels.shape == (40, 40, 1)


def test_bmp_of_runs() -> None:
    data = bomb_files.bmp_of_runs(700, 3)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (700, 3) and image.getextrema() == (0, 0)


def test_small_pieces_of_a_tiff() -> None:
    assert images.decode(bomb_files.tiff_with_strips(9)).pixels.shape == (9, 1, 1)
    data = bomb_files.tiff_with_tiles(3)
    assert struct.pack("<HHI", 324, 4, 9) in data


def test_nifti() -> None:
    data = bomb_files.nifti((5, 4, 3), 2, 8, 60)
    assert scans.is_nifti(data) and len(gzip.decompress(data)) == 352 + 60
    with pytest.raises(ImageError, match="shows nothing"):
        open_image(data, "a.nii.gz")


DICOM = {
    "items": bomb_files.dicom_with_items(3),
    "nested": bomb_files.nested_dicom(3),
    "wrong offsets": bomb_files.encapsulated_dicom(64, 64, 1, 1, b"\xff\xff\xff\xff"),
    "elements": bomb_files.dicom_with_elements(5),
    "deflated": bomb_files.deflated_dicom(10_000),
}


@pytest.mark.parametrize("kind", DICOM)
def test_dicom(kind: str) -> None:
    data = DICOM[kind]
    keywords = {row.keyword for row in scans.header_rows(data, "a.dcm")}
    assert "TransferSyntaxUID" in keywords
    if kind in ("items", "nested"):
        pixels = open_image(data, "a.dcm").decoded.pixels
        assert pixels.shape == (100, 100, 1) and np.ptp(pixels) == 99
        assert "ReferencedImageSequence" in keywords
    else:
        with pytest.raises(ImageError, match=r"^a\.dcm "):
            open_image(data, "a.dcm")


@pytest.mark.parametrize("name", ["400-megapixels.png", "4-gigapixels.gif"])
def test_what_is_taken_is_measured(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.write_bytes(bomb_files.BOMBS[name]())
    answer = bombs.take(place)
    assert answer["refused"] and answer["named"] and answer["seconds"] < bombs.SECONDS
    place.write_bytes(bomb_files.png(10, 10))
    answer = bombs.take(place)
    assert not answer["refused"] and answer["named"] and answer["sentence"] == ""
