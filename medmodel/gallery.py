"""The images of a split with what the model said of each: sorted, filtered, marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from medmodel.errors import DataError
from medmodel.evaluation import Scored
from medmodel.runs import Run
from medmodel.storage import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["worst", "uncertain", "surest"]
ORDERS: dict[Order, str] = {
    "worst": "Worst first",
    "uncertain": "Most uncertain",
    "surest": "Surest and right",
}


@dataclass(frozen=True)
class Filter:
    """Which images are asked for; nothing set means all.

    Args:
        label: Only images of this class.
        choice: Only images whose first choice is this class.
        low: Only images whose first choice has at least this score, in [0, 1].
        high: And at most this one.
        text: Only images whose path or patient holds this, whatever its case.
        wrong: Only images whose first choice is not their label.
    """

    label: str = ""
    choice: str = ""
    low: float = 0.0
    high: float = 1.0
    text: str = ""
    wrong: bool = False


def described(table: pd.DataFrame, data: Scored, split: str = "test") -> pd.DataFrame:
    """One row per image of the split, in the order of `data`.

    Args:
        table: As from `evaluation.read_predictions`.
        data: The same split, as from `evaluation.scored`.
        split: Its name.

    Returns:
        Columns `path, patient, label, choice` as text; `score` of the first choice,
        `label_score` of the label and `margin` between first and second choice, all in
        [0, 1]; `position` of the image in `data`.
    """
    rows = table.loc[table["split"] == split, ["path", "patient", "label"]]
    highest = np.sort(data.scores, axis=1)[:, ::-1]
    n = np.arange(len(data.truth))
    second = highest[:, 1] if highest.shape[1] > 1 else np.zeros(len(n))
    return rows.reset_index(drop=True).assign(
        choice=np.array(data.classes, object)[data.predicted],
        score=highest[:, 0],
        label_score=data.scores[n, data.truth],
        margin=highest[:, 0] - second,
        position=n,
    )


def chosen(rows: pd.DataFrame, wanted: Filter, order: Order = "worst") -> pd.DataFrame:
    """The images that are asked for, in the order that is asked for.

    Args:
        rows: As from `described`.
        wanted: Which images.
        order: `"worst"` puts those first whose label got the smallest score,
            `"surest"` the largest, `"uncertain"` those where first and second choice
            are closest.

    Raises:
        DataError: There is no such order.
    """
    if order not in get_args(Order):
        raise DataError(f"Images cannot be sorted by {order!r}.")
    kept = (rows["score"] >= wanted.low) & (rows["score"] <= wanted.high)
    if wanted.label:
        kept &= rows["label"] == wanted.label
    if wanted.choice:
        kept &= rows["choice"] == wanted.choice
    if wanted.wrong:
        kept &= rows["label"] != rows["choice"]
    if wanted.text.strip():
        text = wanted.text.strip().casefold()
        kept &= _holds(rows["path"], text) | _holds(rows["patient"], text)
    column = "margin" if order == "uncertain" else "label_score"
    return rows[kept].sort_values(column, ascending=order != "surest", kind="stable")


def doubtful_labels(run: Run) -> list[str]:
    """Paths of the images whose label somebody marked as doubtful, sorted."""
    kept = read_json(run.folder / "doubtful.json")
    return sorted(map(str, kept)) if isinstance(kept, list) else []


def mark_label(run: Run, path: str, doubtful: bool) -> None:
    """Marks the label of an image as doubtful, or takes the mark back."""
    marked = set(doubtful_labels(run)) - {path}
    if doubtful:
        marked.add(path)
    write_json(run.folder / "doubtful.json", sorted(marked))


def _holds(column: pd.Series, text: str) -> pd.Series:
    return column.map(lambda value: text in value.casefold()).astype(bool)
