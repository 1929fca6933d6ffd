"""Tables that name several findings of an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.data import datasets, layout, layout_preview, splits
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    LayoutChoice,
    TableReading,
    save_choice,
)
from medmodel.data.tables.finding_columns import (
    is_finding_column,
    suggested_sign,
)
from medmodel.quality.checks import examine
from tests.data.tables.test_manifest import places, words, write

FILES = [f"{c}_{n:03}" for c in "xy" for n in range(3)]


def labels(folder: Path) -> list[str]:
    return [f.label for f in layout.list_files(folder)[0]]


def table(folder: Path, header: str, *values: str, name: str = "labels.csv") -> None:
    rows = [f"{file},{value}" for file, value in zip(FILES, values, strict=False)]
    write(folder, f"file,{header}", *rows, name=name)


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("Yes", "NO"), ("true", "False"), ("1.0", "0.0")]
)
def test_a_column_for_each_finding(beside: Path, yes: str, no: str) -> None:
    y, n = yes, no
    table(
        beside,
        "nodule,effusion",
        *(f"{y},{y}", f"{y},{y}", f"{n},{n}", f"{n},{y}", f"{y},{n}", f"{n},{n}"),
    )
    assert labels(beside) == [
        *("effusion|nodule", "effusion|nodule", "No finding"),
        *("effusion", "nodule", "No finding"),
    ]
    index = datasets.index_dataset(beside)
    assert index.multi_label and index.classes == ["effusion", "nodule"]
    assert datasets.load_index(beside) is not None
    assert datasets.load_index(beside).multi_label  # type: ignore[union-attr]
    assert "2 columns of yes and no" in datasets.layout_sentences(beside)[0]


def test_columns_with_unknown_beside_others_are_asked_about(beside: Path) -> None:
    """As those of CheXpert: read as classes, the column would be lost."""
    rows = ("1,,-1.0", "1,,0", ",1,1.0", ",1,1", ",,1", ",,-1")
    table(beside, "nodule,mass,edema", *rows)
    with pytest.raises(AmbiguousLayoutError, match="such as 'edema': are all of them"):
        layout.read_layout(beside)
    [preview] = layout_preview.preview_layout(beside).tables
    findings = TableReading("file", findings=("nodule", "mass", "edema"))
    assert preview.reading == findings  # proposed, to be confirmed
    save_choice(beside, LayoutChoice(tables={"labels.csv": findings}))
    assert labels(beside) == ["nodule", "edema|mass", "edema|mass", "edema"]


def test_classes_that_every_row_marks_are_no_question(beside: Path) -> None:
    rows = ("1,,-1", "1,,0", ",1,1", ",1,1", "1,,1", ",,-1")
    table(beside, "nodule,mass,turn", *rows)
    assert layout.read_layout(beside).findings == ()
    # As does a column that holds more than yes, no and unknown.
    table(beside, "nodule,mass,turn", *rows[:4], ",,7", ",,-1")
    assert layout.read_layout(beside).findings == ()


ONE_OF_TWO = ("1,0,1", "1,0,0", "0,1,1", "0,1,1", "0,1,0", "1,0,1")


@pytest.mark.parametrize(
    ("header", "rows", "column"),
    [
        ("ill,well,male", ONE_OF_TWO, "male"),
        ("male,ill,well", [f"{row[4]},{row[:3]}" for row in ONE_OF_TWO], "male"),
        ("ill,well,male,smoker", [f"{row},1" for row in ONE_OF_TWO], "male"),
        (
            "a,b,c,male",
            ("1,,,1", ",1,,1", ",,1,", "1,,,", ",1,,1", ",,1,1"),
            "male",
        ),
        ("ill,well,male", [row.replace("1", "yes") for row in ONE_OF_TWO], "male"),
    ],
)
def test_a_column_beside_classes_is_asked_about(
    beside: Path, header: str, rows: Sequence[str], column: str
) -> None:
    """As of the sex: read as one more finding, it would be diagnosed."""
    table(beside, header, *rows)
    with pytest.raises(AmbiguousLayoutError, match="of which each line marks one") as e:
        layout.read_layout(beside)
    assert f"{column!r} beside them" in str(e.value)
    findings = TableReading("file", findings=("ill", "well"))
    if "ill" in header:
        save_choice(beside, LayoutChoice(tables={"labels.csv": findings}))
        assert set(labels(beside)) == {"ill", "well"}


def test_findings_that_all_have_or_nobody_are_no_question(beside: Path) -> None:
    rows = [f"{row},1,0" for row in ("1,1", "0,0", "1,0", "1,1", "0,0", "0,1")]
    table(beside, "mass,edema,everyone,nobody", *rows)
    assert layout.read_layout(beside).findings == ("edema", "everyone", "mass")


def test_a_slip_among_many_classes_beside_a_column_is_asked_about(
    beside: Path,
) -> None:
    rows = [f"gone{n},{n % 2},{1 - n % 2},{n % 3 // 2}" for n in range(198)]
    write(beside, "file,a,b,male", *rows, "x_000,1,1,0", "y_000,0,1,1")
    with pytest.raises(AmbiguousLayoutError, match="'male' beside them"):
        layout.read_layout(beside)


def test_one_slip_makes_no_multi_label(beside: Path) -> None:
    table(beside, "a,b", "1,0", "1,0", "0,1", "0,1", "1,1", "0,1")
    assert not layout.read_layout(beside).findings
    assert "several classes" in words(beside)


def test_share_of_slips_below_which_there_is_one_class(beside: Path) -> None:
    rows = [f"gone{n},{n % 2},{1 - n % 2}" for n in range(38)]
    several = ["x_000,1,1", "y_000,1,1"]
    write(beside, "file,a,b", *rows, *several)
    assert layout.read_layout(beside).findings == ("a", "b")
    more = "gone,1,0"
    write(beside, "file,a,b", "x_001,1,0", "y_001,0,1", *rows, *several, more)
    assert layout.read_layout(beside).findings == ()


def test_no_finding_column_and_contradictions(beside: Path) -> None:
    table(
        beside,
        "a,b,No Finding",
        *("1,1,0", "1,1,0", "0,0,1", "0,0,0", "1,0,1", "0,1,0"),
    )
    assert labels(beside) == ["a|b", "a|b", "No finding", "No finding", "b"]
    assert "no finding and a in labels.csv" in words(beside)


def test_what_is_not_known_is_left_out(beside: Path) -> None:
    table(beside, "a,b", "1,1", "1,1", ",0", ",1", "0,1", "0,0")
    assert labels(beside) == ["a|b", "a|b", "b", "No finding"]
    assert "2 files, first x/x_002.png (a is not known in labels.csv)" in words(beside)


def test_blank_is_no_where_nothing_else_says_no(beside: Path) -> None:
    table(beside, "a,b", "1,1", "1,1", ",1", ",0", "1,0", ",0")
    assert labels(beside) == ["a|b", "a|b", "b", "No finding", "a", "No finding"]
    assert "where blank means no: a" in layout.read_layout(beside).sentences[0]


def test_a_finding_that_nobody_has_is_named(beside: Path) -> None:
    table(beside, "a,b,c", "1,1,0", "1,1,0", "0,1,0", "0,1,0", "1,0,0", "0,0,0")
    assert layout.read_layout(beside).findings == ("a", "b")
    assert "c (no file has this finding)" in words(beside)


def test_bars_between_findings(beside: Path) -> None:
    cells = ["A|B", " b | a ", "A", "No Finding", "B", "nan"]
    table(beside, "Finding Labels", *cells)
    assert labels(beside) == ["A|B", "A|B", "A", "No finding", "B"]
    assert "'a' counts as class 'A', which looks alike" in words(beside)
    assert "no label in labels.csv" in words(beside)


def test_bars_in_the_name_of_a_class(beside: Path) -> None:
    table(beside, "label", "T1|T2", "T1|T2", "rest", "rest", "rest", "T1|T2")
    assert not layout.read_layout(beside).findings
    assert set(labels(beside)) == {"T1|T2", "rest"}


@pytest.mark.parametrize(
    "several",
    [
        ("p|v", "p|b"),
        ("p | v", "p|b"),
        ("a|b|c", "a|d"),
    ],
)
def test_bars_between_parts_in_common_are_asked_about(
    beside: Path, several: tuple[str, str]
) -> None:
    """A part that stands in one label only tells no name from a list of findings."""
    first, second = several
    table(beside, "findings", "No finding", first, second, first, "No finding", first)
    with pytest.raises(AmbiguousLayoutError, match="which have parts in common"):
        layout.read_layout(beside)
    [preview] = layout_preview.preview_layout(beside).tables
    assert suggested_sign(preview.words["findings"]) == "|"
    one = TableReading("file", "findings")
    save_choice(beside, LayoutChoice(tables={"labels.csv": one}))
    assert set(labels(beside)) == {"No finding", first, second}


@pytest.mark.parametrize("sign", [";", "+", "/", "&"])
def test_other_signs_are_asked_about(beside: Path, sign: str) -> None:
    cells = [f"a{sign} b", "a", "b", "normal", "b", f"a{sign} b"]
    table(beside, "label", *cells)
    with pytest.raises(AmbiguousLayoutError, match="several findings on one image"):
        layout.list_files(beside)
    preview = layout_preview.preview_layout(beside)
    assert preview.table == "labels.csv" and preview.question
    one = TableReading("file", "label")
    save_choice(beside, LayoutChoice(tables={"labels.csv": one}))
    assert set(labels(beside)) == {f"a{sign} b", "a", "b", "normal"}
    several = TableReading("file", "label", finding_separator=sign)
    save_choice(beside, LayoutChoice(tables={"labels.csv": several}))
    assert labels(beside) == ["a|b", "a", "b", "No finding", "b", "a|b"]


@pytest.mark.parametrize("sign", ["|", ";"])
def test_one_label_of_two_classes_is_a_slip(beside: Path, sign: str) -> None:
    table(beside, "label", f"a{sign}b", "a", "b", "b", "b", "a")
    assert not layout.read_layout(beside).findings
    assert labels(beside) == ["a", "b", "b", "b", "a"]
    assert "several classes in labels.csv" in words(beside)


def test_a_comma_in_a_class_is_no_question(beside: Path) -> None:
    write(beside, "file;label", 'x_000;"Carcinoma, NOS"', "y_000;Nevus", "y_001;Nevus")
    assert not layout.read_layout(beside).findings


def test_crosses_are_proposed_and_read_as_chosen(beside: Path) -> None:
    table(beside, "a,b", "x,x", "x,", ",x", ",", "x,x", ",")
    [preview] = layout_preview.preview_layout(beside).tables
    assert preview.reading.findings == ("a", "b") and not preview.reading.label
    save_choice(beside, LayoutChoice(tables={"labels.csv": preview.reading}))
    expected = ["a|b", "a", "b", "No finding", "a|b", "No finding"]
    assert labels(beside) == expected


def test_test_table_without_two_findings(beside: Path) -> None:
    write(beside, "file,a,b", "x_000,1,1", "x_001,1,1", "x_002,0,0", name="train.csv")
    write(beside, "file,a,b", "y_000,1,0", "y_001,0,0", name="test.csv")
    assert places(beside) == {
        "x/x_000.png": ("a|b", "train"),
        "x/x_001.png": ("a|b", "train"),
        "x/x_002.png": ("No finding", "train"),
        "y/y_000.png": ("a", "test"),
        "y/y_001.png": ("No finding", "test"),
    }


def test_damaged_list_of_findings_is_checked_anew(beside: Path) -> None:
    table(beside, "a,b", "1,1", "1,1", "0,1", "0,1", "1,0", "0,0")
    datasets.index_dataset(beside)
    path = datasets.index_folder(beside) / "multi_label.json"
    path.write_text("{", encoding="utf-8")
    assert datasets.load_index(beside) is None
    table(beside, "label", "a", "a", "a", "b", "b", "b")
    datasets.index_dataset(beside)
    assert not path.exists()


def test_report_counts_findings_and_combinations(beside: Path) -> None:
    table(beside, "a,b", "1,1", "1,1", "0,1", "0,1", "1,0", "0,0")
    index = datasets.index_dataset(beside)
    split = splits.assign_splits(index, TrainConfig(str(beside)))
    report = examine(index, split)
    totals = {name: sum(each.values()) for name, each in report.images.items()}
    assert totals == {"No finding": 1, "a": 3, "b": 4}
    assert report.combinations == [("a|b", 2)] and report.multi_label
    assert sum(report.images_of_split.values()) == report.num_images == 6


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["x", ""], True),
        (["1", "0", "-1", ""], True),
        (["0", "0"], False),
        (["yes", "maybe"], False),
        (["✓", "-"], True),
    ],
)
def test_is_finding_column(values: list[str], expected: bool) -> None:
    assert is_finding_column(values) is expected


def test_a_single_column_of_yes_and_no_says_two_classes(beside: Path) -> None:
    table(beside, "nodule", *"110010")
    alone = TableReading("file", findings=("nodule",))
    save_choice(beside, LayoutChoice(tables={"labels.csv": alone}))
    with pytest.raises(DataError, match="choose it as the column of the class"):
        datasets.index_dataset(beside)
    of_class = TableReading("file", "nodule")
    save_choice(beside, LayoutChoice(tables={"labels.csv": of_class}))
    index = datasets.index_dataset(beside)
    assert index.classes == ["0", "1"] and not index.multi_label
