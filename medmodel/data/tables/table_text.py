"""The text of a table, whatever program wrote it: its encoding, separator and rows.

UTF-8 and UTF-16 are certain. Spreadsheets of other countries write an encoding that the
file does not name (GBK, Shift-JIS, Windows-1252): it is guessed as that of names in ZIP
files is. A workbook is turned into CSV in the sandbox.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from medmodel.core.errors import DataError, os_reason
from medmodel.core.regular_files import open_data_file
from medmodel.data.archives.zip_names import guess_encodings
from medmodel.data.tables.workbook import WORKBOOKS, first_sheet
from medmodel.language import _

MOST_BYTES = 200_000_000
HEAD = 1 << 16
"""Bytes in which the first line and the encoding show."""
SEPARATORS = ",;\t|"
ENCODINGS_BESIDE_UNICODE = ("gb18030", "cp932", "cp949", "cp950", "cp1251", "cp1252")
"""What spreadsheets write beside Unicode; those of DOS are left to old archives."""
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, the longer first."""


def read_head(folder: Path, path: Path) -> tuple[str, str]:
    """The first text of a table, and its encoding.

    Raises:
        OSError: It cannot be opened.
        DataError: It is no text, or a workbook that cannot be read.
    """
    content = _content(folder, path, HEAD)
    encoding = encoding_of(content)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(content), encoding
    except UnicodeDecodeError as error:
        raise no_table(path) from error


def read_text(folder: Path, path: Path, encoding: str) -> str:
    """The whole text of a table; `encoding` is that of its first text.

    Raises:
        DataError: It is too large, cannot be opened, or is no text.
    """
    try:
        content = _content(folder, path)
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be opened: {reason}.",
                name=path.name,
                reason=os_reason(error),
            )
        ) from error
    try:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            # The first text was ASCII alone.
            return content.decode(encoding_of(content))
    except UnicodeDecodeError as error:
        raise no_table(path) from error


def rows(text: str, separator: str) -> Iterator[list[str]]:
    """The rows of a text that hold something, values composed, without blanks around.

    Line breaks inside quotes belong to a value. A first line such as "sep=;", which
    spreadsheets leave, is none.

    Raises:
        csv.Error: It is no table.
    """
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        if any(map(str.strip, row)) and not row[0].startswith("sep="):
            yield [unicodedata.normalize("NFC", value.strip()) for value in row]


def best_separator(text: str) -> str:
    """The separator that parts most first rows into as many columns as the first."""

    def fit(separator: str) -> int:
        try:
            widths = [len(row) for row in rows(text, separator)][:50]
        except csv.Error:
            return 0
        return widths[0] * widths.count(widths[0]) if widths and widths[0] > 1 else 0

    return max(SEPARATORS, key=fit)


def encoding_of(content: bytes) -> str:
    """The encoding of a text of which this is the beginning.

    UTF-16 by its mark or its zero bytes, else UTF-8 with or without a mark where that
    is possible, else the likeliest of those that spreadsheets write.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding
    if b"\0" in content[:64]:
        return "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)
        return "utf-8-sig"
    except UnicodeDecodeError:
        # Bytes below 0x30 are no part of a letter in any of these encodings.
        cells = re.split(rb"[\r\n,\t]+", content)
        if len(content) >= HEAD and cells[1:]:
            del cells[-1]  # it may end in the middle of a letter
        foreign = [cell for cell in cells if not cell.isascii()]
        guess = guess_encodings(foreign, ENCODINGS_BESIDE_UNICODE)[0]
        text = b"".join(foreign).decode(guess, "replace")
        # Of damaged or binary files: letters that no language has.
        odd = any(unicodedata.category(c) in ("Cc", "Cn", "Co") for c in text)
        return guess if guess in ENCODINGS_BESIDE_UNICODE and not odd else "utf-8-sig"


def no_table(path: Path) -> DataError:
    """What to say of a file that is no text."""
    return DataError(_("{name} is no table: save it as CSV in UTF-8.", name=path.name))


def is_workbook(path: str) -> bool:
    """Whether a file is a workbook of a spreadsheet, by its name."""
    return path.casefold().endswith(WORKBOOKS)


def _content(folder: Path, path: Path, most: int = -1) -> bytes:
    """The first bytes of a table, or all; those of CSV where it is a workbook."""
    relative = str(path.relative_to(folder))
    with open_data_file(folder, relative) as opened:
        status = os.fstat(opened.fileno())
        workbook = is_workbook(path.name)
        if (most < 0 or workbook) and status.st_size > MOST_BYTES:
            raise DataError(
                _(
                    "{name} is larger than {megabytes} MB.",
                    name=path.name,
                    megabytes=MOST_BYTES // 10**6,
                )
            )
        if not workbook:
            return opened.read(most)
    return _workbook(folder, relative, status.st_mtime_ns)[0]


def other_sheets(folder: Path, path: Path) -> list[str]:
    """Names of the sheets of a workbook that are not read; empty for other tables."""
    if not is_workbook(path.name):
        return []
    relative = str(path.relative_to(folder))
    with open_data_file(folder, relative) as opened:
        changed = os.fstat(opened.fileno()).st_mtime_ns
    return _workbook(folder, relative, changed)[1]


@functools.lru_cache(maxsize=2)
def _workbook(folder: Path, relative: str, changed: int) -> tuple[bytes, list[str]]:
    """The sheet of a workbook as CSV, the names of the others; kept until changed."""
    with open_data_file(folder, relative) as opened:
        return first_sheet(opened.read(), Path(relative).name)
