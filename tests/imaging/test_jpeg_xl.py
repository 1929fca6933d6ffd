"""Size and depth of a JPEG XL from its first bits."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from medmodel.imaging import images, jpeg_xl


@pytest.mark.parametrize(
    ("height", "width"),
    [(8, 8), (256, 256), (257, 31), (100, 120), (90, 160), (600, 300), (7, 9000)],
)
def test_size(height: int, width: int) -> None:
    for bits, kind in ((8, "u1"), (16, "u2")):
        samples = np.ones((height, width), kind)
        data = bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=1))
        boxed = data if data.startswith(b"\0") else b"\0\0\0\0jxlc" + data
        for codestream in (data, boxed):
            assert jpeg_xl.header(codestream) == (width, height, bits)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16])
def test_samples_of_all_depths_are_shown_by_their_range(bits: int, frames: int) -> None:
    full = 2**bits - 1
    ramp = np.linspace(0, full, 40 * 48).round().reshape(40, 48)
    stored = ramp.astype(np.uint8 if bits <= 8 else np.uint16)
    images_of_file = stored if frames == 1 else np.stack([stored] * frames)
    data = bytes(
        imagecodecs.jpegxl_encode(
            images_of_file, lossless=True, bitspersample=bits, photometric="gray"
        )
    )
    assert jpeg_xl.header(data) == (48, 40, bits)
    image = images.decode(data)
    assert (image.frames, image.mode) == (frames, f"L, {bits} bits")
    expected = np.rint(stored / full * 255)
    assert np.abs(image.pixels[..., 0] - expected).max() <= (2 if bits > 8 else 0)


def test_floats_have_no_bits() -> None:
    samples = np.zeros((9, 9), np.float32)
    data = bytes(imagecodecs.jpegxl_encode(samples, lossless=True))
    assert jpeg_xl.header(data) == (9, 9, 0)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(9)])
def test_no_codestream(data: bytes) -> None:
    with pytest.raises(ValueError, match="no codestream"):
        jpeg_xl.header(data)
