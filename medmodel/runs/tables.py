"""CSV tables of a run's folder: predictions, split, history of epochs, training steps.

Their columns, their writing and their reading; the paths are those of `Run`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import RunError
from medmodel.core.storage import append_rows, write_rows
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_COLUMNS = ("path", "patient", "split", "label")
"""What predictions.csv says of each image before its scores."""
SPLIT_COLUMNS = ("path", "label", "patient", "split", "digest")
STEP_COLUMNS = ("time", "epoch", "step", "loss", "accuracy")
EPOCH_COLUMNS = (
    "attempt",
    "epoch",
    "step",
    "time",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
)
_SCORE = "score_"


def score_columns(classes: Iterable[str]) -> list[str]:
    """Names of the columns with the classes' scores, in the order of the classes."""
    return [_SCORE + name for name in classes]


def scored_classes(columns: Iterable[object]) -> list[str]:
    """Classes that columns of scores are named after, in the order of the columns."""
    names = (str(name) for name in columns)
    return [name.removeprefix(_SCORE) for name in names if name.startswith(_SCORE)]


def score_array(table: pd.DataFrame, classes: Sequence[str]) -> NDArray[np.float64]:
    """The scores of a predictions table, shape `(rows, classes)`."""
    return table[score_columns(classes)].to_numpy(np.float64)


def write_predictions(
    run: Run,
    classes: Sequence[str],
    samples: pd.DataFrame,
    scores: NDArray[np.floating],
) -> None:
    """Writes predictions.csv, entirely or not at all.

    Args:
        run: The run.
        classes: The model's classes, in order.
        samples: Columns `SAMPLE_COLUMNS`, one row per image.
        scores: Shape `(images, classes)`.
    """
    rows = samples[list(SAMPLE_COLUMNS)].itertuples(index=False)
    header = [*SAMPLE_COLUMNS, *score_columns(classes)]
    lines = (
        [*row, *(f"{score:.8g}" for score in numbers)]
        for row, numbers in zip(rows, scores, strict=True)
    )
    write_rows(run.predictions_path, header, lines)


def read_predictions(run: Run) -> pd.DataFrame:
    """The run's predictions.csv.

    Returns:
        Columns `path, patient, split, label` as text, `score_<class>` as float64.

    Raises:
        RunError: There is no such table yet, or it cannot be read.
    """
    import pandas as pd

    path = run.predictions_path
    try:
        names = [str(name) for name in pd.read_csv(path, nrows=0)]
        missing = [name for name in SAMPLE_COLUMNS if name not in names]
        if missing:
            raise RunError(f"{path.name} of {run.title} has no column {missing[0]}.")
        kinds = {n: np.float64 if n.startswith(_SCORE) else str for n in names}
        # A class may be called "NA" or "None": no text means "missing" here.
        return pd.read_csv(path, dtype=kinds, keep_default_na=False)
    except FileNotFoundError:
        raise RunError(
            f"The run {run.title} has no predictions yet: they come when it ends."
        ) from None
    except ValueError as error:
        raise RunError(
            f"The predictions of {run.title} cannot be read ({error}): train again."
        ) from error


def write_split(run: Run, table: pd.DataFrame) -> None:
    """Writes split.csv, entirely or not at all.

    Args:
        run: The run.
        table: Columns `SPLIT_COLUMNS`; an external test's has no digests.
    """
    write_rows(run.split_path, [*map(str, table)], table.itertuples(index=False))


def read_split(run: Run) -> pd.DataFrame:
    """The run's split.csv, all columns as text; older runs have no digests.

    Raises:
        RunError: There is no such table, or it cannot be read.
    """
    import pandas as pd

    try:
        table = pd.read_csv(run.split_path, dtype=str, keep_default_na=False)
        missing = {"path", "patient", "split"} - set(table)
        if missing:
            raise RunError(f"The split of {run.title} has no column {min(missing)}.")
        return table
    except (FileNotFoundError, ValueError) as error:
        raise RunError(f"The split of {run.title} cannot be read: {error}") from error


def append_epoch(run: Run, values: Mapping[str, Any]) -> None:
    """Adds a row to history.csv.

    Args:
        run: The run.
        values: By the names of `EPOCH_COLUMNS`; those that are missing stay empty.

    Raises:
        OSError: The disk is full or fails.
    """
    row = [values.get(name, "") for name in EPOCH_COLUMNS]
    append_rows(run.history_path, EPOCH_COLUMNS, [row])


def read_history(run: Run) -> pd.DataFrame:
    """The run's history.csv without lines of another length; empty if there is none."""
    import pandas as pd

    try:
        return pd.read_csv(run.history_path, on_bad_lines="skip")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame()


def append_steps(run: Run, rows: Iterable[Sequence[Any]]) -> None:
    """Adds rows to steps.csv, all of them or none.

    Args:
        run: The run.
        rows: Each with a value for every column of `STEP_COLUMNS`.

    Raises:
        OSError: The disk is full or fails.
    """
    append_rows(run.steps_path, STEP_COLUMNS, rows)


def rewind_steps(run: Run, step: int) -> None:
    """Removes the rows of steps.csv that lie behind a step; harmless without a file."""
    if run.steps_path.exists():
        position = STEP_COLUMNS.index("step")
        rows = read_cells(run.steps_path, *STEP_COLUMNS)
        earlier = [row for row in rows if int(row[position]) <= step]
        write_rows(run.steps_path, STEP_COLUMNS, earlier)


def read_header(path: Path) -> list[str]:
    """The first line's cells; empty if there is no file."""
    return next(_lines(path), [])


def read_cells(path: Path, *names: str) -> Iterator[list[str]]:
    """Text of the named columns of every whole line, without the cost of pandas.

    Nothing if there is no file, or none of its columns has one of the names. Lines
    that are being written are left out.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no text.
        csv.Error: It is no table.
    """
    lines = _lines(path)
    header = next(lines, [])
    if not set(names) <= set(header):
        return
    positions = [header.index(name) for name in names]
    for cells in lines:
        if len(cells) == len(header):
            yield [cells[position] for position in positions]


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.reader(file)
    except FileNotFoundError:
        return
