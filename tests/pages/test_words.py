"""Titles of select boxes, no two alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages._shared.common.widgets import folder_names
from pages._shared.common.words import disambiguate


def test_only_namesakes_get_more() -> None:
    titles = {"a1": "chest", "b1": "chest", "c1": "hand"}
    told = disambiguate(titles, lambda option: option[0])
    assert told == {"a1": "chest (a)", "b1": "chest (b)", "c1": "hand"}


def test_folders_of_one_name_are_told_by_where_they_lie(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A select box took the last of two alike whichever was pressed."""
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(tmp_path))
    own = tmp_path / "datasets" / "chest"
    told = folder_names([str(own), "/a/chest", "/b/hand"])
    assert told[str(own)] == f"chest ({own.parent})"
    assert told["/a/chest"] == "chest (/a)"
    assert told["/b/hand"] == "hand"
