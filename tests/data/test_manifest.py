from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.data import datasets, layout, manifest, splits
from tests.conftest import draw_class_folders


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Images that lie in folders which mean nothing, and a table."""
    folder = draw_class_folders(tmp_path / "data" / "set", ("x", "y"), 3)
    return folder


def write(folder: Path, *lines: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_table_decides(beside: Path) -> None:
    write(
        beside,
        "file,label,patient,split",
        "x/x_000.png,ill,ann,train",
        "x/x_001.png,well,ann,training",
        "./y/y_000.png,ill,bob,val",
        "y\\y_001.png,well,bob,test",
        "y/y_002.png,well,cid,test",
        "y/y_002.png,ill,cid,test",
        "gone.png,ill,,",
        "../../secret.png,ill,,",
        ",ill,,",
    )
    index = datasets.index_dataset(beside)
    assert index.classes == ["ill", "well"]
    assert index.table["label"].tolist() == ["ill", "well", "ill", "well", "well"]
    assert index.table["split"].tolist() == ["train", "train", "val", "test", "test"]
    patients = index.table["patient"].tolist()
    assert patients[0] == patients[1] != patients[2] == patients[3]
    assert "ann" not in "".join(patients)
    reasons = dict(zip(index.ignored["path"], index.ignored["reason"], strict=True))
    assert reasons == {
        "x/x_002.png": "not named in labels.csv",
        "y/y_002.png": "named twice in labels.csv; the first line counts",
        "gone.png": "named in labels.csv, but not there",
        "../../secret.png": "named in labels.csv, but not there",
    }
    table = splits.assign_splits(index, TrainConfig(str(beside)))
    assert table["patient"].tolist() == patients


@pytest.mark.parametrize(
    "line", ["file;label", "label\tFILE", '"File","Label"', "\ufefffile,label"]
)
def test_separators_and_capitals(beside: Path, line: str) -> None:
    path = write(beside, line, "")
    assert manifest.find_table(beside) == path


@pytest.mark.parametrize("line", ["", "name,label", "filelabel", "file"])
def test_other_tables_are_no_tables(beside: Path, line: str) -> None:
    write(beside, line)
    assert manifest.find_table(beside) is None
    found, ignored = layout.list_files(beside)
    assert {file.label for file in found} == {"x", "y"}
    assert ("labels.csv", "not in a class folder") in ignored


def test_the_same_line_twice_is_no_remark(beside: Path) -> None:
    write(
        beside, "file,label", "x/x_000.png,ill", "x/x_000.png,ill", "y/y_000.png,well"
    )
    files, ignored = layout.list_files(beside)
    assert [file.path for file in files] == ["x/x_000.png", "y/y_000.png"]
    assert {reason for _, reason in ignored} == {"not named in labels.csv"}


def test_a_large_table_is_refused(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(beside, "file,label", "x/x_000.png,ill")
    monkeypatch.setattr(manifest, "MOST_BYTES", path.stat().st_size)
    assert [row.label for row in manifest.read_table(path)] == ["ill"]
    monkeypatch.setattr(manifest, "MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"labels\.csv is larger than"):
        list(manifest.read_table(path))


def test_no_text_is_one_sentence(beside: Path) -> None:
    path = beside / "labels.csv"
    path.write_bytes(b"file,label\nx/x_000.png,\xff\n")
    with pytest.raises(DataError, match=r"labels\.csv is no table"):
        list(manifest.read_table(path))
