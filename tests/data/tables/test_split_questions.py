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
        ("TR,MR", lambda n: f"{n % 2},{int(n > 3)}", False),
    ],
)
def test_what_is_certain_is_not_asked_about(
    tmp_path: Path, header: str, line: Callable[[int], str], splits: bool
) -> None:
    assert found(tmp_path, header, line).has_splits is splits
