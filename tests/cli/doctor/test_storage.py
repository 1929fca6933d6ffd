"""Workspace, disk and data folders, each well and ill."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from medmodel.cli.doctor import storage


def test_a_workspace_that_works_is_left_as_it_was(workspace: Path) -> None:
    finding = storage.workspace(workspace)
    assert finding.level == "ok" and str(workspace) in finding.sentence
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, 9999])
def test_a_workspace_that_cannot_be_written(
    number: int, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, values: Any) -> None:
        raise OSError(number, "It cannot be")

    monkeypatch.setattr(storage, "write_json", refuse)
    finding = storage.workspace(workspace)
    assert finding.level == "problem" and "What to do" in finding.sentence
    assert str(workspace) in finding.mend


def test_a_file_in_place_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert storage.workspace(tmp_path / "file").level == "problem"


def test_a_disk_whose_locks_do_not_hold(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "locked", lambda path: False)
    finding = storage.workspace(workspace)
    assert finding.level == "problem" and "Locks do not hold" in finding.sentence


@pytest.mark.parametrize(("free", "level"), [(2e9, "ok"), (1.99e9, "warning")])
def test_room(free: float, level: str) -> None:
    assert storage.disk(free).level == level


def test_data_folders(tmp_path: Path, workspace: Path, class_folders: Path) -> None:
    (finding,) = storage.data_folder(class_folders)
    assert finding.level == "ok" and "2 folders." in finding.sentence
    (class_folders / "only").mkdir()
    (class_folders / "only" / "one").mkdir()
    (finding,) = storage.data_folder(class_folders / "only")
    assert finding.sentence.endswith(": 1 folder.")
    (finding,) = storage.data_folder(tmp_path / "absent")
    assert finding.level == "warning" and finding.mend.startswith("mkdir -p ")
    assert list(storage.data_folder(workspace / "datasets")) == []
    (finding,) = storage.data_folder(next(class_folders.glob("*/*.png")))
    assert finding.level == "problem"
