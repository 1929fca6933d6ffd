"""Reads ZIP archives that nobody vouches for, within limits (APPNOTE.TXT 6.3).

`zipfile` builds the whole directory in memory, unpacks pieces of bzip2 and LZMA of any
size, and gives up over one name that is not the UTF-8 it is said to be. Here the end
record is looked at first, the directory is read entry by entry up to a limit, entries
may not overlap, and only stored and deflated content is read, in bounded pieces.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile

from medmodel.language import _

_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_END_SIZE, _LOCATOR_SIZE, _END64_SIZE = 22, 20, 56
_CENTRAL_SIZE, _LOCAL_SIZE = 46, 30
_CENTRAL_FIELDS = struct.Struct("<5xB2x2H4x3L3H4x2L")
"""System, flags, method, checksum, sizes, lengths of name, extra field and comment,
attributes, offset of the local header: 4.3.12."""
_LONGEST_COMMENT = 65_535
_PIECE = 2**20
_ENCRYPTED = 0x2041
"""Bits 0, 6 and 13: encrypted, strongly, or with its directory."""
STORED, DEFLATED = 0, 8
_METHODS = {
    1: "shrinking",
    6: "imploding",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "XZ",
    96: "JPEG",
    98: "PPMd",
    99: "AES encryption",
}


class TooManyEntries(BadZipFile):
    """An archive holds more files than are allowed."""


class ZipEntry(NamedTuple):
    """One entry of the directory, see 4.3.12.

    Args:
        name: Its bytes, not yet text.
        is_utf8: Whether they are said to be UTF-8.
        unicode_name: What the extra field 0x7075 says instead; "" if nothing.
        flags: General purpose bits.
        method: Of compression.
        crc: Of the content.
        packed: Bytes in the archive.
        size: Bytes of the content.
        mode: Unix mode, 0 if unknown.
        offset: Where its local header begins in the file.
    """

    name: bytes
    is_utf8: bool
    unicode_name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int


def read_entries(file: BinaryIO, most: int) -> list[ZipEntry]:
    """The files of an archive, without its folders.

    Args:
        file: Open and seekable.
        most: Entries that may be in it.

    Raises:
        BadZipFile: It is no ZIP archive, damaged, divided, encrypted, packed in a way
            that is not read.
        TooManyEntries: There are more than `most`.
    """
    count, size, start, shift, exact = _find_directory(file)
    if count > most:
        raise TooManyEntries(
            _("it holds {count:,} files, more than {most:,}", count=count, most=most)
        )
    entries = []
    seen = 0
    for entry in _walk(file, start, size, shift):
        seen += 1
        if seen > most:
            raise TooManyEntries(_("it holds more than {most:,} files", most=most))
        if not entry.name.endswith((b"/", b"\\")):
            entries.append(entry)
    # Archives of macOS count modulo 65,536.
    if seen != count and (exact or seen % 65_536 != count):
        raise BadZipFile(
            _(
                "its directory has {seen:,} entries and says {count:,}",
                seen=seen,
                count=count,
            )
        )
    _check_overlap(entries, start)
    return entries


def check_readable(entries: list[ZipEntry], names: list[str]) -> None:
    """Raises `BadZipFile` where an entry is encrypted or not stored or deflated."""
    for entry, name in zip(entries, names, strict=True):
        if entry.flags & _ENCRYPTED or entry.method == 99:
            raise BadZipFile(_("{name} is encrypted", name=name))
        if entry.method not in (STORED, DEFLATED):
            method = _METHODS.get(entry.method, f"method {entry.method}")
            raise BadZipFile(
                _(
                    "{name} is packed with {method}, and only the usual Deflate is "
                    "read",
                    name=name,
                    method=method,
                )
            )


def content(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """An entry's content in pieces of a megabyte at most.

    Raises:
        BadZipFile: It is damaged, or not of the size and checksum that were said.
    """
    file.seek(entry.offset)
    header = file.read(_LOCAL_SIZE)
    if len(header) < _LOCAL_SIZE or header[:4] != _LOCAL:
        raise BadZipFile(_("an entry is not where the directory says"))
    name, extra = struct.unpack("<HH", header[26:30])
    file.seek(name + extra, 1)
    size = crc = 0
    packed = _packed(file, entry.packed)
    pieces = packed if entry.method == STORED else _inflated(packed)
    for piece in pieces:
        size += len(piece)
        if size > entry.size:
            raise BadZipFile(_("an entry is larger than it says"))
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != entry.size or crc != entry.crc:
        raise BadZipFile(_("an entry is damaged: its checksum is another"))


def _packed(file: BinaryIO, left: int) -> Iterator[bytes]:
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise BadZipFile(_("it ends too early"))
        left -= len(piece)
        yield piece


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            while piece and not inflate.eof:
                yield inflate.decompress(piece, _PIECE)
                piece = inflate.unconsumed_tail
        while not inflate.eof:
            rest = inflate.decompress(b"", _PIECE)
            if not rest:
                break
            yield rest
    except zlib.error as error:
        raise BadZipFile(_("an entry is damaged")) from error


def _find_directory(file: BinaryIO) -> tuple[int, int, int, int, bool]:
    """Number of entries, bytes and start of the directory, from 4.3.16 and 4.3.14.

    Then what to add to every offset, as something may stand before the archive, and
    whether the number is exact.
    """
    length = file.seek(0, 2)
    tail_size = min(length, _END_SIZE + _LONGEST_COMMENT)
    file.seek(length - tail_size)
    tail = file.read(tail_size)
    at = _find_end(tail)
    if at < 0:
        raise BadZipFile(_("it is no ZIP file, or its end is missing"))
    record = length - tail_size + at
    disk, first_disk, _here, count, size, offset = struct.unpack(
        "<4H2L", tail[at + 4 : at + 20]
    )
    zip64 = _read_end64(file, record)
    if zip64 is not None:
        record, disk, first_disk, count, size, offset = zip64
    if disk or first_disk:
        raise BadZipFile(_("it is one part of a divided archive"))
    start = record - size
    if start < 0 or start < offset:
        raise BadZipFile(_("its directory is damaged"))
    return count, size, start, start - offset, zip64 is not None


def _find_end(tail: bytes) -> int:
    """Where the end record begins in the end of a file; -1 if there is none.

    The mark may stand in the archive's comment, too: the record whose comment ends with
    the file goes before the last one, which something may follow.
    """
    last = at = tail.rfind(_END, 0, max(len(tail) - _END_SIZE + 4, 0))
    while at >= 0:
        (comment,) = struct.unpack("<H", tail[at + 20 : at + _END_SIZE])
        if at + _END_SIZE + comment == len(tail):
            return at
        at = tail.rfind(_END, 0, at)
    return last


def _read_end64(file: BinaryIO, end: int) -> tuple[int, int, int, int, int, int] | None:
    """Position and fields of the ZIP64 end record; None where there is none."""
    if end < _LOCATOR_SIZE + _END64_SIZE:
        return None
    file.seek(end - _LOCATOR_SIZE)
    locator = file.read(_LOCATOR_SIZE)
    if locator[:4] != _LOCATOR:
        return None
    (said,) = struct.unpack("<Q", locator[8:16])
    for position in (end - _LOCATOR_SIZE - _END64_SIZE, said):
        if 0 <= position <= end - _END64_SIZE:
            file.seek(position)
            record = file.read(_END64_SIZE)
            if record[:4] == _END64:
                disk, first_disk, _here, count, size, offset = struct.unpack(
                    "<2L4Q", record[16:56]
                )
                return position, disk, first_disk, count, size, offset
    raise BadZipFile(_("its directory is damaged"))


def _walk(file: BinaryIO, start: int, size: int, shift: int) -> Iterator[ZipEntry]:
    """The entries of the directory, see 4.3.12."""
    file.seek(start)
    left = size
    while left >= _CENTRAL_SIZE:
        header = file.read(_CENTRAL_SIZE)
        if len(header) < _CENTRAL_SIZE or header[:4] != _CENTRAL:
            raise BadZipFile(_("its directory is damaged"))
        (system, flags, method, crc, packed, full, *lengths, attributes, offset) = (
            _CENTRAL_FIELDS.unpack(header)
        )
        variable = sum(lengths)
        more = file.read(variable)
        left -= _CENTRAL_SIZE + variable
        if len(more) < variable or left < 0:
            raise BadZipFile(_("its directory is damaged"))
        name = more[: lengths[0]]
        unicode_name = ""
        if lengths[1]:
            extra = dict(_extra_fields(more[lengths[0] : lengths[0] + lengths[1]]))
            full, packed, offset = _zip64(extra.get(1, b""), full, packed, offset)
            unicode_name = _unicode_name(extra.get(0x7075, b""), name)
        # Only systems of the Unix kind, 3 and 19, write a mode.
        mode = attributes >> 16 if system in (3, 19) else 0
        yield ZipEntry(
            name,
            bool(flags & 0x800),
            unicode_name,
            flags,
            method,
            crc,
            packed,
            full,
            mode,
            offset + shift,
        )


def _extra_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, size = struct.unpack("<2H", data[:4])
        yield kind, data[4 : 4 + size]
        data = data[4 + size :]


def _zip64(data: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """The 64 bits of what did not fit into 32, see 4.5.3."""
    values = [size, packed, offset]
    for n, value in enumerate(values):
        if value == 0xFFFFFFFF:
            if len(data) < 8:
                raise BadZipFile(_("its directory is damaged"))
            (values[n],) = struct.unpack("<Q", data[:8])
            data = data[8:]
    return values[0], values[1], values[2]


def _unicode_name(data: bytes, name: bytes) -> str:
    """The name in UTF-8 of 4.6.9, if it is still that of this entry; else ""."""
    if len(data) < 6 or data[0] != 1:
        return ""
    if struct.unpack("<L", data[1:5])[0] != zlib.crc32(name):
        return ""
    try:
        return data[5:].decode()
    except UnicodeDecodeError:
        return ""


def _check_overlap(entries: list[ZipEntry], end: int) -> None:
    """Raises `BadZipFile` where content is counted twice: what is small grows huge."""
    last = 0
    for offset, packed in sorted((e.offset, e.packed) for e in entries):
        if offset < last:
            raise BadZipFile(_("its entries overlap"))
        last = offset + _LOCAL_SIZE + packed
    if last > end:
        raise BadZipFile(_("an entry is not where the directory says"))
