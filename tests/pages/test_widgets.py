"""Runs and data sets by name; the run of a link."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from medmodel.core.errors import DataError
from medmodel.runs import run_index
from pages._shared.common.widgets import (
    errors_shown,
    folder_name,
    follow_link,
    pick_run,
    run_label,
    store,
)
from tests.finished_run import write_finished_run
from tests.pages.page import show_part


def test_a_run_in_one_line(class_folders: Path) -> None:
    run = write_finished_run(class_folders, "Mine")
    (entry,) = run_index.finished(store())
    day, clock = run.id[4:8], run.id[9:13]
    when = f"{day[2:]}.{day[:2]}. {clock[:2]}:{clock[2:]}"
    assert run_label(entry).startswith("Mine · ")
    assert run_label(entry).endswith(f" on validation · {when}")
    unmeasured = run_index.Entry(**{**vars(entry), "val_accuracy": None})
    assert run_label(unmeasured) == f"Mine · {when}"


def test_a_folder_of_the_workspace_is_shown_from_there_on(workspace: Path) -> None:
    assert folder_name(str(workspace / "datasets" / "chest" / "ct")) == "chest/ct"
    assert folder_name("/data/chest/ct") == "ct"
    assert folder_name("") == "a data set that is not known any more"


def test_the_run_of_a_link_is_chosen_once(class_folders: Path) -> None:
    runs = [write_finished_run(class_folders, name) for name in ("one", "two")]
    chosen: list[str | None] = []

    def part() -> None:
        st.query_params.setdefault("run", runs[1].id)
        run = pick_run()
        chosen.append(None if run is None else run.id)

    app = show_part(part)
    assert chosen == [runs[1].id]
    app.selectbox[0].set_value(runs[0].id).run()
    assert not app.exception and chosen[-1] == runs[0].id


@pytest.mark.parametrize("link", ["", "gone"])
def test_a_link_to_no_run_chooses_none(class_folders: Path, link: str) -> None:
    write_finished_run(class_folders, "one")

    def part() -> None:
        st.query_params["run"] = link
        follow_link()
        st.markdown(str(st.session_state.get("run")))

    assert show_part(part).markdown[0].value == "None"


def test_nothing_to_pick_from_and_errors_in_a_sentence(workspace: Path) -> None:
    def part() -> None:
        assert pick_run() is None
        with errors_shown():
            raise DataError("It is *odd*.")

    app = show_part(part)
    assert not app.selectbox
    assert [error.value for error in app.error] == [r"It is \*odd\*\."]
