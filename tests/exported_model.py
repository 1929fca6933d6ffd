"""An exported model as files, none of which is a model."""

from __future__ import annotations

from medmodel.core.storage import write_json
from medmodel.export.report import ExportReport, archive_path, export_folder
from medmodel.runs.run import Run


def write_export(run: Run, key: str, **values: object) -> None:
    """Writes what an export leaves: a report with these values, and a ZIP file."""
    facts: dict[str, object] = {
        **{"format": key, "model": "", "bytes": 13_500_000, "images": 60, "drawn": 0},
        **{"largest_difference": 3e-6, "same_class": 1.0, "latency": 0.009},
        **{"original_latency": 0.012, "memory": 90_000_000, "versions": {"keras": "3"}},
    }
    report = ExportReport(**{**facts, **values})  # type: ignore[arg-type]
    export_folder(run, key).mkdir(parents=True, exist_ok=True)
    archive_path(run, key).write_bytes(b"PK")
    write_json(export_folder(run, key) / "report.json", report)
