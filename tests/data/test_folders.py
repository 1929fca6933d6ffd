from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.data import folders
from medmodel.runs.run_store import RunStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "Set two").mkdir(parents=True)
    (tmp_path / "data" / "another").mkdir()
    (tmp_path / "data" / ".hidden").mkdir()
    (tmp_path / "data" / "file.txt").touch()
    (tmp_path / "data-not").mkdir()
    return tmp_path / "data"


def test_folders_under_a_root_are_found(data: Path) -> None:
    assert folders.safe_folder(str(data)) == data
    assert folders.safe_folder(f" {data}/Set two/ ") == data / "Set two"
    assert folders.safe_folder("another") == data / "another"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/etc",
        "..",
        "another/../..",
        "../data-not",
        "file.txt",
        "gone",
        "a\0b",
        "x" * 5000,
        "~",
        "\udcff",
    ],
)
def test_nothing_else_is(data: Path, text: str) -> None:
    with pytest.raises(DataError, match="no folder"):
        folders.safe_folder(text)


def test_a_sibling_with_the_same_beginning_is_outside(data: Path) -> None:
    with pytest.raises(DataError):
        folders.safe_folder(str(data) + "-not")


def test_links_lead_nowhere_outside(data: Path, tmp_path: Path) -> None:
    (data / "out").symlink_to(tmp_path / "data-not")
    (data / "in").symlink_to(data / "another")
    (data / "loop").symlink_to(data / "loop")
    for name in ("out", "loop", "out/..", "out/../data-not"):
        with pytest.raises(DataError):
            folders.safe_folder(name)
    assert folders.safe_folder("in") == data / "another"
    assert [p.name for p in folders.subfolders(data)] == ["another", "in", "Set two"]


def test_an_unreadable_folder_has_no_subfolders(data: Path) -> None:
    assert folders.subfolders(data / "gone") == []


def test_names_that_are_no_text_are_not_offered(data: Path) -> None:
    try:
        (data / "M\udcfcller").mkdir()
    except OSError:
        pytest.skip("needs a disk that takes names which are no UTF-8")
    (data / "self").symlink_to("self")
    assert [p.name for p in folders.subfolders(data)] == ["another", "Set two"]
    with pytest.raises(DataError):
        folders.safe_folder("M\udcfcller")


def test_recent_datasets_come_from_runs_and_still_exist(data: Path) -> None:
    store = RunStore()
    assert folders.recent_datasets(store) == []
    for name in ("another", "Set two", "another", "gone"):
        store.create(config_for("instant", str(data / name)))
    recent = folders.recent_datasets(store)
    assert sorted(recent) == sorted([data / "another", data / "Set two"])
    assert len(folders.recent_datasets(store, limit=1)) == 1
    for run in store.list():
        if run.config.dataset.endswith("two"):
            (run.folder / "config.json").write_text("{")
    assert folders.recent_datasets(store) == [data / "another"]


@pytest.mark.parametrize("name", [" ", "\u200b", "\u3000\u200d", "\xad", ""])
def test_a_name_of_blanks_is_none(name: str) -> None:
    assert not folders.is_text_name(name)
    assert folders.is_text_name(f"{name}a")
