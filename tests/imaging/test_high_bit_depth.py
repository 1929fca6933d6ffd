"""What is said of files before they are decoded; pixels: test_image_variants."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import pytest

from medmodel.benchmark.odd_files.image_variants import png
from medmodel.core.errors import ImageError
from medmodel.imaging import images
from medmodel.imaging.raster import is_avif, is_bmp, is_heic

EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
DEEP = (np.arange(40 * 48).reshape(40, 48) * 2).astype(np.uint16)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">L", zlib.crc32(kind + content))
    return struct.pack(">L", len(content)) + kind + content + checksum


def enlarged(data: bytes, marker: bytes, skip: int, code: str) -> bytes:
    """The same with sides of 60,000 pixels in its header."""
    at = data.index(marker) + len(marker) + skip
    sides = struct.pack(code, 60_000, 60_000)
    return data[:at] + sides + data[at + len(sides) :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            b"\x89PNG\r\n\x1a\n"
            + png_chunk(
                b"IHDR", struct.pack(">LLBBBBB", 60_000, 60_000, 16, 0, 0, 0, 0)
            )
            + png_chunk(b"IDAT", bytes(99)),
            id="PNG",
        ),
        pytest.param(
            enlarged(
                bytes(imagecodecs.jpeg8_encode(DEEP, bitspersample=12)),
                b"\xff\xc1",
                3,
                ">HH",
            ),
            id="JPEG of 12 bits",
        ),
        pytest.param(
            enlarged(bytes(imagecodecs.jpegls_encode(DEEP)), b"\xff\xf7", 3, ">HH"),
            id="JPEG-LS",
        ),
        pytest.param(
            enlarged(
                bytes(imagecodecs.jpeg2k_encode(DEEP, level=0, codecformat="j2k")),
                b"\xff\x4f\xff\x51",
                4,
                ">LL",
            ),
            id="JPEG 2000",
        ),
    ],
)
def test_too_many_pixels_are_refused_from_the_header(data: bytes) -> None:
    with pytest.raises(ImageError, match="a.x has more than 100 million pixels"):
        images.decode(data, "a.x")


def test_a_jpeg_xl_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    # Not small, sides of up to 30 bits, no ratio: 0, 11, 59,999, 000, 11, 59,999.
    sides = 0b110 | 59_999 << 3 | 0b11 << 36 | 59_999 << 38
    data = b"\xff\x0a" + sides.to_bytes(12, "little")
    with pytest.raises(ImageError, match="a.jxl has more than 100 million pixels"):
        images.decode(data, "a.jxl")
    with pytest.raises(ImageError, match="a.jxl cannot be read: .* damaged"):
        images.decode(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50), "a.jxl")


def test_orientation_of_a_png_behind_its_samples() -> None:
    plain = png(DEEP[..., None], 16, 0, {})
    turned = plain[:-12] + png_chunk(b"eXIf", EXIF) + plain[-12:]
    pixels = images.decode(plain).pixels
    assert np.array_equal(images.decode(turned).pixels, np.rot90(pixels, -1))


_ZTXT = b"note\0\0" + zlib.compress(bytes(2_000_000))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "note",
    [
        pytest.param(png_chunk(b"zTXt", _ZTXT), id="a long text"),
        pytest.param(png_chunk(b"iTXt", b"note\0\1\0\0\0" + _ZTXT[6:]), id="in UTF-8"),
        pytest.param(png_chunk(b"iCCP", b"sRGB\0\0" + b"x" * 99), id="no profile"),
        pytest.param(png_chunk(b"gAMA", b"1234")[:-1] + b"x", id="a wrong checksum"),
        pytest.param(png_chunk(b"prVt", b"x" * 99), id="of one program"),
    ],
)
def test_a_png_shows_its_pixels_whatever_notes_it_holds(bits: int, note: bytes) -> None:
    plain = png(DEEP[..., None] >> 4 if bits == 8 else DEEP[..., None], bits, 0, {})
    pixels = images.decode(plain).pixels
    for at in (33, len(plain) - 12):  # behind IHDR, before IEND
        noted = plain[:at] + note + plain[at:]
        assert np.array_equal(images.decode(noted).pixels, pixels)


_XMP = b'<x:xmpmeta xmlns:tiff="a" tiff:Orientation="6"/>'
_RAW = b"\nexif\n%8d\n%s\n" % (len(EXIF), EXIF.hex().encode())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP),
        png_chunk(b"tEXt", b"Raw profile type exif\0" + _RAW),
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(_RAW)),
    ],
    ids=["XMP", "text", "compressed text"],
)
def test_a_png_may_say_its_orientation_in_a_text(bits: int, chunk: bytes) -> None:
    plain = png(DEEP[..., None] >> 4 if bits == 8 else DEEP[..., None], bits, 0, {})
    pixels = images.decode(plain).pixels
    turned = images.decode(plain[:33] + chunk + plain[33:]).pixels
    assert np.array_equal(turned, np.rot90(pixels, -1))


@pytest.mark.parametrize("kind", ["jp2", "j2k"])
def test_a_jpeg_2000_of_many_channels_is_refused_by_name(kind: str) -> None:
    several = np.zeros((40, 48, 5), np.uint8)
    data = bytes(imagecodecs.jpeg2k_encode(several, level=0, codecformat=kind))
    with pytest.raises(ImageError, match="a.jp2 is in 5 channels, of which"):
        images.decode(data, "a.jp2")


def test_what_a_file_is_by_its_first_bytes() -> None:
    for length in (12, 40, 108, 124):
        assert is_bmp(b"BM" + bytes(12) + bytes([length, 0, 0, 0]))
    assert not is_bmp(b"BMI of all patients, in kg per m2")
    assert not is_bmp(b"BM" + bytes(12) + bytes([41, 0, 0, 0]))
    assert not is_bmp(b"XX" + bytes(12) + bytes([40, 0, 0, 0]))
    assert is_avif(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif")
    assert not is_heic(b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif")
    assert is_heic(b"\0\0\0\x18ftypheic\0\0\0\0mif1miaf")
    # What stands behind the box is no brand.
    assert not is_heic(b"\0\0\0\x10ftypisom\0\0\0\0heic")
    assert not is_avif(b"\0\0\0\x18avifavif\0\0\0\0mif1avif")


def test_orientation_of_a_jpeg_of_12_bits() -> None:
    plain = bytes(imagecodecs.jpeg8_encode(DEEP, bitspersample=12))
    content = b"Exif\0\0" + EXIF
    segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    pixels = images.decode(plain[:2] + segment + plain[2:]).pixels
    assert np.array_equal(pixels, np.rot90(images.decode(plain).pixels, -1))


@pytest.mark.parametrize(("number", "colours"), [(12, "CMYK"), (18, "sYCC")])
def test_other_colours_of_a_jpeg_2000_are_refused_by_name(
    number: int, colours: str
) -> None:
    deep = np.stack([DEEP] * 3, -1)
    data = bytes(imagecodecs.jpeg2k_encode(deep, level=0, codecformat="jp2"))
    at = data.index(b"colr\x01") + 7
    other = data[:at] + struct.pack(">L", number) + data[at + 4 :]
    assert images.decode(data, "a.jp2").pixels.shape == (40, 48, 1)
    with pytest.raises(ImageError, match=f"a.jp2 is in {colours}, of which"):
        images.decode(other, "a.jp2")


def test_four_samples_of_a_deep_jpeg_are_no_alpha() -> None:
    four = np.stack([DEEP] * 4, -1)
    data = bytes(imagecodecs.jpeg8_encode(four, bitspersample=12))
    with pytest.raises(ImageError, match="a.jpg is in 4 channels, of which"):
        images.decode(data, "a.jpg")
