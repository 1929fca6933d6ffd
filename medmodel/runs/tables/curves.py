"""steps.csv and history.csv: what the curves of a run show, row by row."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import FileError, RunError
from medmodel.core.storage import (
    append_rows,
    damaged,
    read_bytes,
    set_aside,
    write_rows,
)
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.cells import read_cells
from medmodel.runs.tables.checked import MOST_TABLE_BYTES

if TYPE_CHECKING:
    import pandas as pd

STEP_COLUMNS = ("time", "epoch", "step", "loss", "accuracy")
"""Of a classification, like `EPOCH_COLUMNS`; see `named_columns`."""
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
METRICS = ("accuracy", "dice", "auc")
"""What a run may follow beside its loss; the first stands in the names above."""


def named_columns(run: Run, columns: Sequence[str]) -> tuple[str, ...]:
    """Columns of steps.csv or history.csv, `accuracy` as the run's metric is called.

    A segmentation follows Dice instead, a run on several findings their mean AUC.

    Args:
        run: The run.
        columns: `STEP_COLUMNS`, `EPOCH_COLUMNS`, or some of them.
    """
    try:
        metric = run.config.metric
    except RunError:  # its settings are lost
        metric = "accuracy"
    return tuple(name.replace("accuracy", metric) for name in columns)


def append_epoch(run: Run, values: Mapping[str, Any]) -> None:
    """Adds a row to history.csv.

    Args:
        run: The run.
        values: By the names of `EPOCH_COLUMNS` as `named_columns` says; those that are
            missing stay empty.

    Raises:
        OSError: The disk is full or fails.
    """
    columns = named_columns(run, EPOCH_COLUMNS)
    row = [values.get(name, "") for name in columns]
    append_rows(run.history_path, columns, [row])


def read_history(run: Run) -> pd.DataFrame:
    """The run's history.csv without lines of another length; empty if there is none.

    Raises:
        FileError: It is no table.
    """
    import pandas as pd

    content = read_bytes(run.history_path, MOST_TABLE_BYTES)
    if not content:
        return pd.DataFrame()
    try:
        return pd.read_csv(io.BytesIO(content), on_bad_lines="skip")
    except ValueError as error:
        raise damaged(run.history_path, _("it is no table")) from error


def append_steps(run: Run, rows: Iterable[Sequence[Any]]) -> None:
    """Adds rows to steps.csv, all of them or none.

    Args:
        run: The run.
        rows: Each with a value for every column of `STEP_COLUMNS`.

    Raises:
        OSError: The disk is full or fails.
    """
    append_rows(run.steps_path, named_columns(run, STEP_COLUMNS), rows)


def rewind_steps(run: Run, step: int) -> None:
    """Removes the rows of steps.csv that lie behind a step; harmless without a file.

    Rows without a step go, too; a file that is no table is put aside.
    """
    _rewind(run.steps_path, named_columns(run, STEP_COLUMNS), "step", step)


def rewind_history(run: Run, epoch: int) -> None:
    """Keeps each epoch of history.csv up to this one once, as it was written last.

    Rows without an epoch go, too; a file that is no table is put aside.
    """
    _rewind(run.history_path, named_columns(run, EPOCH_COLUMNS), "epoch", epoch)


def rewind(path: Path, columns: Sequence[str], epoch: int) -> None:
    """Like `rewind_history`, of another table whose rows are epochs."""
    _rewind(path, columns, "epoch", epoch)


def _rewind(path: Path, columns: Sequence[str], name: str, last: int) -> None:
    if not os.path.lexists(path):
        return
    position = columns.index(name)
    rows: dict[float, list[str]] = {}
    try:
        for row in read_cells(path, *columns):
            with contextlib.suppress(ValueError):
                rows[float(row[position])] = row
    except FileError:
        set_aside(path)
    earlier = [row for number, row in rows.items() if number <= last]
    write_rows(path, columns, earlier)
