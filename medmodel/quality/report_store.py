"""Files that keep what the last check of a data set found, beside its index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from medmodel.core.errors import FileError
from medmodel.core.storage import Content, read_as, replacing, write_json
from medmodel.data.datasets import Index, index_folder, is_indexed
from medmodel.data.splits import guess_patient_pattern
from medmodel.quality.assessment import Measured
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import Issue

_Version = Literal[1]
"""To be raised when `DatasetReport` or `Issue` changes: older files are not read."""


@dataclass(frozen=True)
class _ReportFile:
    version: _Version
    report: DatasetReport
    pattern: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class _IssuesFile:
    version: _Version
    findings: list[Issue]


@dataclass(frozen=True)
class _MeasuredFile:
    """Version 1 was `Measured` alone; it missed most near copies of another size."""

    version: Literal[2]
    measured: Measured


def load_report(folder: Path) -> DatasetReport | None:
    """The report of the last check, read in milliseconds; None if there is none.

    One of a data set that is to be read otherwise since is none.
    """
    file = _read(folder, "report.json", _ReportFile) if is_indexed(folder) else None
    return file.report if file else None


def load_pattern(folder: Path) -> str:
    """The pattern for patients that the report was made with."""
    file = _read(folder, "report.json", _ReportFile)
    return file.pattern if file else ""


def suggested_pattern(folder: Path, paths: Iterable[str]) -> str:
    """The pattern for patients that a training starts with.

    Args:
        folder: The data set.
        paths: Of its files, for a guess where nobody has checked it.
    """
    if load_report(folder) is not None:
        return load_pattern(folder)
    return guess_patient_pattern(paths)


def chosen_pattern(folder: Path) -> str | None:
    """The same where a person gave it: that outlives the next check; else None."""
    file = _read(folder, "report.json", _ReportFile)
    return file.pattern if file and file.chosen else None


def save_report(
    folder: Path, report: DatasetReport, pattern: str, chosen: bool
) -> None:
    """Keeps a report; `chosen` tells whether a person gave the pattern."""
    values = asdict(_ReportFile(1, report, pattern, chosen))
    with replacing(index_folder(folder) / "report.json") as file:
        json.dump(values, file, ensure_ascii=False)


def load_issues(folder: Path) -> list[Issue] | None:
    """The quality issues of the last check; None if this version made none."""
    file = _read(folder, "findings.json", _IssuesFile)
    return file.findings if file else None


def save_issues(folder: Path, quality_issues: Sequence[Issue]) -> None:
    """Keeps the quality issues."""
    file = _IssuesFile(1, list(quality_issues))
    write_json(index_folder(folder) / "findings.json", file)


def load_measured(index: Index) -> Measured | None:
    """What the last check measured, if it was of the same images."""
    file = _read(index.folder, "measured.json", _MeasuredFile)
    same = file is not None and file.measured.fingerprint == index.fingerprint
    return file.measured if file and same else None


def save_measured(folder: Path, measured: Measured) -> None:
    """Keeps what was measured."""
    file = _MeasuredFile(2, measured)
    write_json(index_folder(folder) / "measured.json", file)


def _read(folder: Path, name: str, kind: type[Content]) -> Content | None:
    """What a file beside the index holds; None where it is missing, damaged or older.

    The next check writes it anew.
    """
    try:
        return read_as(index_folder(folder) / name, kind)
    except FileError:
        return None
