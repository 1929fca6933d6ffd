"""The table of a segmentation's batch: columns, sizes, orders, files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medmodel.batch import outlines, table
from medmodel.batch.outlines import ClassOutline, OutlineRow, PixelScale
from medmodel.batch.table import ImageRow
from medmodel.core.errors import FileError
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.runs.run import Run

SCALE = PixelScale(PixelSize(2.0, 0.5), "pixel spacing")
ROWS = [
    OutlineRow(
        ImageRow("a.dcm", unlike_training=False, distance=1.0),
        *(SCALE, (0, 70), [ClassOutline(10, 2, 5.0, 4.0), ClassOutline()]),
    ),
    OutlineRow(ImageRow("b.dcm", problem="b.dcm is empty (0 bytes).")),
    OutlineRow(
        ImageRow("c.dcm", unlike_training=True, distance=9.0),
        *(SCALE, (70, 60), [ClassOutline(), ClassOutline()]),
    ),
    OutlineRow(
        ImageRow("d.dcm", unlike_training=False, distance=2.0),
        *(SCALE, (130, 60), [ClassOutline(1, 1, 1.0, 2.0), ClassOutline(30, 1, 9.0)]),
    ),
]
CLASSES = ["cyst", "rim of it"]


@pytest.fixture
def batch(tmp_path: Path) -> Run:
    outlines.append(tmp_path / table.FILE, CLASSES, ROWS)
    return Run(tmp_path)


@pytest.fixture
def rows(batch: Run) -> pd.DataFrame:
    return outlines.described(table.read(batch))


def test_a_class_is_counted_and_measured() -> None:
    area = np.zeros((20, 20), bool)
    area[2:5, 3:10] = area[10, 10] = area[11, 11] = True
    outline = outlines.class_outline(area, SCALE)
    # Pixels that touch at a corner are one region; 3 rows of 2 mm, 7 columns of 0.5.
    assert (outline.pixels, outline.regions) == (23, 2)
    assert outline.longest_px == pytest.approx(np.hypot(3, 7))
    assert outline.longest_mm == pytest.approx(np.hypot(6, 3.5))
    assert outlines.class_outline(area, None).longest_mm is None
    assert outlines.class_outline(area & False, SCALE) == ClassOutline()


def test_what_was_outlined_and_how_large(rows: pd.DataFrame) -> None:
    assert list(rows["outlined"]) == ["cyst", "", "", "cyst + rim of it"]
    assert outlines.outlined_classes(rows) == CLASSES
    assert list(rows["area_mm2_cyst"].fillna(-1)) == [10, -1, 0, 1]
    assert list(rows["area_mm2_rim of it"].fillna(-1)) == [0, -1, 0, 30]
    sizes = outlines.sizes(rows)
    assert sizes.unit == "mm" and list(sizes.area) == [10, 0, 0, 31]
    rows.loc[3, "pixel_height_mm"] = np.nan
    sizes = outlines.sizes(rows, "rim of it")
    assert sizes.unit == "px" and list(sizes.longest.fillna(0)) == [0, 0, 0, 9]
    assert outlines.sizes(rows.head(3)).unit == "mm"


@pytest.mark.parametrize(
    ("order", "name", "paths"),
    [
        ("strangest", "", "cda"),
        ("largest", "", "dac"),
        ("largest", "cyst", "adc"),
        ("none", "", "cad"),
        ("none", "rim of it", "acd"),
    ],
)
def test_orders(
    rows: pd.DataFrame, order: outlines.Order, name: str, paths: str
) -> None:
    chosen = outlines.ordered(rows, order, name)
    assert "".join(path[0] for path in chosen["path"]) == paths


def test_files_to_take_away(rows: pd.DataFrame) -> None:
    taken = table.exported(rows)
    lines = table.csv_bytes(taken).decode().splitlines()
    assert lines[0].split(",") == [
        *("path", "problem", "split", "frame", "frames", "unlike_training"),
        *("farther_than", "why_unlike", "outlined", "pixel_height_mm"),
        *("pixel_width_mm", "pixel_size_from", "pixels_cyst", "regions_cyst"),
        *("area_mm2_cyst", "longest_px_cyst", "longest_mm_cyst", "pixels_rim of it"),
        *("regions_rim of it", "area_mm2_rim of it", "longest_px_rim of it"),
        "longest_mm_rim of it",
    ]
    assert lines[1] == (
        "a.dcm,,,1,1,False,,,cyst,2.0,0.5,pixel spacing,10,2,10.0,5.0,4.0,0,0,0.0,,"
    )
    assert lines[2].startswith("b.dcm,b.dcm is empty (0 bytes).,,1,1,,,,,,,,,,")
    parquet = pd.read_parquet(io.BytesIO(table.parquet_bytes(taken)))
    assert list(parquet["pixels_cyst"].fillna(-1)) == [10, -1, 0, 1]


def test_another_model_does_not_go_on(batch: Run) -> None:
    outlines.check_classes(batch.folder / table.FILE, CLASSES)
    with pytest.raises(FileError, match="other columns"):
        outlines.check_classes(batch.folder / table.FILE, ["cyst"])


def test_before_the_first_line_it_is_empty(tmp_path: Path) -> None:
    rows = outlines.described(table.read(Run(tmp_path)))
    assert len(rows) == 0 and "outlined" in rows
