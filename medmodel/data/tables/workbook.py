"""Workbooks of spreadsheets (Excel, OpenDocument) as CSV, read in the sandbox."""

from __future__ import annotations

import csv
import io
from typing import Any

from medmodel.core.errors import DataError, ImageError
from medmodel.core.processes import sandbox
from medmodel.language import _

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_MOST_CELLS = 10_000_000
_FUNCTION = "medmodel.data.tables.workbook:read_sheets"


def first_sheet(data: bytes, name: str) -> tuple[bytes, list[str]]:
    """The first sheet that holds a table, as CSV in UTF-8, and the other such sheets.

    Args:
        data: The workbook.
        name: What to call it in messages.

    Raises:
        DataError: It is damaged, has a password, is too large or holds no table.
    """
    try:
        answer = sandbox.ask(_FUNCTION, data, name, seconds=sandbox.PAGE_SECONDS)
    except (ImageError, sandbox.AnswerTooLargeError) as error:
        raise DataError(
            _(
                "{name} cannot be read as a workbook: save its sheet as CSV in UTF-8.",
                name=name,
            )
        ) from error
    return bytes(answer["csv"]), list(answer["others"])


def read_sheets(data: bytes, name: str) -> dict[str, Any]:
    """What the sandbox runs: `csv` of the first sheet with a table, names of `others`.

    Raises:
        ImageError: It is no workbook, is too large or holds no table.
    """
    import python_calamine  # here: only workbooks need it

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [book.get_sheet_by_name(title) for title in book.sheet_names]
    except (python_calamine.CalamineError, OSError) as error:
        raise ImageError(
            _("{name} is no workbook: {reason}.", name=name, reason=error)
        ) from error
    # The first row names the columns: a table has one more, and two columns.
    tables = [sheet for sheet in sheets if sheet.height > 1 and sheet.width > 1]
    if not tables or tables[0].height * tables[0].width > _MOST_CELLS:
        raise ImageError(
            _("{name} holds no table, or one of too many cells.", name=name)
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in tables[0].iter_rows())
    return {"csv": text.getvalue().encode(), "others": [t.name for t in tables[1:]]}


def _cell(value: object) -> str:
    """A cell as a spreadsheet writes it into CSV: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
