"""Files are read inside their folder alone: no link, no pipe, no path leads out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from medmodel.core import regular_files
from medmodel.core.regular_files import (
    LinkError,
    open_beneath,
    open_data_file,
    open_for_writing,
    open_regular,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set with one file, beside a file that nobody may read."""
    (tmp_path / "set" / "class").mkdir(parents=True)
    (tmp_path / "set" / "class" / "a.png").write_bytes(b"image")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(b"secret")
    return tmp_path / "set"


def content(folder: Path, path: str) -> bytes:
    with open_data_file(folder, path) as file:
        return file.read()


def test_a_file_of_the_folder_is_read(folder: Path) -> None:
    assert content(folder, "class/a.png") == b"image"
    with open_beneath(folder, "class/a.png") as file:
        assert file.read() == b"image"
    with open_regular(folder / "class/a.png") as file:
        assert file.read() == b"image"


@pytest.mark.parametrize("opened", [open_beneath, open_data_file])
@pytest.mark.parametrize(
    "path",
    [
        "../elsewhere/a.png",
        "class/../../elsewhere/a.png",
        "class/../class/a.png",
        "",
        ".",
        "//{outside}",
        "class/a.png\0.jpg",
        "{outside}",
    ],
)
def test_no_path_leads_out(
    folder: Path, path: str, opened: Callable[[Path, str], object]
) -> None:
    path = path.replace("{outside}", str(folder.parent / "elsewhere" / "a.png"))
    with pytest.raises(PermissionError, match="outside"):
        opened(folder, path)


def test_links_out_of_all_roots_are_refused(folder: Path) -> None:
    outside = folder.parent / "elsewhere"
    (folder / "link.png").symlink_to(outside / "a.png")
    (folder / "linked").symlink_to(outside)
    (folder / "chain.png").symlink_to("link.png")
    for path in ("link.png", "linked/a.png", "chain.png"):
        with pytest.raises(PermissionError, match="outside"):
            content(folder, path)


def test_links_within_the_data_set_or_to_another_root_are_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder.parent / "elsewhere"
    monkeypatch.setenv("MEDMODEL_DATA", str(root))
    (folder / "inside.png").symlink_to("class/a.png")
    (folder / "root.png").symlink_to(root / "a.png")
    (folder / "linked").symlink_to(root)
    assert content(folder, "inside.png") == b"image"
    assert content(folder, "root.png") == content(folder, "linked/a.png") == b"secret"


def test_a_link_that_appears_after_the_check_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = regular_files.open_beneath

    def swapped(root: Path, path: str) -> object:
        if path.startswith("class"):
            (folder / "class").rename(folder / "away")
            (folder / "class").symlink_to(folder.parent / "elsewhere")
        return inner(root, path)

    monkeypatch.setattr(regular_files, "open_beneath", swapped)
    (folder / "shortcut").symlink_to("class")
    with pytest.raises(PermissionError, match="link"):
        open_data_file(folder, "shortcut/a.png")


def test_links_are_resolved_only_where_there_are_some(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "realpath", lambda _: pytest.fail("it takes long"))
    assert content(folder, "class/a.png") == b"image"


def test_the_last_name_may_be_no_link_either(folder: Path) -> None:
    (folder / "class" / "b.png").symlink_to("a.png")
    for opened in (
        lambda: open_beneath(folder, "class/b.png"),
        lambda: open_regular(folder / "class" / "b.png"),
    ):
        with pytest.raises(PermissionError, match="link"):
            opened()


def test_the_data_set_itself_may_be_reached_by_a_link(folder: Path) -> None:
    (folder.parent / "alias").symlink_to(folder)
    assert content(folder.parent / "alias", "class/a.png") == b"image"


def test_pipes_and_folders_are_no_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    for path in ("pipe.png", "class"):
        with pytest.raises(OSError, match="regular file"):
            content(folder, path)


def test_what_is_missing_is_told_from_what_is_refused(folder: Path) -> None:
    for path in ("none.png", "none/a.png"):
        with pytest.raises(FileNotFoundError):
            content(folder, path)
    with pytest.raises(NotADirectoryError):
        content(folder, "class/a.png/b.png")


def test_no_handle_stays_open(folder: Path) -> None:
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir()))
    (folder / "linked").symlink_to(folder.parent)
    os.mkfifo(folder / "class" / "pipe")
    for path in ("class/none", "class/pipe", "linked/elsewhere/a.png"):
        with pytest.raises(OSError):
            open_beneath(folder, path)
    open_beneath(folder, "class/a.png").close()
    assert len(list(handles.iterdir())) == before


@pytest.mark.parametrize("append", [False, True])
def test_a_file_is_written_anew_or_behind_what_is_there(
    folder: Path, append: bool
) -> None:
    for text in (b"one", b"2"):
        with open_for_writing(folder, "class/log.txt", append) as file:
            file.write(text)
    assert content(folder, "class/log.txt") == (b"one2" if append else b"2")


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("path", ["log.txt", "linked/a.png", "linked/new.txt"])
def test_nothing_is_written_through_a_link(
    folder: Path, path: str, append: bool
) -> None:
    outside = folder.parent / "elsewhere"
    (folder / "log.txt").symlink_to(outside / "a.png")
    (folder / "linked").symlink_to(outside)
    with pytest.raises(LinkError):
        open_for_writing(folder, path, append)
    assert (outside / "a.png").read_bytes() == b"secret"
    assert len(list(outside.iterdir())) == 1


@pytest.mark.parametrize("path", ["../elsewhere/a.png", "class/../../x", "", "/x"])
def test_nothing_is_written_outside(folder: Path, path: str) -> None:
    with pytest.raises(PermissionError, match="outside"):
        open_for_writing(folder, path)
    assert (folder.parent / "elsewhere" / "a.png").read_bytes() == b"secret"
    assert not (folder.parent / "x").exists()


def test_a_pipe_is_not_written_to(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        open_for_writing(folder, "pipe")
