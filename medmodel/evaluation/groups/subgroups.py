"""Subgroups of a split by size, format, brightness, patient or file name.

A part that was chosen after the test images had been seen is a hint, no result: of many
parts some differ by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

FACT_TITLES: dict[str, str] = {
    "format": N_("File format"),
    "mode": N_("Colour mode"),
    "seen": N_("How a scan became grey"),
    "frames": N_("Slices in the file"),
    "width": N_("Width in pixels"),
    "height": N_("Height in pixels"),
    "mean": N_("Brightness (mean grey level)"),
    "spread": N_("Contrast (spread of grey levels)"),
    "colour": N_("Colour (mean distance from grey)"),
    "white": N_("White pixels in per cent"),
    "bytes": N_("File size in bytes"),
}
"""Columns of a data set's index by which images can be told apart."""


@dataclass(frozen=True)
class Subgroup:
    """Which images are asked for by what they are; nothing set means all.

    Args:
        text: Only images whose path or patient holds this, whatever its case.
        kinds: Fact -> the texts that it may have, as pairs.
        ranges: Fact -> lowest and highest number, both included, as pairs.
    """

    text: str = ""
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ranges: tuple[tuple[str, tuple[float, float]], ...] = ()

    def __str__(self) -> str:
        """As people read it; empty where nothing is set."""
        either = _(" or ")
        said = [
            f"{_(FACT_TITLES[name])} {either.join(texts)}" for name, texts in self.kinds
        ]
        said += [
            _(
                "{fact} {low:,g} to {high:,g}",
                fact=_(FACT_TITLES[name]),
                low=low,
                high=high,
            )
            for name, (low, high) in self.ranges
        ]
        if self.text.strip():
            said.append(
                _("patient or file name holds “{text}”", text=self.text.strip())
            )
        return "; ".join(said)

    def holds(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether each image is asked for, shape `(n,)`.

        Args:
            rows: Columns `path`, `patient` and the facts, as from `with_facts`.
        """
        inside = np.ones(len(rows), bool)
        for name, texts in self.kinds:
            inside &= rows[name].isin(texts).to_numpy(bool)
        for name, (low, high) in self.ranges:
            inside &= rows[name].between(low, high).to_numpy(bool)
        wanted = self.text.strip().casefold()
        if wanted:
            inside &= _holds(rows["path"], wanted) | _holds(rows["patient"], wanted)
        return inside


ALL = Subgroup()
"""Every image: nothing is asked for."""


def with_facts(rows: pd.DataFrame, index: pd.DataFrame | None) -> pd.DataFrame:
    """The same images with a column for each fact that the index knows.

    Args:
        rows: One row per image with its `path`; order and number stay.
        index: Table of a `datasets.Index`; None where the data set was not checked.

    Returns:
        Facts of images that the index does not know are "" or not-a-number.
    """
    if index is None:
        return rows
    titles = [name for name in FACT_TITLES if name in index]
    facts = index.drop_duplicates("path").set_index("path")[titles]
    facts_of_rows = facts.reindex(rows["path"])
    for name in titles:
        column = facts_of_rows[name]
        text = facts[name].dtype.kind not in "iuf"
        rows = rows.assign(**{name: (column.fillna("") if text else column).to_numpy()})
    return rows


def subgroup_options(
    rows: pd.DataFrame,
) -> dict[str, tuple[str, ...] | tuple[float, float]]:
    """The facts in which these images differ.

    Returns:
        Fact -> the texts that occur, sorted, or the smallest and the largest number.
    """
    options: dict[str, tuple[str, ...] | tuple[float, float]] = {}
    for name in FACT_TITLES:
        if name not in rows:
            continue
        column = rows[name].dropna()
        if column.nunique() < 2:
            continue
        if rows[name].dtype.kind in "iuf":
            options[name] = float(column.min()), float(column.max())
        else:
            options[name] = tuple(sorted(map(str, set(column))))
    return options


def _holds(column: pd.Series, text: str) -> NDArray[np.bool_]:
    return np.array([text in value.casefold() for value in column], bool)
