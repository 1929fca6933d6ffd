"""split.csv: which image a run learns from, which it is validated and tested on."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from medmodel.core.errors import RunError
from medmodel.core.storage import csv_text
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.tables.checked import (
    Checksum,
    check_samples,
    checksum,
    checksum_of,
    read_checked,
    unreadable_told,
    write_checked,
)

if TYPE_CHECKING:
    import pandas as pd

SPLIT_COLUMNS = ("path", "label", "patient", "split", "digest")


def write_split(run: Run, table: pd.DataFrame) -> None:
    """Writes split.csv, entirely or not at all.

    Args:
        run: The run.
        table: Columns `SPLIT_COLUMNS`; an external test's has no digests.
    """
    write_checked(run, run.split_path, *_split_lines(table))


def read_split(run: Run) -> pd.DataFrame:
    """The run's split.csv, all columns as text; older runs have no digests.

    Raises:
        RunError: There is no such table, or it is not what was written.
    """
    import pandas as pd

    with unreadable_told(run, run.split_path):
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


def split_checksum(run: Run) -> Checksum | None:
    """What split.csv was when it was written; None for runs of earlier versions."""
    return checksum_of(run, run.split_path)


def split_checksum_of(table: pd.DataFrame) -> Checksum:
    """What a split would be on the disk."""
    header, rows = _split_lines(table)
    return checksum(csv_text(header, rows).encode())


def _split_lines(table: pd.DataFrame) -> tuple[list[str], Iterable[Sequence[Any]]]:
    """Header and rows of split.csv."""
    return [*map(str, table)], table.itertuples(index=False)
