"""CSV tables of a run's folder: predictions, split, history of epochs, training steps.

Their columns, their writing and their reading; the paths are those of `Run`.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from medmodel.core.errors import FileError, RunError
from medmodel.core.regular_files import open_regular
from medmodel.core.storage import (
    append_rows,
    csv_text,
    damaged,
    read_as,
    read_bytes,
    set_aside,
    unreadable,
    write_json,
    write_rows,
)
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SAMPLE_COLUMNS = ("path", "patient", "split", "label")
"""What predictions.csv says of each image before its scores."""
PREDICTED = "predicted"
"""Column of the predicted class, where a threshold decides, not the highest score."""
SPLIT_COLUMNS = ("path", "label", "patient", "split", "digest")
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
SEGMENTATION_COLUMNS = (
    *("path", "patient", "split", "class", "dice", "iou", "lesions", "found", "area"),
    *("predicted_area", "pixel_area_mm2", "hd95", "hd95_mm"),
)
"""Areas and `hd95` in pixels; `hd95_mm` and the area of a pixel where it is known."""
CHECKSUMS = "checksums.json"
"""What split.csv and predictions.csv were when they were written."""
MOST_TABLE_BYTES = 4 << 30
_SPLITS = {"train", "val", "test"}
_SCORE = "score_"
_ROUNDING = 1e-3
_LONGEST_LINE = 1 << 20
"""In characters: no line of ours comes near, of a damaged file one may be all of it."""


@dataclass(frozen=True)
class Checksum:
    """What a table was when it was written.

    Args:
        rows: Its lines without the header.
        sha256: Of its bytes, hexadecimal.
    """

    rows: int
    sha256: str


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
    try:
        content = read_checked(run, run.predictions_path)
        if content is None:
            run.check_classifies()
            raise _no_predictions(run)
        return _parse_predictions(content)
    except FileError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(
            _(
                "The predictions.csv of {title} cannot be read ({reason}): restore "
                "it from a backup, or train again.",
                title=run.title,
                reason=error,
            )
        ) from error


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

    try:
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
    except FileError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(
            _(
                "The segmentation.csv of {title} cannot be read ({reason}): restore it "
                "from a backup, or train again.",
                title=run.title,
                reason=error,
            )
        ) from error


def _no_predictions(run: Run) -> RunError:
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


def check_samples(table: pd.DataFrame) -> None:
    """Refuses rows without a path or split, and those that occur twice.

    Raises:
        ValueError: There is one.
    """
    if table.isna().to_numpy().any() or (table["path"] == "").any():
        raise ValueError(_("a row is cut short"))
    if not set(table["split"]) <= _SPLITS:
        raise ValueError(_("a row belongs to no split"))
    twice = table[table.duplicated(["path", "split"])]
    if len(twice):
        raise ValueError(_("{rows} rows occur twice", rows=len(twice)))


def write_checked(
    run: Run, path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Writes a table, and beside it what tells later whether it is still whole."""
    checksums = _checksums(run)
    if checksums.pop(path.name, None):
        # Ended in between, it must not be taken for the table that is new.
        _write_checksums(run, checksums)
    write_rows(path, header, rows)
    checksums[path.name] = _checksum(path.read_bytes())
    _write_checksums(run, checksums)


def read_checked(run: Run, path: Path) -> bytes | None:
    """The content of a table; None if there is none.

    Raises:
        FileError: It is not what was written. Runs of earlier versions do not say.
    """
    content = read_bytes(path, MOST_TABLE_BYTES)
    expected = None if content is None else _checksums(run).get(path.name)
    if content is None or expected is None:
        return content
    actual = _checksum(content)
    if actual.rows != expected.rows:
        raise damaged(
            path,
            _(
                "it has {rows:,} of {expected:,} rows",
                rows=actual.rows,
                expected=expected.rows,
            ),
        )
    if actual != expected:
        raise damaged(
            path, _("it was changed since {file} was written", file=CHECKSUMS)
        )
    return content


def split_checksum(run: Run) -> Checksum | None:
    """What split.csv was when it was written; None for runs of earlier versions."""
    return _checksums(run).get(run.split_path.name)


def split_checksum_of(table: pd.DataFrame) -> Checksum:
    """What a split would be on the disk."""
    header, rows = _split_lines(table)
    return _checksum(csv_text(header, rows).encode())


def set_damaged_checksums_aside(run: Run) -> None:
    """Renames a damaged checksums.json: the tables then count as of an earlier version.

    Raises:
        OSError: The disk fails.
    """
    try:
        _checksums(run)
    except FileError:
        set_aside(run.folder / CHECKSUMS)


def _checksums(run: Run) -> dict[str, Checksum]:
    """What the tables were when they were written, by their names.

    Raises:
        FileError: The file of it was changed.
    """
    path = run.folder / CHECKSUMS
    checksums = read_as(path, dict[str, Checksum]) or {}
    # Earlier versions did not say what the file itself was.
    expected = checksums.pop(CHECKSUMS, None)
    if expected not in (None, _checksum_of_checksums(checksums)):
        raise damaged(path, _("it was changed"))
    return checksums


def _write_checksums(run: Run, checksums: Mapping[str, Checksum]) -> None:
    values = {**checksums, CHECKSUMS: _checksum_of_checksums(checksums)}
    write_json(run.folder / CHECKSUMS, values)


def _checksum_of_checksums(checksums: Mapping[str, Checksum]) -> Checksum:
    lines = sorted(f"{name} {c.rows} {c.sha256}\n" for name, c in checksums.items())
    return _checksum("".join(lines).encode())


def _checksum(content: bytes) -> Checksum:
    rows = max(content.count(b"\n") - 1, 0)
    return Checksum(rows, hashlib.sha256(content).hexdigest())


def write_split(run: Run, table: pd.DataFrame) -> None:
    """Writes split.csv, entirely or not at all.

    Args:
        run: The run.
        table: Columns `SPLIT_COLUMNS`; an external test's has no digests.
    """
    write_checked(run, run.split_path, *_split_lines(table))


def _split_lines(table: pd.DataFrame) -> tuple[list[str], Iterable[Sequence[Any]]]:
    """Header and rows of split.csv."""
    return [*map(str, table)], table.itertuples(index=False)


def read_split(run: Run) -> pd.DataFrame:
    """The run's split.csv, all columns as text; older runs have no digests.

    Raises:
        RunError: There is no such table, or it is not what was written.
    """
    import pandas as pd

    try:
        content = read_checked(run, run.split_path)
        if content is None:
            raise RunError(
                _(
                    "The split.csv of {title} is missing: restore it from a backup.",
                    title=run.title,
                )
            )
        table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        missing = {"path", "patient", "split"} - set(table)
        if missing:
            raise ValueError(_("it has no column {column}", column=min(missing)))
        check_samples(table)
        return table
    except FileError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(
            _(
                "The split.csv of {title} cannot be read ({reason}): restore it "
                "from a backup, or train a new run.",
                title=run.title,
                reason=error,
            )
        ) from error


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


def read_header(path: Path) -> list[str]:
    """The first line's cells; empty if there is no file."""
    return next(_lines(path), [])


def read_cells(path: Path, *names: str) -> Iterator[list[str]]:
    """Text of the named columns of every whole line, without the cost of pandas.

    Nothing if there is no file, or none of its columns has one of the names. Lines
    that are being written are left out.

    Raises:
        FileError: The file cannot be read, or is no table.
    """
    lines = _lines(path)
    header = next(lines, [])
    if not set(names) <= set(header):
        return
    positions = [header.index(name) for name in names]
    for cells in lines:
        if len(cells) == len(header):
            yield [cells[position] for position in positions]


def _short_lines(file: IO[str]) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise csv.Error(_("a line is too long"))
        yield line


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as file:
            yield from csv.reader(_short_lines(file))
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise damaged(path, _("it is no table")) from error
