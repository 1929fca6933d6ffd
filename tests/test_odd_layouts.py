"""The drawn folders, tables and ZIP files of the row of odd files are all right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medmodel.benchmark import odd_layouts
from medmodel.benchmark.odd_files import FOLDER, Case, difference


@pytest.mark.parametrize(
    "table",
    [
        odd_layouts._split_words,
        odd_layouts._columns,
        odd_layouts._tables,
        odd_layouts._folders,
        odd_layouts._names,
    ],
    ids=lambda table: table.__name__,
)
def test_drawn_layouts(workspace: Path, table: Callable[[], Iterator[Case]]) -> None:
    cases = list(table())
    assert cases and [text for text in map(difference, cases) if text] == []


def test_layouts_of_public_files(
    workspace: Path, real_data: Callable[[str], Path]
) -> None:
    cases = odd_layouts._found(real_data(FOLDER))
    assert [text for text in map(difference, cases) if text] == []
