"""Data sets by name; errors as sentences."""

from __future__ import annotations

from pathlib import Path

from medmodel.core.errors import DataError
from pages._shared.common.widgets import (
    errors_shown,
    folder_name,
)
from tests.pages.page import show_part


def test_a_folder_of_the_workspace_is_shown_from_there_on(workspace: Path) -> None:
    assert folder_name(str(workspace / "datasets" / "chest" / "ct")) == "chest/ct"
    assert folder_name("/data/chest/ct") == "ct"
    assert folder_name("") == "a data set that is not known any more"


def test_errors_in_a_sentence(workspace: Path) -> None:
    def part() -> None:
        with errors_shown():
            raise DataError("It is *odd*.")

    app = show_part(part)
    assert [error.value for error in app.error] == [r"It is \*odd\*\."]
