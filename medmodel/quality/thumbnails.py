"""Small PNG files of a checked data set: strips of its classes, issues and duplicates.

They are drawn once, so that the page of a data set of 10,000 images opens at once.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from medmodel.core.environment import workspace_root
from medmodel.core.errors import DECODER_ERRORS, DataError, FileError
from medmodel.core.storage import read_bytes, replacing
from medmodel.data.datasets import Index, index_folder
from medmodel.data.multi_label.findings import row_per_finding
from medmodel.imaging import images
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import Issue

SAMPLES, SAMPLE_SIDE = 8, 112
SHOWN_DUPLICATES, DUPLICATE_SIDE = 60, 72
_DARK = 17
"""Grey level around images."""
_MOST_BYTES = 16 << 20
"""No PNG that is drawn here comes near."""
log = logging.getLogger("medmodel.quality.thumbnails")


def class_strip(folder: Path, label: str) -> Path:
    """Where a PNG lies with some images of a class side by side."""
    return _place(folder, f"class-{_short(label)}.png")


def duplicate_thumbnail(folder: Path, path: str) -> Path:
    """Where a small PNG lies of an image that occurs twice, by its first path."""
    return _place(folder, f"same-{_short(path)}.png")


def issue_strip(folder: Path, kind: str) -> Path:
    """Where a PNG lies with the first images of an issue side by side."""
    return _place(folder, f"finding-{kind}.png")


def drawn_png(place: Path) -> bytes:
    """A PNG that was drawn here; empty where there is none, or it is damaged.

    The next check of the data set draws it anew.
    """
    try:
        content = read_bytes(place, _MOST_BYTES, workspace_root()) or b""
        if content:
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                image.verify()
    except (FileError, *DECODER_ERRORS, SyntaxError) as error:
        log.warning("An image of the data set's check is left out: %s", error)
        return b""
    return content


def _place(folder: Path, name: str) -> Path:
    return index_folder(folder) / "pictures" / name


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw_classes(index: Index) -> None:
    """Draws a strip per class, or finding."""
    table = index.readable
    counted = row_per_finding(table) if index.multi_label else table
    for label in sorted(set(counted["label"])):
        rows = counted[counted["label"] == label].sort_values("digest")
        # By digest, not by name: neighbours in name are often the same patient.
        paths = rows["path"][:SAMPLES].tolist()
        _draw(class_strip(index.folder, label), index.folder, paths, SAMPLE_SIDE)


def draw_duplicates(index: Index, report: DatasetReport) -> None:
    """Draws a thumbnail of each image that was found twice."""
    for group in report.duplicates[:SHOWN_DUPLICATES]:
        path = group.paths[0]
        target = duplicate_thumbnail(index.folder, path)
        _draw(target, index.folder, [path], DUPLICATE_SIDE)


def draw_issues(index: Index, issues: Sequence[Issue], drawn: Sequence[Issue]) -> None:
    """Draws a strip per issue, unless it was drawn before: of groups the first two."""
    for issue in issues:
        paths = [path for group in issue.groups for path in group[:2]][:SAMPLES]
        strip = issue_strip(index.folder, issue.kind)
        if paths and not (issue in drawn and drawn_png(strip)):
            _draw(strip, index.folder, paths, SAMPLE_SIDE)


def _draw(target: Path, folder: Path, paths: Sequence[str], side: int) -> None:
    with replacing(target, "wb") as file:
        file.write(strip_png(folder, paths, side))


def strip_png(folder: Path, paths: Sequence[str], side: int) -> bytes:
    """A PNG with images of a data set side by side, each on a dark square."""
    gap = np.full((side, 4, 3), _DARK, np.uint8)
    parts = [
        part for path in paths for part in (gap, square_thumbnail(folder, path, side))
    ]
    return images.png_bytes(np.concatenate([*parts, gap], axis=1))


def square_thumbnail(folder: Path, path: str, side: int) -> images.Pixels:
    """An image on a dark square, uint8 (side, side, 3); tiny ones are enlarged."""
    square = np.full((side, side, 3), _DARK, np.uint8)
    try:
        opened = open_image(DataFile(folder, path), longest_side=side)
    except DataError:
        # Gone since it was indexed: the next check will say so.
        return square
    pixels = opened.decoded.pixels
    times = side // max(pixels.shape[:2])
    pixels = pixels.repeat(times, axis=0).repeat(times, axis=1)
    height, width, _ = pixels.shape
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square
