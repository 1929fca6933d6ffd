"""The drawn folders, tables and ZIP files of the row of odd files are all right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medmodel.benchmark.odd_files import (
    FOLDER,
    Case,
    difference,
    label_tables,
    layout_oddities,
    layouts,
)


@pytest.mark.parametrize(
    "table",
    [
        layouts._split_words,
        layouts._columns,
        layouts._tables,
        layouts._folders,
        layouts._names,
        label_tables.encoding_cases,
        label_tables.form_cases,
        label_tables.question_cases,
        label_tables.workbook_cases,
        layout_oddities.split_cases,
        layout_oddities.line_cases,
        layout_oddities.folder_cases,
        layout_oddities.archive_cases,
    ],
    ids=lambda table: table.__name__,
)
def test_drawn_layouts(workspace: Path, table: Callable[[], Iterator[Case]]) -> None:
    cases = list(table())
    assert cases and [text for text in map(difference, cases) if text] == []


def test_layouts_of_public_files(
    workspace: Path, real_data: Callable[[str], Path]
) -> None:
    cases = layouts._found(real_data(FOLDER))
    assert [text for text in map(difference, cases) if text] == []
