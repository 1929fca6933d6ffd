"""What a folder takes of the disk, and whether it is all on one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medmodel.runs.folder_size import folder_size, is_one_file_system


def test_files_below_count_and_links_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "one").write_bytes(bytes(100))
    (folder / "a" / "b" / "two").write_bytes(bytes(23))
    (tmp_path / "outside").write_bytes(bytes(1000))
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "a" / "up").symlink_to(tmp_path)
    (folder / "broken").symlink_to("nowhere")
    assert folder_size(folder) == 123
    assert folder_size(tmp_path / "missing") == 0


def test_everything_on_the_device(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").touch()
    device = tmp_path.stat().st_dev
    assert is_one_file_system(tmp_path, device)
    assert not is_one_file_system(tmp_path, device + 1)
    assert not is_one_file_system(tmp_path / "missing", device)


def test_what_vanishes_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").write_bytes(bytes(5))
    (tmp_path / "there").write_bytes(bytes(7))
    lstat = os.lstat

    def vanishing(path: str) -> os.stat_result:
        if str(path).endswith("gone"):
            raise FileNotFoundError(path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", vanishing)
    assert folder_size(tmp_path) == 7
