"""The table of a batch: one line for each image, written as the model answers.

batch.csv holds scores as the model gives them. Calibration, prediction sets and flags
are of the model as it is when the table is read, as on all pages.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import FileError, RunError
from medmodel.core.storage import append_rows, damaged, read_bytes
from medmodel.evaluation.calibration.temperature_scaling import (
    apply_temperature,
    stored_temperature,
)
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.decision.conformal import ConformalPredictor
from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.evaluation.decision.predicted_class import (
    decision_threshold,
    predicted_positions,
)
from medmodel.evaluation.predictions import split_predictions
from medmodel.language import N_, _, translate
from medmodel.reports.spreadsheet import csv_file, csv_text
from medmodel.runs.run import Run
from medmodel.runs.tables.cells import read_cells, read_header
from medmodel.runs.tables.checked import MOST_TABLE_BYTES
from medmodel.runs.tables.predictions import (
    read_predictions,
    score_array,
    score_columns,
    scored_classes,
)

if TYPE_CHECKING:
    import pandas as pd

FILE = "batch.csv"
COLUMNS = (
    *("path", "label", "problem", "split", "frame", "frames"),
    *("unlike_training", "farther_than", "distance", "why_unlike"),
)
"""What batch.csv says of each image before its scores."""
COVERAGE = 0.95
"""Of the prediction sets in the table."""
Order = Literal["strangest", "uncertain", "worst"]
ORDERS: dict[Order, str] = {
    "strangest": N_("Strangest first"),
    "uncertain": N_("Most uncertain"),
    "worst": N_("Worst first"),
}
SIZE_FROM = "pixel_size_from"
"""Column of a table of outlines, see `batch.outlines`."""
_TEXTS = ("path", "label", "problem", "split", "why_unlike", SIZE_FROM)
_MISSING = [""]


@dataclass(frozen=True)
class ImageRow:
    """One line of the table.

    Args:
        path: Of the file in the folder.
        label: Its class where that is known, else "".
        problem: Why it could not be read; "" if it could.
        split: The split of the model's run that holds this very image, train or val;
            "" for none.
        frame: Which frame, page or slice was taken, from 0.
        frames: How many there are.
        unlike_training: Whether it is unlike the training data; None if not known.
        farther_than: Share of the judged images that lie nearer; None if not known.
        distance: From the training images, to sort by; None if not known.
        why_unlike: Why it is unlike them, in sentences; else "".
        scores: As the model gives them, (classes,); empty where it was not asked.
    """

    path: str
    label: str = ""
    problem: str = ""
    split: str = ""
    frame: int = 0
    frames: int = 1
    unlike_training: bool | None = None
    farther_than: float | None = None
    distance: float | None = None
    why_unlike: str = ""
    scores: Sequence[float] = ()


def append(path: Path, classes: Sequence[str], rows: Iterable[ImageRow]) -> None:
    """Adds lines to the table, all of them or none.

    Args:
        path: The table.
        classes: The model's, in order.
        rows: The lines.

    Raises:
        OSError: The disk is full or fails.
    """
    header = [*COLUMNS, *score_columns(classes)]
    unknown = [""] * len(classes)
    cells = (
        [*image_cells(row), *([f"{score:.8g}" for score in row.scores] or unknown)]
        for row in rows
    )
    append_rows(path, header, cells)


def image_cells(row: ImageRow) -> list[Any]:
    """What stands in `COLUMNS`."""
    unlike = "" if row.unlike_training is None else int(row.unlike_training)
    return [
        *(row.path, row.label, row.problem, row.split, row.frame, row.frames, unlike),
        "" if row.farther_than is None else f"{row.farther_than:.6g}",
        "" if row.distance is None else f"{row.distance:.6g}",
        row.why_unlike,
    ]


def answered_paths(path: Path) -> set[str]:
    """The images of which the table has a line already.

    Raises:
        FileError: It is no table.
    """
    return {cells[0] for cells in read_cells(path, "path")}


def check_classes(path: Path, classes: Sequence[str]) -> None:
    """Refuses a table that was written of other classes.

    Raises:
        FileError: It was, or it is no table.
    """
    check_header(path, [*COLUMNS, *score_columns(classes)])


def check_header(path: Path, expected: Sequence[str]) -> None:
    """Refuses a table that has other columns; one that is not there yet has none.

    Raises:
        FileError: It has, or it is no table.
    """
    header = read_header(path)
    if header and header != list(expected):
        raise damaged(path, _("it has other columns"))


def read(batch: Run) -> pd.DataFrame:
    """The lines that are there so far, in the order in which they came.

    Returns:
        The columns of `COLUMNS` and what follows them, such as `score_<class>`; texts
        are "" and numbers not-a-number where they are missing, `unlike_training` is 1,
        0 or not-a-number.

    Raises:
        RunError: The table is damaged.
    """
    import pandas as pd

    path = batch.folder / FILE
    try:
        content = read_bytes(path, MOST_TABLE_BYTES) or b""
        # The last line may be one that is being written.
        whole = content[: content.rfind(b"\n") + 1]
        header = next(csv.reader(io.StringIO(whole.decode("utf-8"))), [*COLUMNS])
        if tuple(header[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(_("it has other columns"))
        kinds = {name: str if name in _TEXTS else float for name in header}
        if not whole:
            return pd.DataFrame({n: pd.Series(dtype=kinds[n]) for n in header})
        # A class may be called "NA": no text of a text column means "missing" here.
        return pd.read_csv(
            io.BytesIO(whole),
            dtype=kinds,
            keep_default_na=False,
            na_values={name: _MISSING for name in header if name not in _TEXTS},
        )
    except FileError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(str(damaged(path, error))) from error


def described(table: pd.DataFrame, model: Run | None) -> pd.DataFrame:
    """The table with what the model's thresholds, temperature and images say of it.

    Args:
        table: As from `read`.
        model: The model's run; None where it is gone.

    Returns:
        Further columns: `predicted`; `score` of that class and `margin` between the
        two highest, after calibration where the model is calibrated, and whether they
        are `tied`: equal, and no threshold decides; `label_score`;
        `calibrated_<class>` where it is; `in_set_<class>` where the run has validation
        images, `flagged_<class>` where decision thresholds were chosen. Of images that
        could not be read they are empty.

    Raises:
        FileError: A file of the model's run is damaged.
    """
    import pandas as pd

    classes = scored_classes(table)
    raw = score_array(table, classes)
    answered = (table["problem"] == "").to_numpy() & np.isfinite(raw).all(axis=1)
    columns: dict[str, Any] = {}
    shown = raw
    temperature = stored_temperature(model) if model else None
    if temperature is not None and answered.any():
        shown = np.full_like(raw, np.nan)
        shown[answered] = apply_temperature(raw[answered], temperature.value)
        columns |= {f"calibrated_{c}": shown[:, i] for i, c in enumerate(classes)}
    columns |= _sets(raw, answered, classes, model)
    columns |= _flags(raw, answered, classes, model)
    ranked = np.sort(shown, axis=1)[:, ::-1] if len(classes) else np.empty((0, 0))
    predicted = np.full(len(table), "", object)
    score, margin, of_label, tied = (np.full(len(table), np.nan) for _n in range(4))
    if answered.any():
        threshold = decision_threshold(model) if model else None
        first = predicted_positions(raw[answered], classes, threshold)
        predicted[answered] = np.array(classes, object)[first]
        score[answered] = shown[np.flatnonzero(answered), first]
        second = ranked[answered, 1] if len(classes) > 1 else 0.0
        margin[answered] = ranked[answered, 0] - second
        tied[answered] = (margin[answered] == 0) & (threshold is None)
    for position, name in enumerate(classes):
        rows = answered & (table["label"] == name).to_numpy()
        of_label[rows] = shown[rows, position]
    columns = {
        "predicted": predicted,
        "score": score,
        "tied": tied,
        "margin": margin,
        "label_score": of_label,
        **columns,
    }
    more = pd.DataFrame(columns, index=table.index)
    return pd.concat([table, more], axis=1)


def _sets(
    raw: NDArray[np.float64],
    answered: NDArray[np.bool_],
    classes: Sequence[str],
    model: Run | None,
) -> dict[str, NDArray[Any]]:
    fitted = prediction_sets(model, classes)
    if fitted is None:
        return {}
    inside = fitted.sets(np.nan_to_num(raw))
    return {
        f"in_set_{name}": _marks(inside[:, i], answered)
        for i, name in enumerate(classes)
    }


def prediction_sets(
    model: Run | None, classes: Sequence[str]
) -> ConformalPredictor | None:
    """The prediction sets of a model, from its validation images; None without any."""
    if model is None or not model.predictions_path.exists():
        return None
    predictions = read_predictions(model)
    if not (predictions["split"] == "val").any():
        return None
    validation = split_predictions(predictions, "val")
    if validation.classes != list(classes):
        return None
    return conformal.fit(validation.scores, validation.truth, COVERAGE)


def _flags(
    raw: NDArray[np.float64],
    answered: NDArray[np.bool_],
    classes: Sequence[str],
    model: Run | None,
) -> dict[str, NDArray[Any]]:
    frozen = frozen_thresholds(model) if model else None
    if frozen is None:
        return {}
    cuts = {name: cut for name, cut in frozen[1].items() if np.isfinite(cut)}
    return {
        f"flagged_{name}": _marks(raw[:, i] >= cuts[name], answered)
        for i, name in enumerate(classes)
        if name in cuts
    }


def _marks(values: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[Any]:
    """1, 0, or not-a-number where the image could not be read."""
    return np.where(known, values.astype(float), np.nan)


def ordered(table: pd.DataFrame, order: Order) -> pd.DataFrame:
    """The images that could be read, in an order.

    Args:
        table: As from `described`, here or in `batch.findings`.
        order: `"strangest"` puts those first that are unlike the training data, then
            those that lie farthest from it; `"uncertain"` those where first and second
            class are closest, or a finding is closest to its threshold; `"worst"`
            those whose own class, or a finding of theirs or its absence, got the
            smallest score, and has only those whose class or findings are known.
    """
    rows = table[table["problem"] == ""]
    if order == "worst":
        return rows[rows["label"] != ""].sort_values("label_score", kind="stable")
    if order == "uncertain":
        return rows.sort_values("margin", kind="stable")
    return strangest_first(rows)


def strangest_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Images unlike the training data, then those that lie farthest from it."""
    return rows.sort_values(
        ["unlike_training", "distance"],
        ascending=False,
        kind="stable",
        na_position="last",
    )


def exported(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it is taken away, in the present language where it has sentences.

    Args:
        table: As from `described`, here, in `batch.outlines` or `batch.findings`.
    """
    unseen = ["margin", "distance", "label_score", "mask_start", "mask_bytes"]
    of_findings = "predicted_findings" in table
    if SIZE_FROM in table or (of_findings and (table["label"] == "").all()):
        # A class of images, which is none of pixels; findings that nobody told.
        unseen.append("label")
    rows = table.drop(columns=unseen, errors="ignore")
    rows["frame"] = (rows["frame"] + 1).astype("Int64")
    rows["frames"] = rows["frames"].astype("Int64")
    for name in map(str, rows):
        if name in ("unlike_training", "tied") or name.startswith(
            ("in_set_", "flagged_")
        ):
            rows[name] = rows[name].astype("boolean")
        elif name.startswith(("pixels_", "regions_")):
            rows[name] = rows[name].astype("Int64")
    for name in ("problem", "why_unlike"):
        rows[name] = [translate(text) for text in rows[name]]
    return rows


def csv_bytes(table: pd.DataFrame) -> bytes:
    """An exported table as CSV, in which no spreadsheet finds a formula."""
    return csv_file(csv_text(table))


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """An exported table as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
