"""Images in the order in which a look at their labels would teach most."""

from __future__ import annotations

import functools
import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from medmodel.core.errors import DataError
from medmodel.core.storage import damaged, read_bytes
from medmodel.language import N_, _
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import score_array, scored_classes

if TYPE_CHECKING:
    import pandas as pd

REVIEW_SCORES = "review_scores.csv"
"""File of an Instant run: path, label, split, distance, score_<class> of all images."""
_MOST_BYTES = 1 << 30
Order = Literal["disagrees", "uncertain", "unlike"]
ORDERS: dict[Order, str] = {
    "disagrees": N_("Label disagrees"),
    "uncertain": N_("Uncertain"),
    "unlike": N_("Outliers"),
}


def images_to_review(
    run: Run, split: str, order: Order, reviewed: Collection[str] = ()
) -> pd.DataFrame:
    """The images of a split that nobody has reviewed, the most telling first.

    Args:
        run: A finished run.
        split: `"train"`, `"val"` or `"test"`.
        order: `"disagrees"` puts those first whose label the model finds least
            probable, `"uncertain"` those whose two most probable classes are closest,
            `"unlike"` those farthest from the mean features of every class's training
            images.
        reviewed: Paths that are left out.

    Returns:
        Columns `path, label, split, distance, score_<class>`.

    Raises:
        DataError: The run is of an earlier version, or stopped too early.
        FileError: The file with the scores is damaged.
    """
    table = _review_scores(run)
    rows = table[(table["split"] == split) & ~table["path"].isin(list(reviewed))]
    classes = scored_classes(rows)
    scores = score_array(rows, classes)
    if order == "disagrees":
        position = {name: at for at, name in enumerate(classes)}
        at = rows["label"].map(position).to_numpy(np.intp)
        telling = scores[np.arange(len(rows)), at]
    elif order == "unlike":
        telling = -rows["distance"].to_numpy(float)
    else:
        highest = np.sort(scores, axis=1)
        telling = highest[:, -1] - highest[:, -2]
    return rows.iloc[np.argsort(telling, kind="stable")].reset_index(drop=True)


def _review_scores(run: Run) -> pd.DataFrame:
    path = run.folder / REVIEW_SCORES
    if not path.exists():
        raise DataError(
            _(
                "The run {title} has no scores of all its images: train the recipe "
                "Instant again to review their labels.",
                title=run.title,
            )
        )
    classes = tuple(run.model_facts.class_names)
    return _read(path, path.stat().st_mtime_ns, classes)


@functools.lru_cache(maxsize=4)
def _read(path: Path, version: int, classes: tuple[str, ...]) -> pd.DataFrame:
    """The table; shared, never to be changed. A version is read once for all images."""
    import pandas as pd

    content = read_bytes(path, _MOST_BYTES) or b""
    try:
        kinds = {"path": str, "label": str, "split": str}
        table = pd.read_csv(io.BytesIO(content), dtype=kinds, keep_default_na=False)
        scores = score_array(table, classes)
        numbers = np.column_stack([scores, table["distance"].to_numpy(float)])
        if not np.isfinite(numbers).all() or not set(table["label"]) <= set(classes):
            raise ValueError("A number is none, or a label no class.")
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    return table
