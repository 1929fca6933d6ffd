"""predictions.csv: the scores of a classifier for validation and test images."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from medmodel.core.errors import RunError
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.checked import (
    check_samples,
    read_checked,
    unreadable_told,
    write_checked,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SAMPLE_COLUMNS = ("path", "patient", "split", "label")
"""What predictions.csv says of each image before its scores."""
PREDICTED = "predicted"
"""Column of the predicted class, where a threshold decides, not the highest score."""
_SCORE = "score_"
_ROUNDING = 1e-3


def score_columns(classes: Iterable[str]) -> list[str]:
    """Names of the columns with the classes' scores, in the order of the classes."""
    return [_SCORE + name for name in classes]


def scored_classes(columns: Iterable[object]) -> list[str]:
    """Classes that columns of scores are named after, in the order of the columns."""
    names = (str(name) for name in columns)
    return [name.removeprefix(_SCORE) for name in names if name.startswith(_SCORE)]


def answer_columns(header: Iterable[object], classes: Iterable[str]) -> list[str]:
    """Columns of a predictions table that say what the model answered."""
    decided = [PREDICTED] if PREDICTED in set(header) else []
    return [*decided, *score_columns(classes)]


def score_array(table: pd.DataFrame, classes: Sequence[str]) -> NDArray[np.float64]:
    """The scores of a predictions table, shape `(rows, classes)`."""
    return table[score_columns(classes)].to_numpy(float)


def predicted_position(row: pd.Series, classes: Sequence[str]) -> int:
    """Position of the predicted class of one row of a predictions table."""
    name = row.get(PREDICTED)
    if name in classes:
        return list(classes).index(str(name))
    return int(row[score_columns(classes)].to_numpy(float).argmax())


def decided_by_threshold(row: pd.Series, classes: Sequence[str]) -> bool:
    """Whether a threshold told the predicted class of one row, no highest score."""
    return row.get(PREDICTED) in classes


def write_predictions(
    run: Run,
    classes: Sequence[str],
    samples: pd.DataFrame,
    scores: NDArray[np.floating],
    predicted: Sequence[str] | None = None,
) -> None:
    """Writes predictions.csv, entirely or not at all.

    Args:
        run: The run.
        classes: The model's classes, in order.
        samples: Columns `SAMPLE_COLUMNS`, one row per image.
        scores: Shape `(images, classes)`.
        predicted: Each image's predicted class, where a threshold decides; None where
            the highest score does.
    """
    if predicted is not None:
        samples = samples.assign(**{PREDICTED: list(predicted)})
    columns = [*SAMPLE_COLUMNS, *([] if predicted is None else [PREDICTED])]
    rows = samples[columns].itertuples(index=False)
    header = [*columns, *score_columns(classes)]
    lines = (
        [*row, *(f"{score:.8g}" for score in numbers)]
        for row, numbers in zip(rows, scores, strict=True)
    )
    write_checked(run, run.predictions_path, header, lines)


def read_predictions(run: Run) -> pd.DataFrame:
    """The run's predictions.csv.

    Returns:
        Columns `path, patient, split, label` as text, `score_<class>` as float64; where
        a threshold decides, `predicted` as text.

    Raises:
        RunError: There is no such table yet, or it is not what was written.
    """
    with unreadable_told(run, run.predictions_path):
        content = read_checked(run, run.predictions_path)
        if content is None:
            run.check_classifies()
            raise _no_predictions(run)
        return _parse_predictions(content)


def _no_predictions(run: Run) -> RunError:
    if run.imported and not run.tested_model:
        return RunError(
            _(
                "The model of {title} was trained elsewhere and has no test images of "
                "its own: test it on a folder (Evaluate, External test).",
                title=run.title,
            )
        )
    if run.status.state is RunStatus.DONE:
        return RunError(
            _(
                "The run {title} has no predictions.csv any more: restore it from a "
                "backup, or train again.",
                title=run.title,
            )
        )
    if run.status.state.active:
        return RunError(
            _(
                "The run {title} has no predictions yet: predictions.csv comes when "
                "it ends.",
                title=run.title,
            )
        )
    return RunError(
        _(
            "The run {title} has no predictions.csv: it ended before its images were "
            "evaluated. Resume it, or train again.",
            title=run.title,
        )
    )


def _parse_predictions(content: bytes) -> pd.DataFrame:
    """The table of these bytes.

    Raises:
        ValueError: It has no scores, or a row that no model writes.
    """
    import pandas as pd

    header = [str(name) for name in pd.read_csv(io.BytesIO(content), nrows=0)]
    missing = [name for name in SAMPLE_COLUMNS if name not in header]
    if missing:
        raise ValueError(_("it has no column {column}", column=missing[0]))
    kinds = {n: float if n.startswith(_SCORE) else str for n in header}
    # A class may be called "NA" or "None": no text means "missing" here.
    table = pd.read_csv(io.BytesIO(content), dtype=kinds, keep_default_na=False)
    check_samples(table)
    classes = scored_classes(table)
    scores = score_array(table, classes)
    # Written with eight digits; half precision may be off by more before.
    if not ((scores >= -_ROUNDING) & (scores <= 1 + _ROUNDING)).all():
        raise ValueError(_("a score is no number from 0 to 1"))
    names = set(table["label"]) | set(table.get(PREDICTED, ()))
    unknown = sorted(names - set(classes))
    if unknown:
        raise ValueError(_("it has no scores of the class {name!r}", name=unknown[0]))
    return table
