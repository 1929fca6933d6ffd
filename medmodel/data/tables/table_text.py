"""The text of a table, whatever program wrote it: its encoding, separator and rows.

For texts that are neither UTF-8 nor UTF-16 see `encodings`. A workbook is turned into
CSV in the sandbox.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from medmodel.core.control_characters import CONTROLS
from medmodel.core.errors import DataError, os_reason
from medmodel.core.regular_files import open_data_file
from medmodel.data.tables import encodings
from medmodel.data.tables.workbook import WORKBOOKS, first_sheet
from medmodel.language import _

MOST_BYTES = 200_000_000
HEAD = 1 << 16
"""Bytes in which the first line and the encoding show."""
SEPARATORS = ",;\t|"
BLANKS = " "
"""Any number of blanks and tabs: a separator in texts without any other."""
MOST_TITLES = 10
"""Rows within which the header stands."""


def read_head(
    folder: Path, path: Path, encoding: str = "", names: Collection[str] = ()
) -> tuple[str, str]:
    """The first text of a table, and its encoding.

    Args:
        folder: The data set's.
        path: The table's.
        encoding: As somebody chose; "" for the likeliest.
        names: Of the data set's files, as from `encodings.names_of`.

    Raises:
        OSError: It cannot be opened.
        DataError: It is no text, or a workbook that cannot be read.
    """
    content = _content(folder, path, HEAD)
    for likely in (
        [encoding] if encoding else encodings.possible_encodings(content, names)
    ):
        decoder = codecs.getincrementaldecoder(likely)()
        try:
            return decoder.decode(content), likely
        except UnicodeDecodeError as error:
            raise no_table(path) from error
    raise no_table(path)


def possible_encodings(
    folder: Path, path: Path, names: Collection[str] = ()
) -> list[str]:
    """The encodings that the whole text may have, as `encodings.possible_encodings`.

    Raises:
        DataError: It is too large, cannot be opened, or is no text.
    """
    possible = encodings.possible_encodings(_whole(folder, path), names)
    if not possible:
        raise no_table(path)
    return possible


def decoded_cells(folder: Path, path: Path) -> dict[str, list[str]]:
    """What cells beyond ASCII are in each encoding that the text may have.

    Returns:
        The likeliest encoding first; empty where the file says which it is.
    """
    return encodings.decoded_cells(_whole(folder, path))


def read_text(folder: Path, path: Path, encoding: str) -> str:
    """The whole text of a table.

    Raises:
        DataError: It is too large, cannot be opened, or is no text.
    """
    try:
        return _whole(folder, path).decode(encoding)
    except UnicodeDecodeError as error:
        raise no_table(path) from error


def _whole(folder: Path, path: Path) -> bytes:
    try:
        return _content(folder, path)
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be opened: {reason}.",
                name=path.name,
                reason=os_reason(error),
            )
        ) from error


def rows(text: str, separator: str) -> Iterator[list[str]]:
    """The rows of a text that hold something, values composed, without blanks around.

    Line breaks inside quotes belong to a value. A first line such as "sep=;", which
    spreadsheets leave, is none.

    Raises:
        csv.Error: It is no table.
    """
    lines: Iterable[list[str]]
    if separator == BLANKS:
        plain = text.removeprefix("\ufeff").replace("\t", BLANKS).splitlines()
        lines = csv.reader(
            map(str.strip, plain), delimiter=BLANKS, skipinitialspace=True
        )
    else:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for row in lines:
        if any(map(str.strip, row)) and not row[0].startswith("sep="):
            yield [
                unicodedata.normalize("NFC", value.strip()).translate(CONTROLS)
                for value in row
            ]


def separators(name: str) -> str:
    """The separators that a file of this name may have."""
    return SEPARATORS + BLANKS * name.casefold().endswith(".txt")


def best_separator(text: str, name: str = "") -> str:
    """The separator that parts most first rows into equally many columns, and many."""

    def fit(separator: str) -> int:
        try:
            widths = Counter(
                len(row) for row in itertools.islice(rows(text, separator), 50)
            )
        except csv.Error:
            return 0
        return max((w * count for w, count in widths.items() if w > 1), default=0)

    found = max(SEPARATORS, key=fit)
    return found if fit(found) or not name else max(separators(name), key=fit)


def header_places(table: Sequence[Sequence[str]]) -> list[int]:
    """Which of the first rows may be the header: those above are a title.

    A title fills fewer cells than the header below it does.
    """
    places, most = [], 0
    for at, row in enumerate(table[:MOST_TITLES]):
        cells = sum(map(bool, row))
        if cells > most:
            places.append(at)
            most = cells
    return places


def header_place(table: Sequence[Sequence[str]]) -> int:
    """The first of these rows that is as long as most and names half of all columns."""
    usual = Counter((len(row), sum(map(bool, row))) for row in table).most_common(1)
    if not usual:
        return 0
    (width, cells), _count = usual[0]
    for at in header_places(table):
        named = sum(map(bool, table[at]))
        if len(table[at]) >= width and named >= max(2, cells / 2):
            return at
    return 0


def numbered(width: int) -> list[str]:
    """What columns without a header are called."""
    return [f"({number})" for number in range(1, width + 1)]


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
        data = opened.read()
    if relative.casefold().endswith(".xls") and _is_text(data):
        return data, []
    return first_sheet(data, Path(relative).name)


def _is_text(data: bytes) -> bool:
    """Whether a file is text, as many programs write that call it a workbook."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    return b"\0" not in data[:HEAD] and data.lstrip()[:1] not in (b"", b"<")
