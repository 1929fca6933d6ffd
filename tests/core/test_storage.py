"""Files are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from medmodel.core import storage
from medmodel.core.errors import FileError
from medmodel.core.storage import (
    append_rows,
    map_array,
    read_as,
    read_bytes,
    read_json,
    remove_temporaries,
    renaming,
    replacing,
    set_aside,
    unique_name,
    unreadable,
    write_json,
    write_rows,
)

ROOT = Path(__file__).resolve().parents[2]


def test_replacing_makes_folders_and_shows_only_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with replacing(path) as file:
        file.write("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_failure_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_library_writes_under_a_name_with_the_same_ending(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "best.keras"
    with renaming(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".keras" and not path.exists()
    with pytest.raises(RuntimeError), renaming(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_binary_and_line_ends_are_kept(tmp_path: Path) -> None:
    with replacing(tmp_path / "bytes", "wb") as file:
        file.write(b"\r\n\x00")
    assert (tmp_path / "bytes").read_bytes() == b"\r\n\x00"
    with replacing(tmp_path / "text") as file:
        file.write("a\r\nÄ\n")
    assert (tmp_path / "text").read_bytes() == "a\r\nÄ\n".encode()


def test_others_may_read_as_the_umask_says(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write("")
    (tmp_path / "b").touch()
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in "ab"]
    assert modes[0] == modes[1]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json(path) is None
    write_json(path, {"name": "Übung <b>", "n": [1, None]})
    assert read_json(path) == {"name": "Übung <b>", "n": [1, None]}
    assert "Übung" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", "{", "\0" * 9, "[" * 100_000, "\udcff"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FileError, match=r"a\.json is damaged"):
        read_json(path)


@dataclass(frozen=True)
class Setting:
    kind: Literal["a", "b"]
    parts: tuple[int, ...] = ()
    rate: float = 0.5
    inner: Setting | None = None


def test_json_as_a_dataclass(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_as(path, Setting) is None
    setting = Setting("a", (1, 2), float("inf"), Setting("b"))
    write_json(path, setting)
    assert read_as(path, Setting) == setting
    # An older version knew fewer fields, a newer one knows more.
    path.write_text('{"kind": "b", "rate": 2, "colour": {"new": 1}}')
    old = read_as(path, Setting)
    assert old == Setting("b", (), 2.0)
    write_json(path, old)
    assert read_json(path) == {"kind": "b", "parts": [], "rate": 2.0, "inner": None}


@pytest.mark.parametrize(
    "text",
    [
        *("{", "null", "[]", "{}", '{"kind": "\\ud800"}'),
        *('{"kind": "a", "rate": "1"}', '{"kind": "a", "rate": 1' + "0" * 400 + "}"),
        *('{"kind": "a", "parts": [1.5]}', '{"kind": "a", "parts": [true]}'),
        *('{"kind": "a", "inner": {"kind": 1}}', '{"kind": "a", "\\ud800": 1}'),
    ],
)
def test_content_of_another_type_is_damage(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"a\.json is damaged"):
        read_as(path, Setting)


def test_a_word_of_another_version_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"kind": "c"}')
    with pytest.raises(FileError, match=r"a\.json was written by another version.*'c'"):
        read_as(path, Setting)


@pytest.mark.parametrize("place", ["folder", "link", "pipe", "huge"])
def test_what_is_no_file_of_ours_is_named_and_not_read(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    if place == "folder":
        path.mkdir()
    elif place == "link":
        write_json(tmp_path / "other.json", {})
        path.symlink_to(tmp_path / "other.json")
    elif place == "pipe":
        os.mkfifo(path)
    else:
        monkeypatch.setattr(storage, "MOST_JSON_BYTES", 20)
        path.write_text("[" + " " * 19 + "]")
    with pytest.raises(FileError, match=r"a\.json .*(cannot be read|21 bytes)"):
        read_json(path)
    monkeypatch.setattr(storage, "MOST_JSON_BYTES", 21)
    assert place != "huge" or read_json(path) == []


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": 0})
    done = threading.Event()
    wrong: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                read_json(path)["n"]
            except (json.JSONDecodeError, TypeError) as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(100):
        write_json(path, {"n": n, "fill": "x" * 10_000})
    done.set()
    reader.join()
    assert not wrong


@pytest.mark.parametrize("end", ["", "1,", "1,2,3", "\0" * 9])
def test_rows_are_added_after_the_last_whole_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.csv"
    append_rows(path, ["a", "b"], [[1, "x,y"]])
    with path.open("a") as file:
        file.write(end)
    append_rows(path, ["a", "b"], [[2, ""], [3, "ü"]])
    assert path.read_text() == 'a,b\n1,"x,y"\n2,\n3,ü\n'


def test_a_header_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,")
    append_rows(tmp_path / "a.csv", ["a", "b"], [[1, 2]])
    assert (tmp_path / "a.csv").read_text() == "a,b\n1,2\n"


def test_on_a_full_disk_no_half_line_stays(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from medmodel.core.storage import append_rows\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
        "for _ in range(9):\n"
        "    append_rows(Path(sys.argv[1]), ['a', 'b'], [[12, 345]])\n"
    )
    path = tmp_path / "a.csv"
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # Not that the disk is full, which it is not.
    assert "File too large" in done.stderr
    assert path.read_text() == "a,b\n12,345\n12,345\n"


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    ours = ("a.csv", ".new-a.csv", unique_name(tmp_path / "a.csv").name)
    others = ("b.csv", ".new-b.csv", ".reserve", unique_name(tmp_path / "b.csv").name)
    for name in (*ours, *others):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path, ["a.csv", "c.csv"])
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", *others}


def test_no_folder_on_the_way_is_a_link_below_a_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").write_bytes(b"x")
    path = tmp_path / "root" / "here" / "a"
    path.parent.symlink_to(tmp_path / "there")
    assert read_bytes(path, 9) == b"x"
    with pytest.raises(FileError, match=r"here/a.*link"):
        read_bytes(path, 9, tmp_path / "root")
    path.parent.unlink()
    path.parent.mkdir()
    path.write_bytes(b"y")
    assert read_bytes(path, 9, tmp_path / "root") == b"y"
    assert read_bytes(path.with_name("b"), 9, tmp_path / "root") is None


def test_only_what_concerns_one_file_is_restored_from_a_backup(tmp_path: Path) -> None:
    def sentence(number: int) -> str:
        return str(unreadable(tmp_path / "a", OSError(number, os.strerror(number))))

    assert "backup" in sentence(errno.EACCES) and "backup" in sentence(errno.EISDIR)
    assert "ulimit -n" in sentence(errno.EMFILE) and "backup" not in sentence(
        errno.EMFILE
    )
    assert "mount" in sentence(errno.ESTALE) and "backup" not in sentence(errno.ESTALE)


def test_content_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    synced: list[tuple[int, bool]] = []

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_json(path, [1])
    assert synced == [(path.stat().st_size, False)]


def test_a_table_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, ["x", "y"], [[1, "with, comma"], [2, ""]])
    assert path.read_bytes() == b'x,y\n1,"with, comma"\n2,\n'

    def rows() -> Iterator[list[int]]:
        yield [3, 4]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(path, ["x", "y"], rows())
    assert path.read_bytes() == b'x,y\n1,"with, comma"\n2,\n'


def test_an_array_is_mapped_if_it_is_the_one_expected(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert (map_array(path, (2, 3), "uint8") == [[0, 1, 2], [3, 4, 5]]).all()
    map_array(path, (2, 3), "uint8", "r+")[0, 0] = 9
    assert map_array(path, (2, 3), "uint8")[0, 0] == 9
    for shape, dtype in (((3, 2), "uint8"), ((2, 3), "int8")):
        with pytest.raises(FileError, match=r"a\.npy is damaged \(it is another"):
            map_array(path, shape, dtype)
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[:-1], b"PK\x03\x04" + whole):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"a\.npy is damaged"):
            map_array(path, (2, 3), "uint8")
    path.unlink()
    with pytest.raises(FileError, match=r"a\.npy is damaged"):
        map_array(path, (2, 3), "uint8")


@pytest.mark.parametrize("shape", ["(2, 3", "(2, 3]", "(0x)", f"{'-' * 9000}(2, 3)"])
def test_a_header_that_is_no_python_is_damage(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "a.npy"
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    size = len(header).to_bytes(2, "little")
    path.write_bytes(b"\x93NUMPY\x01\x00" + size + header + bytes(6))
    with pytest.raises(FileError, match=r"a\.npy is damaged"):
        map_array(path, (2, 3), "uint8")


def test_damaged_files_are_put_aside_one_beside_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for name in ("a.json.damaged", "a.json.damaged-2", "a.json.damaged-3"):
        path.write_text(name)
        assert set_aside(path) == tmp_path / name
        assert (tmp_path / name).read_text() == name and not path.exists()


@pytest.mark.parametrize("kind", ["link", "link to nothing", "folder", "pipe"])
def test_a_log_is_written_whatever_is_in_its_place(tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    log = tmp_path / "root" / "log.txt"
    log.parent.mkdir()
    if kind == "folder":
        log.mkdir()
    elif kind == "pipe":
        os.mkfifo(log)
    else:
        log.symlink_to(outside if kind == "link" else tmp_path / "nothing")
    with storage.open_log(log.parent, "log.txt") as file:
        file.write(b"line")
    assert log.read_bytes() == b"line" and not log.is_symlink()
    assert os.path.lexists(log.with_name("log.txt.damaged"))
    assert outside.read_bytes() == b"secret"


def test_a_log_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.open_log(tmp_path / "nowhere", "log.txt")


def test_rows_are_not_added_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a\n1\n")
    (tmp_path / "table.csv").symlink_to(outside)
    with pytest.raises(OSError, match="link"):
        storage.append_rows(tmp_path / "table.csv", ["a"], [[2]])
    assert outside.read_text() == "a\n1\n"
