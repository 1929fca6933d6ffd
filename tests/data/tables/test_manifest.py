"""Tables beside the images; drawn folders of every kind: test_odd_layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.data import datasets, layout, splits
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    LayoutChoice,
    TableReading,
    save_choice,
)
from medmodel.data.layouts.left_out import left_out
from medmodel.data.layouts.split_names import Role
from medmodel.data.tables import manifest, table_lines, table_text
from tests.conftest import draw_class_folders


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


ROWS = {"x/x_000.png": "ill", "x/x_001.png": "well", "y/y_000.png": "ill"}


def places(folder: Path) -> dict[str, tuple[str, str]]:
    return {f.path: (f.label, f.split) for f in layout.list_files(folder)[0]}


def words(folder: Path) -> str:
    return left_out(layout.list_files(folder)[1])


def test_rows_that_are_longer_than_the_header(tmp_path: Path) -> None:
    """Where a separator is not quoted, what follows has moved."""
    folder = draw_class_folders(tmp_path / "data" / "set", ("x",), 3)
    rows = [f"x/x_00{at}.png,{word}" for at, word in enumerate(("ill", "well", "ill"))]
    write(folder, "file,label", *rows[:2], f"{rows[2]},very")
    assert list(places(folder)) == ["x/x_000.png", "x/x_001.png"]
    assert "more values than columns in labels.csv" in words(folder)
    write(folder, "file,label", *(f"{row},very" for row in rows))
    with pytest.raises(DataError) as refused:
        layout.list_files(folder)
    assert str(refused.value) == (
        "labels.csv names no file that can be used: more values than columns in "
        "labels.csv."
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "columns",
    [
        "file label",
        "FILE Label",
        "filename class",
        "image_id dx",
        "Image Index,Finding Labels",
        "Path target",
        "id_code diagnosis",
        "img category",
        "\u6587\u4ef6\u540d \u7c7b\u522b",
        "archivo diagn\u00f3stico",
        "\u0444\u0430\u0439\u043b \u043a\u043b\u0430\u0441\u0441",
    ],
)
def test_usual_columns_and_separators(
    beside: Path, columns: str, separator: str
) -> None:
    names = columns.split("," if "," in columns else " ")
    lines = [f'"{a}"{separator}{b}' for a, b in ROWS.items()]
    write(beside, separator.join(names), *lines)
    assert places(beside) == {path: (label, "") for path, label in ROWS.items()}


@pytest.mark.parametrize("line", ["", "surname,label", "filelabel", "file", "file,age"])
def test_other_tables_are_no_tables(beside: Path, line: str) -> None:
    write(beside, line, "x/x_000.png,3")
    found, ignored = layout.list_files(beside)
    assert {file.label for file in found} == {"x", "y"}
    reason = "no table whose first line names file and label"
    assert ("labels.csv", reason) in ignored


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_encodings_of_tables(beside: Path, encoding: str) -> None:
    text = "sep=;\r\nfile;label\r\nx/x_000.png;krank \u00e4\r\ny/y_000.png;b\r\n"
    (beside / "labels.csv").write_bytes(text.encode(encoding))
    assert places(beside) == {
        "x/x_000.png": ("krank \u00e4", ""),
        "y/y_000.png": ("b", ""),
    }


@pytest.mark.parametrize(
    "written",
    [
        "/home/me/set/{}",
        "C:\\data\\set\\{}",
        "file:///home/me/{}",
        "./{}",
        "set/{}",
        "{name}",
        "{stem}",
        "{stem}.dcm",
        "/other/disk/{name}",
        "X/{NAME}",
    ],
)
def test_paths_as_other_computers_write_them(beside: Path, written: str) -> None:
    paths = [Path(path) for path in ROWS]
    rows = [
        written.format(p, name=p.name, stem=p.stem, NAME=p.name.upper()) + f",{p.stem}"
        for p in (paths[:2] if written.startswith("X") else paths)
    ]
    write(beside, "file,label", *rows)
    assert {path: label for path, (label, _) in places(beside).items()} == {
        str(p): p.stem for p in paths[: len(rows)]
    }


@pytest.mark.parametrize("file", ["z/x_000.png", "../x/x_000.png", "x/x_0", "x"])
def test_paths_that_lead_elsewhere_mean_no_file(beside: Path, file: str) -> None:
    write(beside, "file,label", f"{file},ill", "y/y_000.png,well")
    assert list(places(beside)) == ["y/y_000.png"]
    assert (file, "named in labels.csv, but not there") in layout.list_files(beside)[1]


def test_paths_from_the_folder_of_the_table(beside: Path) -> None:
    (beside / "tables").mkdir()
    lines = ["../x/x_000.png,ill", "../y/y_000.png,well", "../../x/x_001.png,ill"]
    write(beside, "file,label", *lines, name="tables/labels.csv")
    assert list(places(beside)) == ["x/x_000.png", "y/y_000.png"]


def test_a_name_that_two_files_have_is_said(beside: Path) -> None:
    (beside / "y" / "x_000.png").write_bytes(b"x")
    write(beside, "file,label", "x_000.png,ill", "y_000.png,well")
    assert list(places(beside)) == ["y/y_000.png"]
    assert "x_000.png (2 files are called so: name the folder too)" in words(beside)


def test_files_that_are_not_here_are_counted_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    write(tmp_path, "file,label", "x.png,ill", "y.png,well")
    sentence = r"labels\.csv names 2 files that are not here, first x\.png"
    with pytest.raises(DataError, match=sentence):
        layout.list_files(tmp_path)


def test_where_a_table_means_other_files_the_folders_count(beside: Path) -> None:
    write(beside, "file,label", "other.png,ill")
    assert set(places(beside).values()) == {("x", ""), ("y", "")}
    assert words(beside) == (
        "Left out: labels.csv (names 1 file that is not here, first other.png; the "
        "folders count)."
    )


def test_two_tables_train_and_test(beside: Path) -> None:
    write(beside, "file,label", "x/x_000.png,a", "y/y_000.png,b", name="train.csv")
    write(
        beside, "file,label", "x/x_001.png,a", "y/y_001.png,b", name="Test_Labels.csv"
    )
    assert places(beside) == {
        "x/x_000.png": ("a", "train"),
        "x/x_001.png": ("a", "test"),
        "y/y_000.png": ("b", "train"),
        "y/y_001.png": ("b", "test"),
    }


def test_a_third_table_of_unknown_split_does_not_train(beside: Path) -> None:
    write(beside, "file,label", "x/x_000.png,a", "y/y_000.png,b", name="train.csv")
    write(beside, "file,label", "x/x_001.png,a", name="part_b.csv")
    write(beside, "file,label", "x/x_002.png,a", name="sample_submission.csv")
    assert set(places(beside)) == {"x/x_000.png", "y/y_000.png"}
    assert "x/x_001.png (no split in part_b.csv)" in words(beside)


def test_tables_inside_split_folders(tmp_path: Path) -> None:
    for split, labels in (("train", "ab"), ("test", "ba")):
        (tmp_path / split).mkdir()
        lines = [f"{n},{label}" for n, label in enumerate(labels)]
        write(tmp_path, "id,label", *lines, name=f"{split}/labels.csv")
        for n in range(2):
            (tmp_path / split / f"{n}.png").write_bytes(b"x")
    assert places(tmp_path) == {
        "train/0.png": ("a", "train"),
        "train/1.png": ("b", "train"),
        "test/0.png": ("b", "test"),
        "test/1.png": ("a", "test"),
    }


def test_folders_tell_the_split_where_the_table_does_not(tmp_path: Path) -> None:
    files = ["train_images/1.png", "test_images/2.png", "more/3.png"]
    for file in files:
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(b"x")
    write(tmp_path, "id,label", "1,a", "2,b", "3,a")
    assert places(tmp_path) == {files[0]: ("a", "train"), files[1]: ("b", "test")}
    assert words(tmp_path) == "Left out: more/3.png (not in train, val or test)."


@pytest.mark.parametrize(
    ("column", "values", "splits"),
    [
        ("split", "train holdout external", "train test test"),
        ("Split", "TRAIN dev eval", "train val test"),
        ("set", "train val test", "train val test"),
        ("fold", "0 1 2", "  "),
        ("is_test", "0 True no", "train test train"),
        ("is_train", "1 0 1.0", "train test train"),
        ("train", "yes no yes", "train test train"),
        ("is_valid", "True False False", "val train train"),
        ("in_train", "yes yes no", "train train test"),
        ("inTrain", "yes yes no", "train train test"),
        ("inValidation", "no no yes", "train train val"),
        ("in_valid", "no no yes", "train train val"),
        ("invalid", "0 1 0", "  "),
        ("Invalid", "no no yes", "  "),
        ("INVALID", "0 0 1", "  "),
        ("used for test", "0 0 1", "train train test"),
        ("cohort", "train train test", "train train test"),
        ("训练测试", "训练 验证 测试", "train val test"),
        ("view", "PA AP PA", "  "),
        ("site", "test test test", "  "),
    ],
)
def test_columns_of_splits(beside: Path, column: str, values: str, splits: str) -> None:
    rows = [f"{p},{p[0]},{v}" for p, v in zip(ROWS, values.split(), strict=True)]
    write(beside, f"file,label,{column}", *rows)
    found = [split for _, split in places(beside).values()]
    assert found == splits.split(" ")


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("split", "holdout_b"),
        ("split", "fold3"),
        ("split", "1"),
        ("split", "trainval"),
        ("set", "later"),
        ("cohort", "internal set B"),
    ],
)
def test_an_unknown_split_is_refused_by_name(
    beside: Path, column: str, word: str
) -> None:
    write(
        beside,
        f"file,label,{column}",
        "x/x_000.png,a,train",
        f"x/x_001.png,a,{word}",
        f"y/y_001.png,a,{word}",
        "y/y_002.png,a,test",
    )
    sentence = (
        rf"labels\.csv names the split '{word}', which is not known \(2 lines, the "
    )
    with pytest.raises(DataError, match=sentence + r"first of x/x_001\.png\)"):
        layout.list_files(beside)


def test_a_row_without_split_beside_others_does_not_train(beside: Path) -> None:
    write(
        beside,
        "file,label,split",
        "x/x_000.png,a,train",
        "x/x_001.png,a,",
        "y/y_000.png,b,nan",
    )
    assert list(places(beside)) == ["x/x_000.png"]
    sentence = "2 files, first x/x_001.png (no split in labels.csv)"
    assert sentence in words(beside)


def test_one_column_per_class(beside: Path) -> None:
    write(
        beside,
        "image,MEL,NV,age,is_test",
        "x_000,1.0,0.0,50,0",
        "x_001,0,1,50,1",
        "x_002,1,1,50,0",
        "y_000,0,0,50,0",
    )
    assert places(beside) == {
        "x/x_000.png": ("MEL", "train"),
        "x/x_001.png": ("NV", "test"),
    }
    assert "x/x_002.png (several classes in labels.csv)" in words(beside)
    assert "y/y_000.png (no class in labels.csv)" in words(beside)


def test_labels_that_look_alike_and_missing_ones(beside: Path) -> None:
    write(
        beside,
        "file,label",
        "x/x_000.png,0",
        "x/x_001.png,0.0",
        'x/x_002.png,"0 "',
        "y/y_000.png,",
        "y/y_001.png,NaN",
        'y/y_002.png,"a\n b"',
    )
    assert {label for label, _ in places(beside).values()} == {"0", "a b"}
    said = words(beside)
    assert "2 files, first y/y_000.png (no label in labels.csv)" in said
    assert "'0.0' counts as class '0', which looks alike." in said


def test_a_second_column_that_could_be_the_label_is_said(beside: Path) -> None:
    write(beside, "file,diagnosis,label", "x_000.png,a,b", "y_000.png,b,a")
    assert places(beside)["x/x_000.png"] == ("b", "")
    assert "labels.csv (column 'diagnosis' is not used as the label)" in words(beside)


def test_a_table_of_patients_beside_class_folders(beside: Path) -> None:
    write(beside, "file,patient", "x/x_000.png,ann", "y/y_000.png,ann")
    files = {f.path: f for f in layout.list_files(beside)[0]}
    assert len(files) == 6 and files["x/x_001.png"].patient == ""
    patients = [files[path].patient for path in ("x/x_000.png", "y/y_000.png")]
    assert patients[0] == patients[1] != ""
    assert files["y/y_000.png"].label == "y"


def test_a_table_of_splits_beside_class_folders(beside: Path) -> None:
    write(beside, "file,split", "x/x_000.png,train", "y/y_000.png,test")
    assert places(beside) == {
        "x/x_000.png": ("x", "train"),
        "y/y_000.png": ("y", "test"),
    }
    assert "4 files, first x/x_001.png (no split in labels.csv)" in words(beside)


def test_a_table_that_becomes_a_link_is_not_read(beside: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("file,label\nx/x_000.png,secret\n")
    (beside / "labels.csv").symlink_to(secret)
    assert {label for label, _ in places(beside).values()} == {"x", "y"}


def test_the_same_line_twice_is_no_remark(beside: Path) -> None:
    write(
        beside, "file,label", "x/x_000.png,ill", "x/x_000.png,ill", "y/y_000.png,well"
    )
    files, ignored = layout.list_files(beside)
    assert [file.path for file in files] == ["x/x_000.png", "y/y_000.png"]
    assert {reason for _, reason in ignored} == {"not named in labels.csv"}


def table_of(folder: Path) -> manifest.Table:
    tables, _ = manifest.find_tables(folder, ["labels.csv"])
    return tables[0]


def test_a_large_table_is_refused(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(beside, "file,label", "x/x_000.png,ill")
    table = table_of(beside)
    monkeypatch.setattr(table_text, "MOST_BYTES", path.stat().st_size)
    assert [row.label for row in table_lines.read_table(table, beside)] == ["ill"]
    monkeypatch.setattr(table_text, "MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(DataError, match=r"labels\.csv is larger than"):
        list(table_lines.read_table(table, beside))


def test_no_text_is_one_sentence(beside: Path) -> None:
    path = beside / "labels.csv"
    path.write_bytes(b"file,label\nx/x_000.png,\x01\xff\x81\n")
    assert "labels.csv is no table: save it as CSV in UTF-8" in words(beside)
    lines = b"x/x_001.png,a\n" * (table_text.HEAD // 8)
    path.write_bytes(b"file,label\n" + lines + b"x/x_000.png,\x01\xff\x81\n")
    assert "labels.csv is no table: save it as CSV in UTF-8" in words(beside)


def test_a_table_that_is_gone_is_one_sentence(beside: Path) -> None:
    path = write(beside, "file,label", "x/x_000.png,ill")
    table = table_of(beside)
    path.unlink()
    with pytest.raises(DataError, match=r"labels\.csv cannot be opened: No such file"):
        list(table_lines.read_table(table, beside))


def test_a_column_that_may_mean_something_else_gives_way_to_folders(
    beside: Path,
) -> None:
    write(beside, "file,type", "x/x_000.png,CR", "y/y_000.png,DX")
    assert set(places(beside).values()) == {("x", ""), ("y", "")}
    assert "column 'type' is not used: the folders are classes" in words(beside)
    for number in range(3):
        (beside / "x" / f"x_{number:03}.png").rename(beside / f"x_{number:03}.png")
    for path in (beside / "y").iterdir():
        path.rename(beside / path.name)
    assert {label for label, _ in places(beside).values()} == {"CR", "DX"}


def test_a_workbook_that_is_none_is_said(beside: Path) -> None:
    (beside / "Labels.XLSX").write_bytes(b"PK")
    assert words(beside) == (
        "Left out: Labels.XLSX (Labels.XLSX cannot be read as a workbook: save its "
        "sheet as CSV in UTF-8)."
    )


def test_a_table_without_a_label_is_asked_about_where_nothing_else_says_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data" / "set"
    (folder / "bilder").mkdir(parents=True)
    for number in range(4):
        (folder / "bilder" / f"{number}.png").write_bytes(b"x")
    rows = [f"p{n};bilder/{n}.png;{'ab'[n % 2]}" for n in range(4)]
    write(folder, "Patient;Bild;Beurteilung", *rows)
    with pytest.raises(AmbiguousLayoutError, match=r"labels\.csv names files"):
        layout.list_files(folder)
    reading = TableReading("Bild", "Beurteilung", "Patient")
    save_choice(folder, LayoutChoice(tables={"labels.csv": reading}))
    assert {label for label, _ in places(folder).values()} == {"a", "b"}
    assert all(file.patient for file in layout.list_files(folder)[0])
    write(folder, "Patient;Bild;Urteil", *rows)
    sentence = r"labels\.csv lacks a column .*Beurteilung \(class\)"
    with pytest.raises(AmbiguousLayoutError, match=sentence):
        layout.list_files(folder)
    save_choice(folder, LayoutChoice(tables={"labels.csv": TableReading()}))
    assert set(places(folder).values()) == {("bilder", "")}
    assert "labels.csv (not used: a person chose so)" in words(folder)


def test_chosen_words_of_splits(beside: Path) -> None:
    rows = [f"{p},{p[0]},{v}" for p, v in zip(ROWS, ("A", "B", "C"), strict=True)]
    write(beside, "file,label,round", *rows)
    splits: dict[str, Role] = {"A": "train", "B": "test", "C": ""}
    reading = TableReading("file", "label", split="round", splits=splits)
    save_choice(beside, LayoutChoice(tables={"labels.csv": reading}))
    assert [split for _, split in places(beside).values()] == ["train", "test"]
    write(beside, "file,label,round", *rows, "y/y_002.png,y,D")
    with pytest.raises(AmbiguousLayoutError, match=r"names the split 'D'"):
        layout.list_files(beside)
