"""The usual formats, and what is refused; drawn files: test_image_variants."""

from __future__ import annotations

import csv
import io
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.core.processes import sandbox
from medmodel.imaging import images, raster

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))


def saved(array: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_lossless_formats_come_back_exactly(kind: str) -> None:
    decoded = images.decode(saved(RAMP, kind))
    assert decoded.format == kind
    assert decoded.frames == 1
    assert (decoded.pixels == RAMP[..., None]).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_back_nearly(kind: str) -> None:
    decoded = images.decode(saved(RAMP, kind, quality=95))
    assert decoded.format == kind
    assert np.abs(decoded.pixels[..., 0].astype(int) - RAMP).max() < 12


def test_name_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(saved(RAMP, "PNG"))
    assert images.decode(path).format == "PNG"


def test_twelve_bits_in_sixteen_are_not_black() -> None:
    deep = RAMP.astype(np.uint16) * 16
    pixels = images.decode(saved(deep)).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert np.abs(pixels[..., 0].astype(int) - RAMP * (255 / 252)).max() < 3


def test_float_with_holes_is_scaled_by_what_is_finite() -> None:
    values = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    values[0, :10] = np.nan
    values[1, 0] = np.inf
    pixels = images.decode(saved(values, "TIFF")).pixels
    assert pixels[0, 0, 0] == 0
    assert pixels[-1, -1, 0] == 255
    assert abs(int(pixels[32, 0, 0]) - 128) <= 2


def test_a_few_bright_points_on_black_stay_visible() -> None:
    values = np.zeros((100, 100), np.uint16)
    values[3, 4] = 900
    assert images.decode(saved(values)).pixels[3, 4, 0] == 255


def test_nothing_finite_is_refused() -> None:
    values = np.full((8, 8), np.nan, np.float32)
    with pytest.raises(ImageError, match="x.tif holds no finite"):
        images.decode(saved(values, "TIFF"), "x.tif")


def test_alpha_is_laid_on_black() -> None:
    rgba = np.full((4, 4, 4), 200, np.uint8)
    rgba[..., 2] = 100
    rgba[:2, :, 3] = 0
    pixels = images.decode(saved(rgba)).pixels
    assert pixels.shape == (4, 4, 3)
    assert (pixels[:2] == 0).all()
    assert np.abs(pixels[2:].astype(int) - [157, 157, 78]).max() <= 1


def test_grey_with_alpha_stays_grey() -> None:
    image = Image.fromarray(RAMP).convert("LA")
    assert images.decode(saved(image)).pixels.shape[2] == 1


def test_palette_with_transparent_colour() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([250, 250, 250, 10, 200, 30] + [0] * 762)
    image.putpixel((0, 0), 0)
    pixels = images.decode(saved(image, transparency=0)).pixels
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[1, 1].tolist() == [10, 200, 30]


def test_one_bit_is_black_and_white() -> None:
    pixels = images.decode(saved(Image.fromarray(RAMP > 100))).pixels
    assert np.unique(pixels).tolist() == [0, 255]


def test_camera_rotation_is_applied() -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    decoded = images.decode(saved(image, "PNG", exif=exif))
    assert (decoded.pixels[..., 0] == np.rot90(RAMP, -1)).all()


def test_first_of_several_frames() -> None:
    first, second = Image.fromarray(RAMP), Image.fromarray(255 - RAMP)
    decoded = images.decode(saved(first, "TIFF", save_all=True, append_images=[second]))
    assert decoded.frames == 2
    assert (decoded.pixels[..., 0] == RAMP).all()


def tiff(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def test_deep_colour_tiff_keeps_its_range() -> None:
    colour = np.stack([RAMP, RAMP // 2, RAMP * 0], -1).astype(np.uint16) * 16
    decoded = images.decode(tiff(colour, photometric="rgb"))
    assert decoded.mode == "RGB, 16 bits"
    assert decoded.pixels.shape == (48, 64, 3)
    assert decoded.pixels.max() == 255
    assert decoded.pixels[..., 2].max() == 0


def test_tiff_that_pillow_does_not_know() -> None:
    decoded = images.decode(tiff(RAMP.astype(np.float64), photometric="minisblack"))
    assert decoded.mode == "MINISBLACK, float64"
    assert decoded.pixels[0, -1, 0] == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_as_zero_is_turned(dtype: type) -> None:
    decoded = images.decode(tiff(RAMP.astype(dtype), photometric="miniswhite"))
    assert decoded.pixels[0, 0, 0] == 255
    assert decoded.pixels[0, -1, 0] < 6


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        length = len(content).to_bytes(4, "big")
        return length + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"x")


@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_bombs_are_refused_from_their_header(side: int) -> None:
    with pytest.raises(ImageError, match="boom.png has more than 100 million pixels"):
        images.decode(png_header(side, side), "boom.png")


def test_tiff_bombs_are_refused_from_their_header() -> None:
    small = tiff(np.zeros((8, 8)), photometric="minisblack")
    page = tifffile.TiffFile(io.BytesIO(small)).pages.first
    bomb = bytearray(small)
    for name in ("ImageWidth", "ImageLength"):
        place = page.tags[name].valueoffset
        bomb[place : place + 4] = (1_000_000).to_bytes(4, "little")
    with pytest.raises(ImageError):
        images.decode(bytes(bomb), "boom.tif")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "x.png is empty"),
        (b"hello, I am no image", "x.png is not an image"),
        (b"\x89PNG\r\n\x1a\n", "x.png cannot be read"),
        (saved(RAMP, "BMP")[:1200], "x.png cannot be read"),
    ],
)
def test_what_is_no_picture_is_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        images.decode(content, "x.png")


@pytest.mark.filterwarnings("ignore:::PIL", "ignore:::tifffile")
# Bits of which tifffile says, by NotImplementedError, that it does not know them.
@example(kind="TIFF", damage=[(38, 3)], kept=1.0)
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"]),
    damage=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8
    ),
    kept=st.floats(0.1, 1),
)
def test_damaged_files_give_pixels_or_an_image_error(
    kind: str, damage: list[tuple[int, int]], kept: float
) -> None:
    content = bytearray(saved(RAMP, kind))
    for place, value in damage:
        content[place % len(content)] = value
    try:
        decoded = images.decode(bytes(content[: int(len(content) * kept)]), "x")
    except ImageError as error:
        assert str(error).startswith("x ")
    else:
        assert decoded.pixels.dtype == np.uint8
        assert decoded.pixels.ndim == 3


def with_tag(content: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF whose tag has another value: TIFF 6.0, section 2."""
    changed = bytearray(content)
    (start,) = struct.unpack_from("<L", content, 4)
    for entry in range(start + 2, len(content) - 11, 12):
        if struct.unpack_from("<H", content, entry) == (tag,):
            struct.pack_into("<L", changed, entry + 8, value)
            return bytes(changed)
    raise AssertionError(f"no tag {tag}")


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        pytest.param(258, (3, 5, 7, 13, 33, 100), id="bits"),
        pytest.param(259, (2, 6, 9, 34712, 50000), id="compression"),
        pytest.param(262, (2, 6, 8, 9, 32803, 34892), id="photometric"),
        pytest.param(278, (0, 1000), id="rows per strip"),
    ],
)
def test_rare_kinds_of_tiff_give_pixels_or_an_image_error(
    tag: int, values: tuple[int, ...]
) -> None:
    """Pillow and tifffile say by many exceptions what they cannot read."""
    for value in values:
        try:
            images.decode(with_tag(saved(RAMP, "TIFF"), tag, value), "x.tif")
        except ImageError as error:
            assert str(error).startswith("x.tif ")


def test_whatever_a_decoder_raises_is_the_file_s_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox, "_inside", threading.Event())
    sandbox._inside.set()

    def fails(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(raster, "from_image", fails)
    monkeypatch.setattr("medmodel.imaging.tiff.reading.shown_pixels", fails)
    monkeypatch.setattr("medmodel.imaging.high_bit_depth._decoded", fails)
    for kind, values in (
        ("PNG", RAMP),
        ("PNG", RAMP.astype(np.uint16)),
        ("TIFF", RAMP),
    ):
        with pytest.raises(ImageError, match="^x cannot be read: .*damaged"):
            images.read(saved(values, kind), "x")


FITS: list[Fit] = ["pad", "crop", "stretch"]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 7, 1), (3, 4000, 3), (300, 200, 1)])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_any_picture_fits(fit: Fit, shape: tuple[int, int, int], colour: Any) -> None:
    preprocessing = Preprocessing(28, fit, colour)
    pixels = np.full(shape, 90, np.uint8)
    prepared = images.prepare_image(pixels, preprocessing)
    assert prepared.shape == preprocessing.shape
    assert prepared.dtype == np.uint8
    assert prepared.max() == 90
    if fit != "pad":
        assert prepared.min() == 90


def test_pad_keeps_all_and_centres() -> None:
    prepared = images.prepare_image(
        np.full((64, 32, 1), 255, np.uint8), Preprocessing(32, "pad", "grey")
    )
    assert (prepared[:, 8:24] == 255).all()
    assert (prepared[:, :8] == 0).all()
    assert (prepared[:, 24:] == 0).all()


def test_crop_keeps_the_centre() -> None:
    pixels = np.zeros((40, 80, 1), np.uint8)
    pixels[:, 20:60] = 255
    prepared = images.prepare_image(pixels, Preprocessing(40, "crop", "grey"))
    assert (prepared == 255).all()


def test_shrinking_does_not_alias() -> None:
    board = (np.indices((280, 280)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    prepared = images.prepare_image(board, Preprocessing(28, "stretch", "grey"))
    assert np.abs(prepared.astype(int) - 127).max() <= 3


def test_enlarging_is_smooth() -> None:
    edge = np.repeat(np.array([[0, 255]], np.uint8), 2, axis=0)[..., None]
    row = images.prepare_image(edge, Preprocessing(64, "stretch", "grey"))[32, :, 0]
    assert len(np.unique(row)) > 15


def test_same_pixels_at_the_same_size_are_untouched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8)
    assert (images.prepare_image(pixels, Preprocessing(28)) == pixels).all()


def test_digest_tells_pictures_apart() -> None:
    grey = RAMP[..., None]
    rgb = grey.repeat(3, axis=2)
    red = rgb.copy()
    red[0, 1, 0] += 1
    assert images.pixel_digest(grey) == images.pixel_digest(rgb)
    digests = {images.pixel_digest(p) for p in (grey, red, grey.transpose(1, 0, 2))}
    assert len(digests) == 3


def test_png_bytes_keep_every_pixel() -> None:
    for channels in (1, 3):
        pixels = np.random.default_rng(1).integers(0, 256, (9, 7, channels), np.uint8)
        assert (images.decode(images.png_bytes(pixels)).pixels == pixels).all()


def test_thumbnail_keeps_the_aspect_and_never_enlarges() -> None:
    assert images.thumbnail(np.zeros((3, 4000, 3), np.uint8), 100).shape == (1, 100, 3)
    assert images.thumbnail(np.zeros((20, 10, 1), np.uint8), 100).shape == (20, 10, 1)


def test_edge_cases_behave_by_their_manifest(real_data: Callable[[str], Path]) -> None:
    folder = real_data("image_edge_cases")
    with (folder / "MANIFEST.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        path = folder / row["file"]
        bomb = "bomb" in row["file"]
        # Not Pillow, but tifffile and the DICOM reader know these.
        others_know = row["file"].startswith("tiff_hard") or "dicom" in row["file"]
        if (row["pillow_result"] == "ok" and not bomb) or others_know:
            decoded = images.decode(path)
            if row["size"]:
                width, height = map(int, row["size"].split("x"))
                turned = "exif_rotate" in row["file"]
                expected = (width, height) if turned else (height, width)
                assert decoded.pixels.shape[:2] == expected, path
                assert decoded.format == row["pillow_format"], path
            assert decoded.pixels.max() > 60, path
        else:
            with pytest.raises(ImageError, match=path.name):
                images.decode(path)
