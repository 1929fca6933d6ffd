"""What names many images; the rest: test_predict, test_batches."""

from __future__ import annotations

from pathlib import Path

from medmodel.cli.answers.batch_answers import is_batch


def test_folders_archives_and_tables_are_many_images(tmp_path: Path) -> None:
    assert is_batch(tmp_path)
    for name in ("a.zip", "A.ZIP", "list.csv", "list.xlsx"):
        assert is_batch(tmp_path / name), name
    for name in ("a.png", "a.dcm", "zip", "csv.nii.gz"):
        assert not is_batch(tmp_path / name), name
