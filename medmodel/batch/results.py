"""What a batch says, whatever its model: the table as all who show it have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medmodel.batch import findings, outlines, table
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


def described(batch: Run, model: Run | None) -> pd.DataFrame:
    """The lines that are there so far, with what follows from them.

    Args:
        batch: The batch.
        model: The model's run; None where it is gone.

    Returns:
        As `outlines.described` where the model outlines, as `findings.described` where
        it gives several findings, else as `table.described`.

    Raises:
        RunError: The table is damaged, or findings.csv of the model's run.
        FileError: Another file of the model's run is damaged.
    """
    rows = table.read(batch)
    if batch.config.segments:
        return outlines.described(rows)
    if batch.config.multi_label:
        return findings.described(rows, model)
    return table.described(rows, model)
