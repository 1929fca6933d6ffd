"""ZIP files and what is refused; drawn folders of every kind: test_odd_layouts."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from zipfile import BadZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.data.archives import zip_names, zip_reader

CONTENT = {"a/1.png": bytes(range(256)) * 5000, "b/2.png": b"", "c.txt": b"x"}


def packed(
    files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, before: bytes = b""
) -> bytearray:
    buffer = io.BytesIO()
    buffer.write(before)
    with zipfile.ZipFile(buffer, "a", method) as archive:
        archive.mkdir("folder")
        for name, content in files.items():
            archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def unpacked(data: bytes | bytearray, most: int = 100) -> dict[str, bytes]:
    file = io.BytesIO(data)
    entries = zip_reader.read_entries(file, most)
    names = zip_names.decode_names(entries)
    zip_reader.check_readable(entries, names)
    return {
        name: b"".join(zip_reader.content(file, entry))
        for name, entry in zip(names, entries, strict=True)
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"a program that unpacks itself"])
def test_content_is_that_of_zipfile(method: int, before: bytes) -> None:
    assert unpacked(packed(CONTENT, method, before)) == CONTENT


def test_pieces_are_small_however_much_there_is() -> None:
    file = io.BytesIO(packed({"a": bytes(50 * 2**20)}))
    (entry,) = zip_reader.read_entries(file, 10)
    tracemalloc.start()
    assert max(map(len, zip_reader.content(file, entry))) <= 2**20
    assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    tracemalloc.stop()


def test_more_entries_than_allowed_are_refused_before_they_are_read() -> None:
    data = packed(CONTENT)
    assert len(unpacked(data, most=4)) == 3
    with pytest.raises(BadZipFile, match="it holds 4 files, more than 3"):
        unpacked(data, most=3)
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<2H", 1, 1)
    with pytest.raises(BadZipFile, match="it holds more than 3 files"):
        unpacked(data, most=3)
    with pytest.raises(BadZipFile, match="its directory has 4 entries and says 1"):
        unpacked(data)


def with_zip64(data: bytes, count: int) -> bytes:
    """The same archive with its end told in 64 bits."""
    at = data.rindex(b"PK\x05\x06")
    size, offset = struct.unpack("<2L", data[at + 12 : at + 20])
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = b"PK\x05\x06" + b"\0" * 4 + b"\xff" * 12 + b"\0\0"
    return data[:at] + record + locator + end


def test_zip64_tells_number_and_place() -> None:
    data = bytes(packed(CONTENT))
    assert unpacked(with_zip64(data, 4)) == CONTENT
    with pytest.raises(BadZipFile, match="it holds 1,000,000 files, more than 100"):
        unpacked(with_zip64(data, 10**6))
    with pytest.raises(BadZipFile, match="has 4 entries and says 5"):
        unpacked(with_zip64(data, 5))


def test_archives_of_macos_count_modulo_65536() -> None:
    data = packed({f"{n}": b"" for n in range(65_537)}, zipfile.ZIP_STORED)
    at = data.rindex(b"PK\x05\x06")
    plain = data[: data.rindex(b"PK\x06\x06")] + b"PK\x05\x06\0\0\0\0"
    start = data.index(b"PK\x01\x02")
    size = data.rindex(b"PK\x06\x06") - start
    assert at > start
    plain += struct.pack("<2H2LH", 2, 2, size, start, 0)
    assert len(zip_reader.read_entries(io.BytesIO(plain), 70_000)) == 65_537


def test_a_zip64_entry() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open("a", "w", force_zip64=True) as file,
    ):
        file.write(b"content")
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02")
    name, extra = struct.unpack("<2H", data[at + 28 : at + 32])
    assert extra == 0
    data[at + 24 : at + 28] = b"\xff" * 4
    field = struct.pack("<2HQ", 1, 8, 7)
    data[at + 30 : at + 32] = struct.pack("<H", len(field))
    data[at + 46 + name : at + 46 + name] = field
    end = data.rindex(b"PK\x05\x06")
    size = struct.unpack("<L", data[end + 12 : end + 16])[0] + len(field)
    data[end + 12 : end + 16] = struct.pack("<L", size)
    assert unpacked(data) == {"a": b"content"}


@pytest.mark.parametrize("flag", [1, 0x40, 0x2000])
def test_encrypted_entries_are_named(flag: int) -> None:
    data = packed({"a/1.png": b"x"})
    at = data.rindex(b"PK\x01\x02")
    data[at + 8 : at + 10] = struct.pack("<H", flag)
    with pytest.raises(BadZipFile, match=r"a/1\.png is encrypted"):
        unpacked(data)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (9, "Deflate64"),
        (12, "bzip2"),
        (14, "LZMA"),
        (93, "Zstandard"),
        (77, "method 77"),
    ],
)
def test_other_methods_are_named(method: int, words: str) -> None:
    data = packed({"a/1.png": b"x"})
    at = data.rindex(b"PK\x01\x02")
    data[at + 10 : at + 12] = struct.pack("<H", method)
    with pytest.raises(BadZipFile, match=rf"a/1\.png is packed with {words}, and"):
        unpacked(data)


def test_entries_that_share_content_are_refused() -> None:
    data = packed({"a": bytes(1000), "b": bytes(1000)})
    last = data.rindex(b"PK\x01\x02")
    first = data.rindex(b"PK\x01\x02", 0, last)
    data[last + 42 : last + 46] = data[first + 42 : first + 46]
    with pytest.raises(BadZipFile, match="its entries overlap"):
        unpacked(data)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (16, 7, "checksum is another"),
        (24, 999, "larger than it says"),
        (24, 1001, "checksum is another"),
        (20, 3, "checksum is another|is damaged"),
        (20, 10**6, "not where the directory says"),
        (42, 1, "not where the directory says"),
        (42, 10**6, "not where the directory says"),
    ],
)
def test_a_directory_that_lies(field: int, value: int, words: str) -> None:
    data = packed({"a": b"y" * 1000})
    at = data.rindex(b"PK\x01\x02")
    data[at + field : at + field + 4] = struct.pack("<L", value)
    with pytest.raises(BadZipFile, match=words):
        unpacked(data)


def test_a_part_of_a_divided_archive() -> None:
    data = packed(CONTENT)
    at = data.rindex(b"PK\x05\x06")
    data[at + 4 : at + 6] = b"\1\0"
    with pytest.raises(BadZipFile, match="one part of a divided archive"):
        unpacked(data)


def test_the_unicode_path_counts_if_it_is_of_this_name() -> None:
    for name, crc in (("\u6b63", zlib.crc32(b"zzz")), ("zzz", 1)):
        entry = zipfile.ZipInfo("zzz")
        text = "\u6b63".encode()
        entry.extra = struct.pack("<2HBL", 0x7075, 5 + len(text), 1, crc) + text
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(entry, b"x")
        assert list(unpacked(buffer.getvalue())) == [name]


def test_a_name_that_is_not_the_utf8_it_is_said_to_be_is_one_files_fault() -> None:
    data = packed({"\u00e9": b"1", "b": b"2"})
    names = list(unpacked(data.replace(b"\xc3\xa9", b"\xed\xa0")))
    assert names == ["\udced\udca0", "b"]


@given(st.data())
def test_any_damage_is_one_error(data: st.DataObject) -> None:
    content = packed({"a/1.png": b"x" * 300, "\u00e9.png": bytes(50)})
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] or content
    try:
        unpacked(content)
    except BadZipFile as error:
        assert str(error)


@pytest.mark.parametrize("mark", [b"PK\5\6" + bytes(18) + b"end", b"PK\5\6" * 9])
def test_the_mark_of_the_end_may_stand_in_the_comment(mark: bytes) -> None:
    buffer = io.BytesIO(packed(CONTENT))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = mark
    assert unpacked(buffer.getvalue()) == CONTENT
    assert unpacked(packed(CONTENT) + b"behind it") == CONTENT
