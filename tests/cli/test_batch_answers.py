"""What names many images, and where their table goes; the rest: test_predict."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from medmodel.cli.batch_answers import check_output, is_batch


def test_folders_archives_and_tables_are_many_images(tmp_path: Path) -> None:
    assert is_batch(tmp_path)
    for name in ("a.zip", "A.ZIP", "list.csv", "list.xlsx"):
        assert is_batch(tmp_path / name), name
    for name in ("a.png", "a.dcm", "zip", "csv.nii.gz"):
        assert not is_batch(tmp_path / name), name


@pytest.mark.parametrize("name", ["table.csv", "table.CSV", "table.parquet"])
def test_a_table_goes_to_a_file_of_its_kind(name: str) -> None:
    assert check_output(Path(name)) == Path(name)


@pytest.mark.parametrize("output", [None, Path("table"), Path("table.xlsx")])
def test_any_other_place_is_refused(output: Path | None) -> None:
    with pytest.raises(click.UsageError, match="FILE.csv or FILE.parquet"):
        check_output(output)
