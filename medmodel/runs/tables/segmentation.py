"""segmentation.csv: how well a segmentation outlines each image and class."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import RunError
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.checked import read_checked, unreadable_told, write_checked

if TYPE_CHECKING:
    import pandas as pd

SEGMENTATION_COLUMNS = (
    *("path", "patient", "split", "class", "dice", "iou", "lesions", "found", "area"),
    *("predicted_area", "pixel_area_mm2", "hd95", "hd95_mm"),
)
"""Areas and `hd95` in pixels; `hd95_mm` and the area of a pixel where it is known."""


def write_segmentation(run: Run, rows: Iterable[Sequence[Any]]) -> None:
    """Writes segmentation.csv, entirely or not at all.

    Args:
        run: The run.
        rows: Each with a value for every column of `SEGMENTATION_COLUMNS`.
    """
    write_checked(run, run.segmentation_path, SEGMENTATION_COLUMNS, rows)


def read_segmentation(run: Run) -> pd.DataFrame:
    """The run's segmentation.csv: a row for each image and class.

    Returns:
        Columns `SEGMENTATION_COLUMNS`; the first four as text, the others as numbers,
        not-a-number where there is none.

    Raises:
        RunError: There is no such table yet, or it is not what was written.
    """
    import pandas as pd

    with unreadable_told(run, run.segmentation_path):
        content = read_checked(run, run.segmentation_path)
        if content is None:
            raise RunError(
                _(
                    "The run {title} has not outlined its test images yet: "
                    "segmentation.csv comes when it ends.",
                    title=run.title,
                )
            )
        texts = dict.fromkeys(SEGMENTATION_COLUMNS[:4], str)
        table = pd.read_csv(
            io.BytesIO(content),
            dtype=texts,
            keep_default_na=False,
            na_values=dict.fromkeys(SEGMENTATION_COLUMNS[4:], [""]),
        )
        if list(table) != list(SEGMENTATION_COLUMNS):
            raise ValueError(_("its columns are others"))
        numbers = list(SEGMENTATION_COLUMNS[4:])
        table[numbers] = table[numbers].astype(float)
        return table
