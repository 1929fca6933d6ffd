"""The table of a segmentation's batch: what was outlined on each image, in numbers.

batch.csv has the columns of `batch.table.COLUMNS`, then how large a pixel is and where
the mask lies in masks.bin, then numbers of each class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medmodel.batch.table import (
    COLUMNS,
    SIZE_FROM,
    ImageRow,
    check_header,
    image_cells,
    strangest_first,
)
from medmodel.core.storage import append_rows
from medmodel.imaging.mask_values import Mask
from medmodel.imaging.measurement.mask_regions import mask_regions, region_count
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.language import N_

if TYPE_CHECKING:
    import pandas as pd

PLACE_COLUMNS = (
    *("pixel_height_mm", "pixel_width_mm", SIZE_FROM, "mask_start", "mask_bytes"),
)
_PIXELS, _REGIONS, _LONGEST_PX = "pixels_", "regions_", "longest_px_"
LONGEST_MM, AREA_MM2 = "longest_mm_", "area_mm2_"
_NUMBERS = (_PIXELS, _REGIONS, _LONGEST_PX, LONGEST_MM)
Order = Literal["strangest", "largest", "none"]
ORDERS: dict[Order, str] = {
    "strangest": N_("Strangest first"),
    "largest": N_("Largest first"),
    "none": N_("Without an outline first"),
}


@dataclass(frozen=True)
class PixelScale:
    """How large a pixel of an image is.

    Args:
        size: Height and width in mm.
        source: Who says so, see `spacing.Source`.
    """

    size: PixelSize
    source: str


@dataclass(frozen=True)
class ClassOutline:
    """What was outlined of one class on one image.

    Args:
        pixels: How many belong to it.
        regions: Its connected regions; pixels that touch at a corner are connected.
        longest_px: Longest diameter of its largest region in pixels; None without one.
        longest_mm: The same in mm; None also where the size of a pixel is not known.
    """

    pixels: int = 0
    regions: int = 0
    longest_px: float | None = None
    longest_mm: float | None = None


@dataclass(frozen=True)
class OutlineRow:
    """One line of the table.

    Args:
        image: What is known of the image; without scores.
        scale: How large its pixels are; None where the file does not say.
        mask: Where its mask begins in masks.bin and how many bytes it has; None where
            the image could not be read.
        classes: Of each class but the background; empty where it could not be read.
    """

    image: ImageRow
    scale: PixelScale | None = None
    mask: tuple[int, int] | None = None
    classes: Sequence[ClassOutline] = ()


def class_outline(area: np.ndarray, scale: PixelScale | None) -> ClassOutline:
    """Counts and measures the pixels of a class.

    Args:
        area: Boolean (height, width).
        scale: Of the image's pixels.
    """
    pixels = int(np.count_nonzero(area))
    if not pixels:
        return ClassOutline()
    (largest,) = mask_regions(area, 1)
    return ClassOutline(
        pixels,
        region_count(area),
        largest.diameters(PixelSize(1.0, 1.0))[0],
        largest.diameters(scale.size)[0] if scale else None,
    )


def class_outlines(
    classes: Mask, count: int, scale: PixelScale | None
) -> list[ClassOutline]:
    """As `class_outline`, of every class but the background.

    Args:
        classes: uint8 (height, width) of class numbers.
        count: How many classes there are beside the background.
        scale: Of the image's pixels.
    """
    return [class_outline(classes == n, scale) for n in range(1, count + 1)]


def header(classes: Sequence[str]) -> list[str]:
    """The columns of the table.

    Args:
        classes: The model's without the background, in order.
    """
    numbers = [prefix + name for name in classes for prefix in _NUMBERS]
    return [*COLUMNS, *PLACE_COLUMNS, *numbers]


def append(path: Path, classes: Sequence[str], rows: Iterable[OutlineRow]) -> None:
    """Adds lines to the table, all of them or none.

    Args:
        path: The table.
        classes: As for `header`.
        rows: The lines.

    Raises:
        OSError: The disk is full or fails.
    """
    append_rows(path, header(classes), (_cells(row, len(classes)) for row in rows))


def _cells(row: OutlineRow, classes: int) -> list[object]:
    scale, mask = row.scale, row.mask
    numbers: list[object] = []
    for each in row.classes:
        numbers += [each.pixels, each.regions]
        numbers += [_number(each.longest_px), _number(each.longest_mm)]
    return [
        *image_cells(row.image),
        *((_number(scale.size.row), _number(scale.size.column)) if scale else ("", "")),
        scale.source if scale else "",
        *(mask or ("", "")),
        *(numbers or [""] * (len(_NUMBERS) * classes)),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def check_classes(path: Path, classes: Sequence[str]) -> None:
    """Refuses a table that was written of other classes.

    Raises:
        FileError: It was, or it is no table.
    """
    check_header(path, header(classes))


def outlined_classes(columns: Iterable[object]) -> list[str]:
    """Classes that the columns are named after, in order; none of another table."""
    names = (str(name) for name in columns)
    return [n.removeprefix(_PIXELS) for n in names if n.startswith(_PIXELS)]


def described(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what follows from its numbers.

    Args:
        table: As from `table.read`, of a segmentation.

    Returns:
        Further columns: `outlined`, the names of the classes that were outlined with
        " + " between them, and `area_mm2_<class>`, not-a-number where the size of a
        pixel is not known.
    """
    rows, classes = table.copy(), outlined_classes(table)
    if not classes:  # not a line is there yet
        return rows.assign(outlined="")
    names = np.full(len(rows), "", object)
    pixel = rows["pixel_height_mm"] * rows["pixel_width_mm"]
    for name in classes:
        pixels = rows[_PIXELS + name]
        there = (pixels > 0).to_numpy()
        between = np.where(names[there] == "", "", " + ")
        names[there] = names[there] + between + name
        at = rows.columns.get_loc(_LONGEST_PX + name)
        rows.insert(int(at), AREA_MM2 + name, pixels * pixel)  # type: ignore[arg-type]
    rows.insert(len(COLUMNS), "outlined", names)
    return rows


@dataclass(frozen=True)
class Sizes:
    """A class, or all, on each image of a table.

    Args:
        area: In the square of `unit`, (images,).
        longest: Longest diameter of the largest region in `unit`; not-a-number where
            nothing was outlined.
        unit: mm where it is known of every image with an outline, else px.
    """

    area: pd.Series
    longest: pd.Series
    unit: str


def sizes(rows: pd.DataFrame, name: str = "") -> Sizes:
    """How much was outlined on each image.

    Args:
        rows: As from `described`.
        name: A class; "" for all of them.
    """
    classes = [name] if name else outlined_classes(rows)
    pixels = rows[[_PIXELS + each for each in classes]].sum(axis=1)
    in_mm = bool(rows.loc[pixels > 0, "pixel_height_mm"].notna().all())
    area, longest = (AREA_MM2, LONGEST_MM) if in_mm else (_PIXELS, _LONGEST_PX)
    return Sizes(
        rows[[area + each for each in classes]].sum(axis=1),
        rows[[longest + each for each in classes]].max(axis=1),
        "mm" if in_mm else "px",
    )


def ordered(rows: pd.DataFrame, order: Order, name: str = "") -> pd.DataFrame:
    """The images that could be read, in an order.

    Args:
        rows: As from `described`.
        order: `"strangest"` as in `batch.table`; `"largest"` puts the largest outlined
            area first; `"none"` those without an outline, then the smallest.
        name: Class whose area counts; "" for all of them.
    """
    readable = rows[rows["problem"] == ""]
    if order == "strangest":
        return strangest_first(readable)
    area = sizes(readable, name).area
    places = area.sort_values(ascending=order == "none", kind="stable").index
    return readable.loc[places]
