"""What the one-page PDF of an evaluation says."""

from __future__ import annotations

from typing import Any

import pytest

from medmodel.export.documents import documents
from medmodel.reports.pdf_canvas import PdfCanvas
from medmodel.runs.run import Run


def text_of_the_sheet(run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """All that is written on it, in the order of writing."""
    lines: list[str] = []

    def noted(page: PdfCanvas, *place: Any) -> None:
        lines.append(place[2])

    with monkeypatch.context() as patched:
        patched.setattr(PdfCanvas, "text", noted)
        documents(run)["evaluation pdf"](run)
    return " ".join(lines)
