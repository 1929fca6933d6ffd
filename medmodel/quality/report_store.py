"""Files that keep what the last check of a data set found, beside its index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medmodel.core.storage import read_json, replacing, write_json
from medmodel.data.datasets import Index, index_folder
from medmodel.quality import issues
from medmodel.quality.assessment import Measured
from medmodel.quality.checks import DatasetReport

_VERSION = 1
"""Of report.json; to be raised when `DatasetReport` changes."""


def load_report(folder: Path) -> DatasetReport | None:
    """The report of the last check, read in milliseconds; None if there is none."""
    values = _read(folder, "report.json")
    return DatasetReport.from_json(values["report"]) if values else None


def load_pattern(folder: Path) -> str:
    """The pattern for patients that the report was made with."""
    return str(_read(folder, "report.json").get("pattern", ""))


def chosen_pattern(folder: Path) -> str | None:
    """The same where a person gave it: that outlives the next check; else None."""
    values = _read(folder, "report.json")
    return str(values["pattern"]) if values.get("chosen") else None


def save_report(
    folder: Path, report: DatasetReport, pattern: str, chosen: bool
) -> None:
    """Keeps a report; `chosen` tells whether a person gave the pattern."""
    values = {
        "version": _VERSION,
        "pattern": pattern,
        "chosen": chosen,
        "report": report.to_json(),
    }
    with replacing(index_folder(folder) / "report.json") as file:
        json.dump(values, file, ensure_ascii=False)


def load_issues(folder: Path) -> list[issues.Issue] | None:
    """The quality issues of the last check; None if this version made none."""
    values = _read(folder, "findings.json")
    return issues.from_json(values["findings"]) if values else None


def save_issues(folder: Path, quality_issues: Sequence[issues.Issue]) -> None:
    """Keeps the quality issues."""
    values = {"version": _VERSION, "findings": issues.to_json(list(quality_issues))}
    write_json(index_folder(folder) / "findings.json", values)


def load_measured(index: Index) -> Measured | None:
    """What the last check measured, if it was of the same images."""
    values = _read(index.folder, "measured.json", version=None)
    if values.get("fingerprint") != index.fingerprint:
        return None
    return Measured(**values)


def save_measured(folder: Path, measured: Measured) -> None:
    """Keeps what was measured."""
    write_json(index_folder(folder) / "measured.json", measured._asdict())


def _read(folder: Path, name: str, version: int | None = _VERSION) -> dict[str, Any]:
    """What a file beside the index holds; empty where it is missing, damaged or older.

    The next check writes it anew.
    """
    try:
        values = read_json(index_folder(folder) / name)
    except (ValueError, RecursionError):
        return {}
    readable = isinstance(values, dict) and values.get("version") == version
    return values if readable else {}
