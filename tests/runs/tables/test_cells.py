"""Cells of tables that grow, and of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.errors import FileError
from medmodel.runs.tables.cells import read_cells, read_header


def test_cells_of_named_columns(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert read_header(path) == [] == list(read_cells(path, "a"))
    path.write_text('a,b,c\n1,"2,2",3\n4,5\n6,7,8')
    assert read_header(path) == ["a", "b", "c"]
    assert list(read_cells(path, "c", "b")) == [["3", "2,2"], ["8", "7"]]
    assert list(read_cells(path, "c", "d")) == []
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(FileError, match=r"x\.csv is damaged"):
        list(read_cells(path, "a"))
    path.write_text('a\n"' + "x" * 200_000)
    with pytest.raises(FileError, match=r"x\.csv is damaged"):
        list(read_cells(path, "a"))


def test_a_line_without_an_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,val_loss\n1,0.5\n" + "0" * (1 << 20))
    with pytest.raises(FileError, match=r"history\.csv is damaged"):
        list(read_cells(path, "epoch"))
    cells = "1," * ((1 << 19) - 1)
    path.write_text(f"epoch,val_loss\n1,0.5\n{cells}\n")
    assert list(read_cells(path, "epoch")) == [["1"]]
