"""By group, on Evaluate: from a table beside the images, or how to get there."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.evaluation.decision.positive_class import choose_positive
from medmodel.evaluation.groups.run_groups import group_table, groups_of_run
from medmodel.reports.evaluation_html import evaluation_page
from medmodel.runs.run import Run
from pages._shared.evaluation.groups_view import _how_tested
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said

PAGE = "results/evaluate.py"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = draw_class_folders(tmp_path / "data" / "easy", images_per_class=60)
    return write_finished_run(folder, "A run")


def describe(run: Run) -> None:
    folder = Path(run.config.dataset)
    names = sorted(path.stem for path in folder.glob("*/*"))
    lines = [f"{name},{'FM'[at % 2]},{91 + at % 5}" for at, name in enumerate(names)]
    (folder / "about.csv").write_text("\n".join(["file,sex,age", *lines]))


def test_without_attributes_it_says_how_to_get_them(run: Run) -> None:
    app = open_page(PAGE, run=run.id, view="By group")
    assert any("Put a table (CSV or a workbook)" in box.value for box in app.info)


def test_groups_stand_on_the_page_in_the_table_and_in_the_report(run: Run) -> None:
    describe(run)
    app = open_page(PAGE, run=run.id, view="By group")
    assert not app.error and "**Sex**" in said(app)
    assert "tested by permutation" in said(app) and "Holm" not in said(app)
    table = group_table(groups_of_run(run).comparison)
    assert set(table["attribute"]) == {"Sex"} and set(table["group"]) == {"F", "M"}
    page = evaluation_page(run)
    assert "<h2>By group</h2>" in page
    # One band of ages parts nothing; no age is written anywhere.
    assert "95" not in "".join(map(str, table["group"]))


def test_holm_is_named_where_there_is_more_than_one_test() -> None:
    none, one, several = map(_how_tested, (0, 1, 3))
    assert none == "Groups with too few images have no interval and are not tested."
    assert "permutation" in one and "Holm" not in one
    assert "corrected for all 3 gaps (Holm)" in several


def test_a_table_and_a_positive_class_are_seen_at_once(run: Run) -> None:
    app = open_page(PAGE, run=run.id, view="By group")
    assert any("Nothing is known" in box.value for box in app.info)
    describe(run)
    app = open_page(PAGE, run=run.id, view="By group")
    assert "**Sex**" in said(app)
    assert "Choose the positive class under Metrics" in said(app)
    choose_positive(run, "light")
    app = open_page(PAGE, run=run.id, view="By group")
    assert "Choose the positive class under Metrics" not in said(app)
