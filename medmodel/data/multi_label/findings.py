"""Findings of an image, written into the one label that its row has.

`effusion|nodule` is an image with both, `NO_FINDING` one with none. Which findings a
data set has stands beside its index: a class that is called `a|b` stays a class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.data.layouts.split_names import without_accents

if TYPE_CHECKING:
    import pandas as pd

NO_FINDING = "No finding"
SEPARATOR = "|"
_NONE = {
    *("nofinding", "nofindings", "normal", "none", "healthy", "noabnormality"),
    *("nodisease", "nopathology", "unremarkable", "ohnebefund", "normalbefund"),
    *("sansparticularite", "sinhallazgos", "正常", "无异常", "未见异常"),
}
"""What people write of an image without a finding, in small letters and nothing else:
`No Finding` in ChestX-ray14 (Wang et al. 2017, CVPR) and CheXpert (Irvin et al. 2019,
AAAI)."""


def is_no_finding(name: str) -> bool:
    """Whether a column or a part of a label says that there is no finding."""
    return re.sub(r"[\W_]+", "", without_accents(name)) in _NONE


def finding_name(name: str) -> str:
    """A column's name as one finding's: it must not look like two."""
    return " ".join(name.replace(SEPARATOR, "/").split())


def join_findings(findings: Iterable[str]) -> str:
    """The label of an image with these findings."""
    return SEPARATOR.join(map(finding_name, findings)) or NO_FINDING


def split_findings(label: str) -> tuple[str, ...]:
    """The findings of a label; the inverse of `join_findings`."""
    return () if label == NO_FINDING else tuple(label.split(SEPARATOR))


def findings_of(labels: Iterable[str]) -> list[str]:
    """All findings of some images, sorted."""
    return sorted({name for label in set(labels) for name in split_findings(label)})


def indicators(labels: Sequence[str], findings: Sequence[str]) -> NDArray[np.bool_]:
    """Which image has which finding, (images, findings)."""
    rows = {label: [f in split_findings(label) for f in findings] for label in labels}
    table = [rows[label] for label in labels]
    return np.array(table, bool).reshape(len(labels), len(findings))


def row_per_finding(table: pd.DataFrame) -> pd.DataFrame:
    """A table with a row for each finding of an image, and one for an image without.

    Args:
        table: With a column `label`, as from `join_findings`.
    """
    parts = table["label"].map(lambda label: split_findings(label) or (NO_FINDING,))
    return table.assign(label=parts).explode("label", ignore_index=True)
