"""Animated PNG: each image as it is shown, not the part of it that the file holds.

A frame may replace or cover a part of what is there, and say what becomes of that part
before the next one: PNG, third edition (W3C 2025), 11.3.6 (fcTL).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]

_TO_BLACK, _TO_PREVIOUS = 1, 2
_OVER = 1


class _Frame(NamedTuple):
    width: int
    height: int
    x: int
    y: int
    dispose: int
    blend: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Of the canvas, rows first."""
        return (
            slice(self.y, self.y + self.height),
            slice(self.x, self.x + self.width),
        )


def shown(data: bytes, index: int) -> Samples:
    """One image as it is shown, of the depth and the channels of the file.

    Args:
        data: The file; to be called in the sandbox.
        index: From 0; a first image that is no part of the animation counts.

    Returns:
        (height, width) or (height, width, channels).
    """
    frames, apart = _frames(data)
    first = int(apart)
    if index < first or _is_plain(data, frames):
        return np.asarray(imagecodecs.apng_decode(data, index=index))
    canvas = before = None
    for number in range(first, index + 1):
        frame = frames[number - first]
        stored = np.asarray(imagecodecs.apng_decode(data, index=number))
        canvas = np.zeros_like(stored) if canvas is None else canvas
        before = canvas.copy()
        canvas[frame.part] = _drawn(stored[frame.part], canvas[frame.part], frame)
        if number == index:
            break
        if frame.dispose == _TO_BLACK:
            canvas[frame.part] = 0
        elif frame.dispose == _TO_PREVIOUS:
            canvas = before
    if canvas is None:
        raise ValueError("no such frame")
    return canvas


def _is_plain(data: bytes, frames: list[_Frame]) -> bool:
    """Whether each frame is the whole image, whatever was there before."""
    size = struct.unpack_from(">LL", data, 16)
    return all(f[:2] == size and f.blend != _OVER for f in frames)


def _drawn(above: Samples, below: Samples, frame: _Frame) -> Samples:
    if frame.blend != _OVER or above.ndim == 2 or above.shape[2] not in (2, 4):
        return above
    most = np.iinfo(above.dtype).max
    over, under = above[..., -1:] / most, below[..., -1:] / most
    alpha = over + under * (1 - over)
    colours = above[..., :-1] * over + below[..., :-1] * under * (1 - over)
    colours = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    blended = np.concatenate([colours, most * alpha], axis=-1)
    return np.rint(blended).astype(above.dtype)


def _frames(data: bytes) -> tuple[list[_Frame], bool]:
    """All frames, and whether the first image of the file is none of them."""
    frames, apart = [], False
    for kind, content in _chunks(data):
        if kind == b"fcTL":
            # Not its number in the file, nor for how long it is shown.
            frames.append(_Frame(*struct.unpack(">4xLLLL4xBB", content)))
        elif kind == b"IDAT" and not frames:
            apart = True
    return frames, apart


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length
