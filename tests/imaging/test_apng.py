"""Animated PNG of 16 bits: frames that are parts, against Pillow, which knows 8."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from medmodel.imaging import apng

Stored = npt.NDArray[Any]

HEIGHT, WIDTH = 6, 7


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">L", zlib.crc32(kind + content))
    return struct.pack(">L", len(content)) + kind + content + checksum


def stored(pixels: Stored) -> bytes:
    kind = ">u1" if pixels.dtype == np.uint8 else ">u2"
    rows = (b"\0" + row.astype(kind).tobytes() for row in pixels)
    return zlib.compress(b"".join(rows))


def animation(
    frames: list[Stored],
    places: list[tuple[int, int]],
    disposes: tuple[int, ...],
    blends: tuple[int, ...],
    apart: bool = False,
) -> bytes:
    """Frames of one kind at (x, y); the first, whole one may be no part of it."""
    grey, bits = frames[0].ndim == 2, 8 * frames[0].dtype.itemsize
    header = struct.pack(">LLBBBBB", WIDTH, HEIGHT, bits, 0 if grey else 6, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header)]
    parts.append(chunk(b"acTL", struct.pack(">LL", len(frames) - apart, 0)))
    count = itertools.count()
    for number, (frame, place) in enumerate(zip(frames, places, strict=True)):
        if number or not apart:
            size = (frame.shape[1], frame.shape[0])
            how = (disposes[number], blends[number])
            control = struct.pack(">LLLLLHHBB", next(count), *size, *place, 1, 9, *how)
            parts.append(chunk(b"fcTL", control))
        content = stored(frame)
        if number:
            parts.append(chunk(b"fdAT", struct.pack(">L", next(count)) + content))
        else:
            parts.append(chunk(b"IDAT", content))
    return b"".join([*parts, chunk(b"IEND", b"")])


def drawn(dtype: type[np.unsignedinteger[Any]], channels: int) -> list[Stored]:
    """A whole frame and two parts; what has an alpha is opaque or not there."""
    rng, most = np.random.default_rng(0), np.iinfo(dtype).max
    frames = []
    for height, width in ((HEIGHT, WIDTH), (3, 4), (4, 3)):
        frame = rng.integers(1, most, (height, width, channels)).astype(dtype)
        if channels == 4:
            frame[..., 3] = most * rng.integers(0, 2, (height, width))
        frames.append(frame[..., 0] if channels == 1 else frame)
    return frames


PLACES = [(0, 0), (2, 3), (3, 1)]


# Not (2, 1): Pillow puts back what it has blended already.
@pytest.mark.parametrize(("dispose", "blend"), [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)])
def test_what_is_shown_is_what_pillow_shows(dispose: int, blend: int) -> None:
    frames = drawn(np.uint8, 4)
    data = animation(frames, PLACES, (0, dispose, 0), (0, blend, blend))
    with Image.open(io.BytesIO(data)) as image:
        for number in range(3):
            image.seek(number)
            expected = np.asarray(image.convert("RGBA"))
            found = apng.shown(data, number)
            seen = expected[..., 3] > 0
            assert (found[..., 3] == expected[..., 3]).all()
            assert (found[seen] == expected[seen]).all()


def test_a_part_of_sixteen_bits_lies_on_what_was_there() -> None:
    whole, part, other = drawn(np.uint16, 1)
    data = animation([whole, part, other], PLACES, (0, 2, 0), (0, 0, 0))
    assert (apng.shown(data, 0) == whole).all()
    second, third = whole.copy(), whole.copy()
    second[3:6, 2:6], third[1:5, 3:6] = part, other
    assert (apng.shown(data, 1) == second).all()
    assert (apng.shown(data, 2) == third).all()


def test_a_first_image_that_is_no_part_of_the_animation() -> None:
    whole, part, _other = drawn(np.uint16, 1)
    data = animation(
        [whole, whole[::-1], part],
        PLACES[:1] * 2 + PLACES[1:2],
        (0,) * 3,
        (0,) * 3,
        True,
    )
    last = whole[::-1].copy()
    last[3:6, 2:6] = part
    for number, expected in enumerate((whole, whole[::-1], last)):
        assert (apng.shown(data, number) == expected).all()
