"""findings.csv of a run on several findings: what images have, and its model says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from medmodel.core.errors import RunError
from medmodel.language import _
from medmodel.runs.run import Run
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

IMAGE_COLUMNS = ("path", "patient", "split")
"""What findings.csv says of each image before its findings."""
_TRUE, _SCORE = "true_", "score_"
_ROUNDING = 1e-3


def write_findings(
    run: Run,
    findings: Sequence[str],
    samples: pd.DataFrame,
    answers: tuple[NDArray[np.bool_], NDArray[np.floating]],
) -> None:
    """Writes findings.csv, entirely or not at all.

    Args:
        run: The run.
        findings: In the order of the model's outputs.
        samples: Columns `IMAGE_COLUMNS`, one row per image.
        answers: Which findings each image has, and the model's probabilities; both of
            shape `(images, findings)`.
    """
    rows = samples[list(IMAGE_COLUMNS)].itertuples(index=False)
    header = [
        *IMAGE_COLUMNS,
        *(f"{kind}{name}" for name in findings for kind in (_TRUE, _SCORE)),
    ]
    lines = (
        [
            *row,
            *(
                v
                for t, s in zip(true, score, strict=True)
                for v in (int(t), f"{s:.8g}")
            ),
        ]
        for row, true, score in zip(rows, *answers, strict=True)
    )
    write_checked(run, run.findings_path, header, lines)


def read_findings(run: Run) -> pd.DataFrame:
    """The run's findings.csv.

    Returns:
        Columns `IMAGE_COLUMNS` as text; of each finding `true_<finding>` as bool and
        `score_<finding>` as float64.

    Raises:
        RunError: There is no such table yet, or it is not what was written.
    """
    with unreadable_told(run, run.findings_path):
        content = read_checked(run, run.findings_path)
        if content is None:
            raise RunError(
                _(
                    "The run {title} has not answered about its test images yet: "
                    "findings.csv comes when it ends.",
                    title=run.title,
                )
            )
        return _parsed(content)


def finding_names(table: pd.DataFrame) -> list[str]:
    """The findings of a table as from `read_findings`, in its order."""
    names = [str(name) for name in table if str(name).startswith(_SCORE)]
    return [name.removeprefix(_SCORE) for name in names]


def truth_and_score(
    table: pd.DataFrame, finding: str
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which images have a finding, and the model's probability of it."""
    truth = table[f"{_TRUE}{finding}"].to_numpy(bool)
    return truth, table[f"{_SCORE}{finding}"].to_numpy(float)


def _parsed(content: bytes) -> pd.DataFrame:
    """The table of these bytes.

    Raises:
        ValueError: It has no findings, or a row that no model writes.
    """
    import pandas as pd

    names = [str(name) for name in pd.read_csv(io.BytesIO(content), nrows=0)]
    findings = [n.removeprefix(_SCORE) for n in names if n.startswith(_SCORE)]
    expected = [f"{kind}{name}" for name in findings for kind in (_TRUE, _SCORE)]
    if not findings or names != [*IMAGE_COLUMNS, *expected]:
        raise ValueError(_("its columns are others"))
    kinds = {
        name: float
        for name in names[len(IMAGE_COLUMNS) :]
        if name.startswith((_TRUE, _SCORE))
    }
    texts = dict.fromkeys(IMAGE_COLUMNS, str)
    table = pd.read_csv(
        io.BytesIO(content),
        dtype={**kinds, **texts},
        keep_default_na=False,
    )
    check_samples(table)
    for name in findings:
        truth, score = table[f"{_TRUE}{name}"], table[f"{_SCORE}{name}"]
        if not ((score >= -_ROUNDING) & (score <= 1 + _ROUNDING)).all():
            raise ValueError(_("a score is no number from 0 to 1"))
        if not truth.isin([0, 1]).all():
            raise ValueError(_("a finding is neither 0 nor 1"))
        table[f"{_TRUE}{name}"] = truth.astype(bool)
    return table
