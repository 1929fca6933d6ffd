"""Cases of `odd_files`: DICOM of many frames, some of them missing, and of 8 bits.

A file that holds fewer frames than its header says shows those that are there; 8 bits
without a window are shown by their full range, as in any other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.dicom import SYNTAXES, dataset, file_bytes
from medmodel.imaging import images

Array = npt.NDArray[Any]
Frames = tuple[int, int, int]
"""First grey level of the frame that is asked for, frames, frames that are missing."""
_COUNT = 4


def cases(_: Path) -> Iterator[Case]:
    """What is drawn here: none of the files of `found` is of this kind."""
    yield from drawn_cases()


def drawn_cases() -> Iterator[Case]:
    """Frames by number that are there and are not, and ranges of 8 bits."""
    yield from _short_cases()
    yield from _declared_cases()
    yield from _range_cases()


def _stack(dtype: str) -> Array:
    """Frames whose first pixel is 40 times the frame's number, from 1."""
    stack = np.random.default_rng(2).integers(1, 250, (_COUNT, 16, 20))
    stack[:, 0, 0], stack[:, 0, 1], stack[:, 0, 2] = 40 * np.arange(1, 5), 0, 255
    return stack.astype(dtype)


def _short_cases() -> Iterator[Case]:
    for syntax, depth in product(SYNTAXES, ("u1", "u2")):
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        stack = _stack(order + depth)
        shown: dict[str, Any] = {"WindowCenter": 127.5, "WindowWidth": 255}
        shown |= {"VOILUTFunction": "LINEAR_EXACT"}
        for pixels in (1.0, 1.5, 2.9, 3.0, 4.0, 6.0):
            image = dataset(stack[0], NumberOfFrames=_COUNT, **shown)
            content = (stack.tobytes() * 2)[: int(pixels * stack[0].nbytes) // 2 * 2]
            image.PixelData = content
            data, whole = file_bytes(image, syntax), min(int(pixels), _COUNT)
            for number in range(whole):
                expected = 40 * (number + 1), whole, _COUNT - whole
                name = f"frame {number} of {pixels}, {depth}, {syntax.name}"
                yield Case(name, partial(_frame, data, number), expected)
            if whole < _COUNT:
                name = f"frame {whole} of {pixels}, {depth}, {syntax.name}"
                refusal = re.compile(rf"has no frame {whole + 1}: it has {whole}")
                yield Case(name, partial(_frame, data, whole), refusal)


def _declared_cases() -> Iterator[Case]:
    """Compressed frames, and numbers of frames that are none."""
    stack = _stack("u1")
    for declared in (1, 2, 4, 9):
        image = dataset(stack[0], NumberOfFrames=declared)
        packed = [_rle(frame) for frame in stack[: min(declared, _COUNT)]]
        image.PixelData = encapsulate(packed)
        image["PixelData"].is_undefined_length = True
        there = len(packed)
        result = partial(_frame, file_bytes(image, RLELossless), there - 1)
        expected = 40 * there, there, declared - there
        yield Case(f"{declared} frames of RLE declared", result, expected)
    for written in (b"", b"0 ", b"-2", b"many", b"2.5 "):
        image = dataset(stack[0], NumberOfFrames=777)
        image.PixelData = stack.tobytes()
        data = file_bytes(image, ExplicitVRLittleEndian)
        start = data.index(b"\x28\0\x08\0IS")
        field = b"\x28\0\x08\0IS" + len(written).to_bytes(2, "little") + written
        data = data[:start] + field + data[start + 8 + 4 :]
        yield Case(
            f"{written!r} frames declared", partial(_frame, data, 3), (160, 4, 0)
        )


def _frame(data: bytes, number: int) -> Frames:
    decoded = images.decode(data, "drawn.dcm", frame=number)
    return int(decoded.pixels[0, 0, 0]), decoded.frames, decoded.missing_frames


def _rle(frame: Array) -> bytes:
    """One segment of literal runs (DICOM PS3.5, G.3)."""
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    content = frame.tobytes()
    runs = b"".join(
        bytes([len(content[at : at + 128]) - 1]) + content[at : at + 128]
        for at in range(0, len(content), 128)
    )
    return header.tobytes() + runs + b"\0" * (len(runs) % 2)


def _range_cases() -> Iterator[Case]:
    """Eight bits or fewer, no window: the ends of the range are black and white."""
    for bits, allocated, signed, slope in product(
        (8, 7, 6), (8, 16), (False, True), (1, 2, -1)
    ):
        least = -(2 ** (bits - 1)) if signed else 0
        values = least + np.add.outer(np.arange(24), np.arange(20)) % 2**bits
        values = values.clip(least + 3, least + 2**bits - 9)
        order = "<i" if signed else "<u"
        image = dataset(
            values.astype(f"{order}{allocated // 8}"),
            BitsStored=bits,
            RescaleSlope=slope,
            RescaleIntercept=5,
        )
        image.HighBit = bits - 1
        share = (values - least) / (2**bits - 1)
        share = 1 - share if slope < 0 else share
        kind = "signed" if signed else "unsigned"
        name = f"{bits} of {allocated} bits, {kind}, slope {slope}"
        result = partial(_off, file_bytes(image), 255 * share)
        yield Case(name, result, "as stored")


def _off(data: bytes, expected: Array) -> str:
    pixels = images.decode(data, "drawn.dcm").pixels[..., 0]
    off = float(np.abs(pixels - expected).max())
    return "as stored" if off <= 0.5 + 1e-6 else f"off by {off:.1f}"
