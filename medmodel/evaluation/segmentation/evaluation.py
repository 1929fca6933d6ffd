"""How well a segmentation outlines its test images: every class in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.segmentation.summary import metrics
from medmodel.language import _

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SegmentationEvaluation:
    """The test images of a segmentation in numbers.

    Args:
        rows: Class -> its rows of the table, one for each test image.
        metrics: Class -> its metrics, see `summary.metrics`.
        images: Test images.
        patients: Their patients; 0 where these are not known for every image.
    """

    rows: dict[str, pd.DataFrame]
    metrics: dict[str, dict[str, Estimate]]
    images: int
    patients: int

    @property
    def classes(self) -> list[str]:
        """Names of what is outlined; the background is none of them."""
        return list(self.rows)


def evaluate_segmentation(table: pd.DataFrame) -> SegmentationEvaluation:
    """The test images of a table as from `read_segmentation`, in numbers.

    Raises:
        DataError: It holds no test image.
    """
    tested = table[table["split"] == "test"]
    if tested.empty:
        raise DataError(_("There is no test image."))
    images = tested.drop_duplicates("path")
    known = bool((images["patient"] != "").all())
    rows = {
        str(name): of_class for name, of_class in tested.groupby("class", sort=False)
    }
    return SegmentationEvaluation(
        rows,
        {name: metrics(of_class) for name, of_class in rows.items()},
        len(images),
        images["patient"].nunique() if known else 0,
    )
