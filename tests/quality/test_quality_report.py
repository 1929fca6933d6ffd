"""The quality report as HTML: what names hold is text, examples are in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medmodel.core.config import TrainConfig
from medmodel.data import datasets, splits
from medmodel.data.curation import Action
from medmodel.imaging.images import png_bytes
from medmodel.quality import quality_report, thumbnails
from medmodel.quality.checks import examine
from medmodel.quality.issues import Issue
from tests.conftest import draw_class_folders
from tests.html_elements import HOSTILE, HTMLElements


def report_with(folder: Path, name: str) -> HTMLElements:
    """The report of a data set all of whose names end in `name`, read as HTML."""
    draw_class_folders(folder, (f"a{name}", f"b{name}"))
    index = datasets.index_dataset(folder)
    report = examine(index, splits.assign_splits(index, TrainConfig(str(folder))))
    issue = Issue("kind", f"title {name}", name, "warning", 1234, [[name, "b"]] * 51)
    decisions = [
        Action("classes", "", names={name: "", "b": name}),
        Action("leave_out", name, [[name]]),
    ]
    return HTMLElements(quality_report.as_html(folder, report, [issue], decisions))


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    plain = report_with(tmp_path / "plain", "plain")
    hostile = report_with(tmp_path / HOSTILE, HOSTILE)
    assert hostile.elements == plain.elements
    for text in (
        *(f"a{HOSTILE}", f"b{HOSTILE}", f"title {HOSTILE} (1,234)", f"{HOSTILE} · b"),
        f"Classes: {HOSTILE} → left out, b → {HOSTILE}",
        f"1 files left out: {HOSTILE}",
        f"Folder {HOSTILE}: 24 images.",
    ):
        assert text in hostile.text
    assert hostile.text.count(f"{HOSTILE} · b") == 50


def test_examples_are_in_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert ("img", "alt", "src") not in report_with(folder, "").elements
    strip = thumbnails.issue_strip(folder, "kind")
    strip.parent.mkdir(parents=True, exist_ok=True)
    strip.write_bytes(png_bytes(np.zeros((4, 4, 3), np.uint8)))
    assert ("img", "alt", "src") in report_with(folder, "").elements
