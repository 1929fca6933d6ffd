"""Labels and columns that may be splits are asked about, others are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medmodel.data.layouts.layout_choice import AmbiguousLayoutError
from medmodel.data.tables import manifest
from medmodel.data.tables.columns import Table

LINES = 8


def found(folder: Path, header: str, line: Callable[[int], str]) -> Table:
    lines = [f"{number}.png,{line(number)}" for number in range(LINES)]
    (folder / "labels.csv").write_text("\n".join([f"file,{header}", *lines]))
    paths = ["labels.csv", *(f"{number}.png" for number in range(LINES))]
    (table,), _others = manifest.find_tables(folder, paths)
    return table


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        ("label", lambda n: ("TR", "TS")[n % 2], "called like splits: TR, TS"),
        ("label,valid", lambda n: f"{'ab'[n % 2]},{int(n > 2)}", "yes of 5 of 8"),
        ("TR,TS", lambda n: f"{n % 2},{int(n > 3)}", "columns TR, TS may be splits"),
        (
            "label,status",
            lambda n: f"{'ab'[n % 2]},{('valid', 'test')[n > 5]}",
            "column 'status' may be the split, without a word of training",
        ),
        (
            "label,stage",
            lambda n: f"{'ab'[n % 2]},{('valid', 'test')[n > 5]}",
            "column 'stage' may be the split",
        ),
        (
            "label,status",
            lambda n: f"{'ab'[n % 2]},{('valid', 'test', 'dropped')[n % 3]}",
            "column 'status' may be the split",
        ),
        (
            "label,status,kind",
            lambda n: (
                f"{'ab'[n % 2]},{('valid', 'test')[n > 5]},{('val', 'ts')[n % 2]}"
            ),
            "columns status, kind may be splits",
        ),
        (
            "label,site,era",
            lambda n: (
                f"{'ab'[n % 2]},{('train', 'test')[n > 5]},{('training', 'val')[n % 2]}"
            ),
            "columns site, era may be splits",
        ),
        (
            "label,valid,test",
            lambda n: f"{'ab'[n % 2]},{int(n > 2)},{int(n == 0)}",
            "columns valid, test may be splits",
        ),
        (
            "label,valid,test",
            lambda n: f"{'ab'[n % 2]},{int(n == 1)},{int(n == 1)}",
            "columns valid, test may be splits",
        ),
    ],
)
def test_what_may_be_a_split_is_asked_about(
    tmp_path: Path, header: str, line: Callable[[int], str], said: str
) -> None:
    with pytest.raises(AmbiguousLayoutError, match=said):
        found(tmp_path, header, line)


@pytest.mark.parametrize(
    ("header", "line", "splits"),
    [
        (
            "label,split",
            lambda n: f"{('TR', 'TS')[n % 2]},{('train', 'test')[n > 5]}",
            True,
        ),
        (
            "label,split,valid",
            lambda n: f"{'ab'[n % 2]},{('train', 'test')[n > 5]},1",
            True,
        ),
        ("label", lambda n: "train", False),
        ("label,test", lambda n: f"{'ab'[n % 2]},{int(n > 5)}", True),
        ("label,TR,TS", lambda n: f"{'ab'[n % 2]},{int(n < 5)},{int(n >= 5)}", True),
        ("label,status", lambda n: f"{'ab'[n % 2]},{('ok', 'test')[n % 2]}", False),
        (
            "label,status,cohort",
            lambda n: (
                f"{'ab'[n % 2]},{('valid', 'test')[n % 2]},{('train', 'test')[n > 5]}"
            ),
            True,
        ),
        (
            "label,valid,test",
            lambda n: f"{'ab'[n % 2]},{int(n == 1)},{int(n == 2)}",
            True,
        ),
        (
            "label,train,valid",
            lambda n: f"{'ab'[n % 2]},{int(n > 3)},{int(n <= 3)}",
            True,
        ),
        ("TR,MR", lambda n: f"{n % 2},{int(n > 3)}", False),
    ],
)
def test_what_is_certain_is_not_asked_about(
    tmp_path: Path, header: str, line: Callable[[int], str], splits: bool
) -> None:
    assert found(tmp_path, header, line).has_splits is splits


def test_the_column_that_says_training_counts(tmp_path: Path) -> None:
    table = found(
        tmp_path,
        "label,status,cohort",
        lambda n: f"a,{('valid', 'test')[n % 2]},{('train', 'test')[n > 5]}",
    )
    assert table.header[table.columns["split"]] == "cohort"


def test_another_table_says_what_is_for_training(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("file,label\n1.png,a\n2.png,b")
    lines = ["file,label,status", "3.png,a,valid", "4.png,b,test"]
    (tmp_path / "rest.csv").write_text("\n".join(lines))
    paths = ["train.csv", "rest.csv", *(f"{n}.png" for n in range(1, 5))]
    tables, _others = manifest.find_tables(tmp_path, paths)
    assert [table.has_splits for table in tables] == [True, True]
