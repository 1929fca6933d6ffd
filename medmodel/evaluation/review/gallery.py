"""Table of a split's images with their predictions: sorted, filtered, labels marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.core.storage import read_as, write_json
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.predictions import Predictions
from medmodel.language import N_, _
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

Order = Literal["worst", "uncertain", "surest"]
ORDERS: dict[Order, str] = {
    "worst": N_("Worst first"),
    "uncertain": N_("Most uncertain"),
    "surest": N_("Surest and right"),
}


@dataclass(frozen=True)
class ImageFilter:
    """Which images are asked for; nothing set means all.

    Args:
        label: Only images of this class.
        but: Only images that are not of this class.
        choice: Only images whose predicted class is this class.
        low: Only images whose score lies above this, in [0, 1]; 0 leaves none out.
        high: And is at most this.
        of: The class whose score is meant; the predicted class's where it is "".
        wrong: Only images whose predicted class is not their label.
        group: Only images that are like this.
    """

    label: str = ""
    but: str = ""
    choice: str = ""
    low: float = 0.0
    high: float = 1.0
    of: str = ""
    wrong: bool = False
    group: Subgroup = Subgroup()


def image_table(table: pd.DataFrame, data: Predictions) -> pd.DataFrame:
    """One row per test image, in the order of `data`.

    Args:
        table: As from `read_predictions`.
        data: The test split, as from `evaluation.scored`.

    Returns:
        Columns `path, patient, label, choice` as text; `score` of the predicted class,
        `label_score` of the label and `margin` between first and second choice, all in
        [0, 1]; `tied` where these are equal and no threshold decides; `position` of the
        image in `data`. Where a threshold decides, the
        predicted class may have the lower score.
    """
    rows = table.loc[table["split"] == "test", ["path", "patient", "label"]]
    highest = np.sort(data.scores, axis=1)[:, ::-1]
    n = np.arange(len(data.truth))
    second = highest[:, 1] if highest.shape[1] > 1 else np.zeros(len(n))
    margin = highest[:, 0] - second
    return rows.reset_index(drop=True).assign(
        choice=np.array(data.classes, object)[data.predicted],
        score=data.scores[n, data.predicted],
        label_score=data.scores[n, data.truth],
        margin=margin,
        tied=(margin == 0) & (data.choices is None),
        position=n,
    )


def select_images(
    rows: pd.DataFrame,
    wanted: ImageFilter,
    order: Order = "worst",
    data: Predictions | None = None,
) -> pd.DataFrame:
    """The images that are asked for, in the order that is asked for.

    Args:
        rows: As from `described`, with the facts that are asked for.
        wanted: Which images.
        order: `"worst"` puts those first whose label got the smallest score,
            `"surest"` the largest, `"uncertain"` those where first and second choice
            are closest.
        data: What `rows` was made of; needed only for the scores of one class.

    Raises:
        DataError: There is no such order, or no such class.
    """
    if order not in get_args(Order):
        raise DataError(_("Images cannot be sorted by {order!r}.", order=order))
    score = _scores(rows, wanted.of, data)
    # As the bins of histograms and reliability diagrams: the lower edge is outside.
    selected = (score > wanted.low) | (wanted.low == 0)
    selected &= (score <= wanted.high) & wanted.group.holds(rows)
    if wanted.label:
        selected &= (rows["label"] == wanted.label).to_numpy()
    if wanted.but:
        selected &= (rows["label"] != wanted.but).to_numpy()
    if wanted.choice:
        selected &= (rows["choice"] == wanted.choice).to_numpy()
    if wanted.wrong:
        selected &= (rows["label"] != rows["choice"]).to_numpy()
    column = "margin" if order == "uncertain" else "label_score"
    return rows[selected].sort_values(
        column, ascending=order != "surest", kind="stable"
    )


def doubtful_labels(run: Run) -> list[str]:
    """Paths of the images whose label somebody marked as doubtful, sorted.

    Raises:
        FileError: The file that holds them is damaged.
    """
    return sorted(read_as(run.folder / "doubtful.json", list[str]) or [])


def mark_label(run: Run, path: str, doubtful: bool) -> None:
    """Marks the label of an image as doubtful, or takes the mark back."""
    with run.notes_lock:
        marked = set(doubtful_labels(run)) - {path}
        if doubtful:
            marked.add(path)
        write_json(run.folder / "doubtful.json", sorted(marked))


def _scores(
    rows: pd.DataFrame, name: str, data: Predictions | None
) -> NDArray[np.float64]:
    if not name:
        return rows["score"].to_numpy(np.float64)
    if data is None or name not in data.classes:
        raise DataError(_("There are no scores for a class {name!r} here.", name=name))
    column = data.scores[:, data.classes.index(name)]
    return column[rows["position"].to_numpy()]
