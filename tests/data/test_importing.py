from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.core.locks import Lock
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
        ("a/1.png/inside.png", "same name"),
        ("b", "same name"),
        ("/".join(["n" * 200] * 20) + "/1.png", "too long"),
        ("a/\x01.png", "not valid text"),
        ("a/line\u2028break.png", "not valid text"),
        ("a/Thumbs.db", "hidden"),
    ],
)
def test_bad_names_are_left_out(workspace: Path, name: str, reason: str) -> None:
    found = importing.import_zip(zipped({**GOOD, name: b"bad"}), "x")
    assert names(found.folder) == list(GOOD)
    assert len(found.skipped) == 1 and reason in found.skipped[0][1]
    assert sorted(p.name for p in workspace.iterdir()) == ["datasets", "indexes"]
    assert importing.skipped_files(found.folder) == found.skipped


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


SPACES = ("\u202f", "\u00a0", "\u3000", "\u200c", "\u200d", "\u00ad", "\u200e")


@pytest.mark.parametrize("space", SPACES)
def test_spaces_and_joiners_of_all_scripts_stay(workspace: Path, space: str) -> None:
    path = f"cl{space}ass/Screenshot 1{space}PM.png"
    imported = importing.import_zip(zipped({**GOOD, path: b"x"}), "x")
    assert imported.skipped == []
    assert (imported.folder / path).read_bytes() == b"x"


def test_names_that_differ_in_capitals_are_two_files(workspace: Path) -> None:
    files = {"Normal/1.png": b"1", "normal/1.png": b"2", "Sick/1.PNG": b"3"}
    imported = importing.import_zip(zipped(files), "x")
    if (workspace / "DATASETS").exists():
        pytest.skip("needs a disk that tells capitals apart")
    assert imported.files == 3 and imported.skipped == []


def test_the_same_name_twice_is_said(workspace: Path) -> None:
    decomposed = {"a/\u00e9.png": b"1", "a/e\u0301.png": b"2"}
    imported = importing.import_zip(zipped({**GOOD, **decomposed}), "x")
    assert imported.skipped == [("a/e\u0301.png", "another file has the same name")]
    assert names(imported.folder) == ["a/1.png", "a/\u00e9.png", "b/2.png"]


def test_nothing_skipped_leaves_no_note_of_an_earlier_import(workspace: Path) -> None:
    first = importing.import_zip(zipped({**GOOD, "a/Thumbs.db": b"x"}), "x")
    assert importing.skipped_files(first.folder) == [("a/Thumbs.db", "hidden")]
    shutil.rmtree(first.folder)
    again = importing.import_zip(zipped(GOOD), "x")
    assert again.folder == first.folder and importing.skipped_files(again.folder) == []


def test_what_an_import_without_a_usable_file_says(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"used: \.x/1\.png is left out, hidden"):
        importing.import_zip(zipped({".x/1.png": b"1"}), "x.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_stored_and_deflated_content_is_read(workspace: Path, method: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a/1.png", bytes(10**6))
    match = r"x\.zip cannot be unpacked: a/1\.png is packed with (bzip2|LZMA), and only"
    with pytest.raises(DataError, match=match):
        importing.import_zip(buffer, "x.zip")


def test_an_archive_that_grows_beyond_all_measure(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped({**GOOD, "a/big.png": bytes(10**6)})
    monkeypatch.setattr(importing, "SPARE", 10**5)
    with pytest.raises(DataError, match="no images are packed so tightly"):
        importing.import_zip(archive, "x")
    monkeypatch.setattr(importing, "_MOST_RATIO", 10**4)
    assert importing.import_zip(archive, "x").files == 3


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "\u6b63\u5e38"),
        ("gb18030", "\u80ba\u90e8\u5f71\u50cf/\u6b63\u5e38"),
        ("cp950", "\u80ba\u708e/\u7570\u5e38"),
        ("cp932", "\u6b63\u5e38/\u304c\u3093"),
        ("cp949", "\uc815\uc0c1/\ud3d0\ub834"),
        ("cp866", "\u043d\u043e\u0440\u043c\u0430/\u0420\u0430\u043a"),
        ("cp1251", "\u041f\u043d\u0435\u0432\u043c\u043e\u043d\u0438\u044f"),
        ("cp437", "L\u00e9sion/M\u00fcller"),
        ("cp1252", "Gewebe/wei\u00df \u00fcber"),
    ],
)
def test_names_without_a_flag_in_the_encodings_of_the_world(
    workspace: Path, encoding: str, text: str
) -> None:
    archive = renamed({f"{text}/1.png": b"x", "b/1.png": b"y"}, encoding)
    offered = importing.name_encodings(archive)
    assert next(iter(offered), "utf-8") == encoding
    if encoding != "utf-8":
        assert offered[encoding] == [text]
    imported = importing.import_zip(archive, "x")
    assert (imported.folder / text / "1.png").read_bytes() == b"x"


def test_another_encoding_can_be_chosen(workspace: Path) -> None:
    archive = renamed({"\u0427\u0443/1.png": b"x", "b/1.png": b"y"}, "cp866")
    imported = importing.import_zip(archive, "x", encoding="cp850")
    other = "\u0427\u0443".encode("cp866").decode("cp850")
    assert (imported.folder / other / "1.png").exists()


def renamed(files: dict[str, bytes], encoding: str) -> io.BytesIO:
    """A ZIP file whose names are in an encoding that no flag tells."""
    places = {
        f"{n:0{len(name.encode(encoding))}}": name for n, name in enumerate(files)
    }
    data = zipped({place: files[name] for place, name in places.items()}).getvalue()
    for place, name in places.items():
        data = data.replace(place.encode(), name.encode(encoding))
    return io.BytesIO(data)


def test_no_encodings_are_offered_where_names_are_certain() -> None:
    assert importing.name_encodings(zipped({**GOOD, "\u6b63/1.png": b""})) == {}
    assert importing.name_encodings(io.BytesIO(b"no archive")) == {}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a" * 255, ""),
        ("a" * 256, "its name is too long"),
        ("\u00fc" * 127, ""),
        ("\u00fc" * 128, "its name is too long"),
        ("/".join("a" * 32), ""),
        ("/".join("a" * 33), "its name is too long"),
        ("/".join(["a" * 200] * 10), ""),
        ("/".join(["a" * 200] * 10 + ["b"]), "its name is too long"),
    ],
)
def test_names_of_any_length(path: str, reason: str) -> None:
    """255 bytes a part, 32 parts, 2,000 bytes in all."""
    assert importing._reason(path, path.split("/"), set()) == reason
