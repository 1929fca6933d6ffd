from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.core.storage import Lock
from medmodel.data import importing


def zipped(files: dict[str, bytes], **special: int) -> io.BytesIO:
    """A ZIP file in memory; `special` gives entries a kind of file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            kind = special.get(name, stat.S_IFREG)
            entry.external_attr = (kind | 0o644) << 16
            archive.writestr(entry, content)
    buffer.seek(0)
    return buffer


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))


GOOD = {"a/1.png": b"one", "b/2.png": b"two"}


def test_a_good_archive(workspace: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = importing.import_zip(
        zipped(GOOD), "My set.zip", Job(lambda *facts: told.append(facts))
    )
    assert found.folder == workspace / "datasets" / "My set"
    assert names(found.folder) == ["a/1.png", "b/2.png"]
    assert (found.folder / "b" / "2.png").read_bytes() == b"two"
    assert told == [("importing", 1, 2), ("importing", 2, 2)]
    again = importing.import_zip(zipped(GOOD), "My set.zip")
    assert again.folder.name == "My set (2)"
    assert not list((workspace / "datasets").glob(".*"))


def test_a_folder_around_everything_is_taken_off(workspace: Path) -> None:
    inside = {f"download/{name}": data for name, data in GOOD.items()}
    assert names(importing.import_zip(zipped(inside), "x").folder) == list(GOOD)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../out.png", "leads out"),
        ("a/../../out.png", "leads out"),
        ("/etc/out.png", "leads out"),
        ("C:/out.png", "leads out"),
        ("..\\out.png", "leads out"),
        ("a/.hidden/1.png", "hidden"),
        ("__MACOSX/a/1.png", "hidden"),
        ("a/" + "n" * 300 + ".png", "too long"),
        ("/".join("a" * 40) + "/1.png", "too long"),
        ("a/\u202e1.png", "not valid text"),
        ("A/1.PNG", "same name"),
        ("a/1.png/inside.png", "same name"),
        ("b", "same name"),
    ],
)
def test_bad_names_are_left_out(workspace: Path, name: str, reason: str) -> None:
    found = importing.import_zip(zipped({**GOOD, name: b"bad"}), "x")
    assert names(found.folder) == list(GOOD)
    assert len(found.skipped) == 1 and reason in found.skipped[0][1]
    assert [p.name for p in workspace.iterdir()] == ["datasets"]


def test_links_are_left_out(workspace: Path) -> None:
    link = {"a/link.png": stat.S_IFLNK}
    archive = zipped({**GOOD, "a/link.png": b"/etc/passwd"}, **link)
    found = importing.import_zip(archive, "x")
    assert names(found.folder) == list(GOOD)
    assert found.skipped == [("a/link.png", "a link or a device")]


def test_too_much_is_refused_and_leaves_nothing(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_BYTES", 5)
    with pytest.raises(DataError, match="There is room for"):
        importing.import_zip(zipped(GOOD), "x")
    assert list((workspace / "datasets").iterdir()) == []


def test_a_bomb_that_lies_about_its_size(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The central directory says 3 bytes, the content is a megabyte."""
    monkeypatch.setattr(importing, "MOST_BYTES", 100_000)
    data = bytearray(zipped({"a/1.png": bytes(2**20)}).getvalue())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (3).to_bytes(4, "little")
    with pytest.raises(DataError):
        importing.import_zip(io.BytesIO(bytes(data)), "x")
    assert list((workspace / "datasets").iterdir()) == []


def test_too_many_files(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_FILES", 1)
    with pytest.raises(DataError, match="more than 1 files"):
        importing.import_zip(zipped(GOOD), "x")


@pytest.mark.parametrize("data", [b"", b"no archive", zipped(GOOD).getvalue()[:-30]])
def test_no_archive(workspace: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="cannot be unpacked"):
        importing.import_zip(io.BytesIO(data), "x")


def test_nothing_in_it(workspace: Path) -> None:
    with pytest.raises(DataError, match="holds no file"):
        importing.import_zip(zipped({}), "x")


def test_damaged_content_leaves_nothing(workspace: Path) -> None:
    data = bytearray(zipped({"a/1.png": bytes(range(256)) * 20}).getvalue())
    data[60] ^= 0xFF
    with pytest.raises(DataError, match="cannot be unpacked"):
        importing.import_zip(io.BytesIO(bytes(data)), "x")
    assert list((workspace / "datasets").iterdir()) == []


def test_a_folder(workspace: Path) -> None:
    files = [(f"mine/{name}", io.BytesIO(data)) for name, data in GOOD.items()]
    found = importing.import_files(files, "mine")
    assert found.folder == workspace / "datasets" / "mine"
    assert names(found.folder) == list(GOOD)


@given(st.text())
def test_any_name_becomes_a_plain_one(text: str) -> None:
    name = importing.plain_name(text)
    assert name and "/" not in name and not name.startswith(".")
    assert name == importing.plain_name(name)


def test_what_a_killed_import_left_is_removed(workspace: Path) -> None:
    home = workspace / "datasets"
    for name in (".importing-dead", ".importing-older"):
        (home / name / "a").mkdir(parents=True)
    (home / ".importing-dead.lock").touch()
    with Lock(home / ".importing-busy.lock"):
        (home / ".importing-busy").mkdir()
        importing.import_zip(zipped(GOOD), "x.zip")
        left = sorted(p.name for p in home.iterdir())
        assert left == [".importing-busy", ".importing-busy.lock", "x"]
