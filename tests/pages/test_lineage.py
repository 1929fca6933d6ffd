"""Lineage: from the data set over the run to its model, on each of the three pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.quality import indexing
from medmodel.runs.run import Run
from tests.finished_run import write_finished_run
from tests.pages.page import open_page


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "A *run*")


def nodes(page: AppTest) -> list[tuple[str, str]]:
    """Kind and address of each link of a lineage."""
    links = [link.proto for link in page.get("page_link")]
    return [
        (link.label.split("]")[0].removeprefix(":gray["), link.query_string)
        for link in links
        if link.label.startswith(":gray[")
    ]


def test_the_same_way_on_three_pages(run: Run, class_folders: Path) -> None:
    indexing.check_folder(class_folders)
    pages = [
        open_page("data/datasets.py", dataset=str(class_folders)),
        open_page("models/runs.py", run=run.id),
        open_page("results/evaluate.py", run=run.id),
    ]
    for page in pages:
        assert not page.exception
        kinds = [kind for kind, _ in nodes(page)]
        assert kinds == ["Data set", "Run", "Model"]
        addresses = [address for _, address in nodes(page)]
        assert "dataset=" in addresses[0]
        assert addresses[1] == addresses[2] == f"run={run.id}"


def test_a_run_without_a_model_ends_there(run: Run) -> None:
    run.model_path.unlink()
    page = open_page("models/runs.py", run=run.id)
    assert [kind for kind, _ in nodes(page)] == ["Data set", "Run"]
