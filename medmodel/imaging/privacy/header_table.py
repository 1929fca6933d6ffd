"""The header of a DICOM file as a table, identifying values hidden.

To be called in the sandbox (`scans` does so).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from medmodel.imaging.codecs import DAMAGED
from medmodel.imaging.dicom.reading import parse
from medmodel.imaging.privacy.confidentiality import identifying

MAX_ROWS = 2000
MAX_TEXT = 120
MAX_DEPTH = 8

Row = tuple[str, str, "str | None", bool]
"""(tag with its path, keyword, value or None where hidden, identifying)."""


def rows(data: bytes, name: str, reveal: bool = False) -> dict[str, Any]:
    """All elements, those of sequences with the path to them.

    Args:
        data: The file.
        name: For messages.
        reveal: Whether identifying values are given.

    Returns:
        `rows`: a list of `Row`, at most `MAX_ROWS`.

    Raises:
        ImageError: The header is damaged.
    """
    dataset = parse(data, name)
    table_rows: list[Row] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in (dataset.file_meta, dataset):
            for row in _walk(part, reveal, "", 0):
                if len(table_rows) == MAX_ROWS:
                    break
                table_rows.append(row)
    return {"rows": table_rows}


def _walk(dataset: Dataset, reveal: bool, path: str, depth: int) -> Iterator[Row]:
    for tag in sorted(dataset.keys()):
        place = f"{path}({tag.group:04X},{tag.element:04X})"
        try:
            element = dataset[tag]
        except DAMAGED:
            yield place, "damaged", None, True
            continue
        secret = identifying(element)
        if element.VR == "SQ" and element.value is not None:
            items = list(element.value)
            count = f"{len(items)} item{'' if len(items) == 1 else 's'}"
            yield place, _keyword(element), count, secret
            if depth < MAX_DEPTH:
                for number, item in enumerate(items, 1):
                    # Whatever stands in an identifying sequence is so itself.
                    for row in _walk(item, reveal, f"{place}[{number}]", depth + 1):
                        hidden = secret and not reveal and row[2] is not None
                        yield (
                            (row[0], row[1], None if hidden else row[2], True)
                            if (secret)
                            else row
                        )
            continue
        shown = None if secret and not reveal else _text(element)
        yield place, _keyword(element), shown, secret


def _keyword(element: DataElement) -> str:
    if element.tag.is_private:
        return "private"
    return element.keyword or "unknown"


def _text(element: DataElement) -> str:
    value = element.value
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    if element.VR == "UI" and value and hasattr(value, "name") and value.name != value:
        text = f"{value} ({value.name})"
    elif value is None:
        text = ""
    elif isinstance(value, list | tuple | MultiValue):
        text = "\\".join(str(part) for part in value)
    else:
        text = str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
