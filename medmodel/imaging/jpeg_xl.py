"""What the header of a JPEG XL says, before it is decoded: ISO 18181-1, annex D."""

from __future__ import annotations

from typing import NamedTuple

_BEGIN = b"\xff\x0a"
_LONGEST = 40
"""Bytes in which the size and the depth of samples stand."""
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, where one number says both."""
_SIDE = ((1, 9), (1, 13), (1, 18), (1, 30))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))
_PREVIEW_OF_EIGHTS = ((16, 0), (32, 0), (1, 5), (33, 9))
_TICKS = ((100, 0), (1000, 0), (1, 10), (1, 30)), ((1, 0), (1001, 0), (1, 8), (1, 10))
_LOOPS = ((0, 0), (0, 3), (0, 16), (0, 32))
_DEPTHS = ((8, 0), (10, 0), (12, 0), (1, 6))
_Choices = tuple[tuple[int, int], ...]
"""Of numbers that are written in several lengths: what is added, and bits, of each."""


class Header(NamedTuple):
    """Size in pixels, as stored, and bits of a sample: 0 where it is no integer."""

    width: int
    height: int
    bits: int


def header(data: bytes) -> Header:
    """Reads the header of a file or a codestream.

    Raises:
        ValueError: There is no codestream.
    """
    start = 0
    if not data.startswith(_BEGIN):  # a box holds it, whole or its first part
        whole, part = data.find(b"jxlc"), data.find(b"jxlp")
        start = whole + 4 if whole >= 0 else part + 8
    if data[start : start + 2] != _BEGIN:
        raise ValueError("no codestream")
    bits = _Bits(data[start + 2 : start + 2 + _LONGEST])
    width, height = _size(bits)
    return Header(width, height, _depth(bits))


class _Bits:
    """Bits of bytes, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value, self._rest = self._rest & (2**count - 1), self._rest >> count
        return value

    def choose(self, choices: _Choices) -> int:
        least, count = choices[self.take(2)]
        return least + self.take(count)


def _size(bits: _Bits) -> tuple[int, int]:
    """SizeHeader, as width and height."""
    is_small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if is_small else bits.choose(_SIDE)

    height = side()
    return _width(bits.take(3), height) or side(), height


def _width(ratio: int, height: int) -> int:
    """0 where the width is written by itself."""
    if ratio == 0:
        return 0
    across, down = _RATIOS[ratio - 1]
    return height * across // down


def _depth(bits: _Bits) -> int:
    """The beginning of ImageMetadata, up to the bits of a sample."""
    if bits.take(1):
        return 8  # all is as usual
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)  # at which it is to be shown
        if bits.take(1):
            _skip_preview(bits)
        if bits.take(1):
            _skip_animation(bits)
    return 0 if bits.take(1) else bits.choose(_DEPTHS)


def _skip_preview(bits: _Bits) -> None:
    choices = _PREVIEW_OF_EIGHTS if bits.take(1) else _PREVIEW
    bits.choose(choices)
    if bits.take(3) == 0:
        bits.choose(choices)


def _skip_animation(bits: _Bits) -> None:
    for choices in (*_TICKS, _LOOPS):
        bits.choose(choices)
    bits.take(1)
