"""Images in the order in which a look at their labels would teach most."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

import numpy as np

from medmodel.core.errors import DataError
from medmodel.core.storage import damaged, read_bytes
from medmodel.language import N_, _
from medmodel.runs.run import Run
from medmodel.runs.tables import read_predictions, score_array, scored_classes

if TYPE_CHECKING:
    import pandas as pd

TRAINING_SCORES = "training_scores.csv"
"""File of a run with the scores of its training images: path, label, score_<class>."""
_MOST_BYTES = 1 << 30
Order = Literal["disagrees", "uncertain"]
ORDERS: dict[Order, str] = {
    "disagrees": N_("Label and model disagree"),
    "uncertain": N_("Model is uncertain"),
}
SPLITS = {
    "train": N_("Training images"),
    "val": N_("Validation images"),
    "test": N_("Test images"),
}


def images_to_review(
    run: Run, split: str, order: Order, reviewed: Collection[str] = ()
) -> pd.DataFrame:
    """The images of a split that nobody has reviewed, the most telling first.

    Args:
        run: A finished run.
        split: Key of `SPLITS`.
        order: `"disagrees"` puts those first whose label the model finds least
            probable, `"uncertain"` those whose two most probable classes are closest.
        reviewed: Paths that are left out.

    Returns:
        Columns `path, label, score_<class>`.

    Raises:
        DataError: The run has no scores of its training images.
        RunError: It has no predictions.
        FileError: The file with the scores is damaged.
    """
    table = _training_scores(run) if split == "train" else _predicted(run, split)
    rows = table[~table["path"].isin(list(reviewed))]
    classes = scored_classes(rows)
    scores = score_array(rows, classes)
    if order == "disagrees":
        position = {name: at for at, name in enumerate(classes)}
        at = rows["label"].map(position).to_numpy(np.intp)
        telling = scores[np.arange(len(rows)), at]
    else:
        highest = np.sort(scores, axis=1)
        telling = highest[:, -1] - highest[:, -2]
    return rows.iloc[np.argsort(telling, kind="stable")].reset_index(drop=True)


def _predicted(run: Run, split: str) -> pd.DataFrame:
    table = read_predictions(run)
    return table[table["split"] == split].drop(columns=["patient", "split"])


def _training_scores(run: Run) -> pd.DataFrame:
    import pandas as pd

    path = run.folder / TRAINING_SCORES
    content = read_bytes(path, _MOST_BYTES)
    if content is None:
        raise DataError(
            _(
                "The run {title} has no scores of its training images: train the "
                "recipe Instant again to review them.",
                title=run.title,
            )
        )
    classes = run.model_facts.class_names
    try:
        kinds = {"path": str, "label": str}
        table = pd.read_csv(io.BytesIO(content), dtype=kinds, keep_default_na=False)
        scores = score_array(table, classes)
        if not np.isfinite(scores).all() or not set(table["label"]) <= set(classes):
            raise ValueError("A score is no number, or a label no class.")
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    return table
