"""The array of pixels while it is unfinished, and the journal of what is in it."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from medmodel.core.errors import MALFORMED
from medmodel.core.regular_files import open_for_writing
from medmodel.core.storage import replacing, set_irregular_aside
from medmodel.imaging import images

_SETTLE_EVERY = 2.0
"""Seconds of work that are lost at most when the process is killed."""


def write_at(file: int, pixels: images.Pixels, offset: int) -> None:
    """Writes pixels to a place of an open file.

    Args:
        file: Its descriptor.
        pixels: uint8, any shape.
        offset: Bytes before them.

    Raises:
        OSError: The disk is full or fails.
    """
    content = np.ascontiguousarray(pixels).reshape(-1).data
    while content:
        written = os.pwrite(file, content, offset)
        content, offset = content[written:], offset + written


class Journal:
    """Notes which images are finished, once their pixels are safe on the disk.

    The disk is waited for now and then, not after every chunk, and while the processes
    that decode go on.
    """

    def __init__(self, path: Path, part: Path) -> None:
        self.file = open_for_writing(path.parent, path.name, append=True)
        self.pixels = part.open("rb")
        self.lines: list[bytes] = []
        self.settled = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        with self.file, self.pixels:
            self._settle()

    def add(self, line: dict[str, Any]) -> None:
        """Notes what is finished; the disk is waited for now and then."""
        self.lines.append(json.dumps(line).encode() + b"\n")
        if time.monotonic() - self.settled > _SETTLE_EVERY:
            self._settle()

    def _settle(self) -> None:
        os.fdatasync(self.pixels.fileno())
        self.file.writelines(self.lines)
        self.file.flush()
        self.lines.clear()
        self.settled = time.monotonic()


def array_header(shape: tuple[int, ...]) -> bytes:
    """How a .npy file of an array of uint8 begins."""
    buffer = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def resume(
    part: Path, journal: Path, header: bytes, size: int
) -> tuple[dict[str, str], set[int]]:
    """Failures and finished positions of an earlier attempt; makes room on the disk."""
    failed: dict[str, str] = {}
    finished: set[int] = set()
    for path in (part, journal):
        set_irregular_aside(path)
    if part.exists() and part.stat().st_size == size and journal.exists():
        for text in journal.read_text("utf-8", "replace").splitlines():
            try:
                line = json.loads(text)
                failed |= line["failed"]
                finished.update(int(row) for row in line["rows"])
            except MALFORMED:  # the line during which it was killed
                continue
        return failed, finished
    journal.unlink(missing_ok=True)
    with open_for_writing(part.parent, part.name) as file:
        # All at once: a disk too small is told now, not after half an hour.
        os.posix_fallocate(file.fileno(), 0, size)
        file.write(header)
    return failed, finished


def leave_out(positions: list[int], part: Path) -> None:
    """Replaces the finished array by one without these images."""
    pixels = np.load(part, mmap_mode="r")
    remaining = np.delete(np.arange(len(pixels)), positions)
    with replacing(part, "wb") as file:
        facts = np.lib.format.header_data_from_array_1_0(pixels)
        facts["shape"] = (len(remaining), *pixels.shape[1:])
        np.lib.format.write_array_header_1_0(file, facts)
        for first in range(0, len(remaining), 256):
            file.write(pixels[remaining[first : first + 256]].tobytes())
