"""Tables as CSV files that spreadsheets read safely (CWE-1236)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Blanks in front are left out, and full-width signs taken for the usual ones. Where
# decimals have a comma, a semicolon ends the cell of a file that has none of its own.
_FORMULA = re.compile(
    r"(?:\A|(?<=[;\t\r\n]))(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|\A[\t\r\n])"
)


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, in which no spreadsheet finds a formula."""
    import pandas as pd

    safe = table.rename(columns=lambda name: harmless(str(name)))
    for position, kind in enumerate(safe.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            column = [harmless(str(text)) for text in safe.iloc[:, position]]
            safe.isetitem(position, column)
    return str(safe.to_csv(index=False))


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula, wherever it parts it."""
    return _FORMULA.sub("'", text)


def csv_file(text: str) -> bytes:
    """A CSV as it is downloaded.

    Spreadsheets take a file of letters beyond ASCII, such as Chinese headers, for the
    encoding of their country unless a mark in front says UTF-8.
    """
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")
