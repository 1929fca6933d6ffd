"""Parts of a split by what is known of its images."""

from __future__ import annotations

import pandas as pd
import pytest

from medmodel.evaluation.groups.subgroups import Subgroup, subgroup_options, with_facts

ROWS = pd.DataFrame(
    {
        "path": ["b.png", "a.jpg", "new.png"],
        "patient": ["Ann", "", "Bob"],
        "at": [0, 1, 2],
    }
)
INDEX = pd.DataFrame(
    {
        "path": ["a.jpg", "b.png", "unused.png"],
        "label": ["x", "y", "x"],
        "format": ["JPEG", "PNG", "PNG"],
        "mode": ["L", "L", "RGB"],
        "width": [100, 28, 28],
        "hash": ["00", "01", "02"],
    }
)


@pytest.fixture
def rows() -> pd.DataFrame:
    return with_facts(ROWS, INDEX)


def test_facts_come_from_the_index_in_the_order_of_the_rows(rows: pd.DataFrame) -> None:
    assert list(rows["path"]) == list(ROWS["path"])
    assert list(rows["format"]) == ["PNG", "JPEG", ""]
    assert list(rows["width"][:2]) == [28, 100] and rows["width"].isna()[2]
    assert "hash" not in rows and "label" not in rows
    assert with_facts(ROWS, None) is ROWS


def test_only_facts_that_differ_are_offered(rows: pd.DataFrame) -> None:
    known = rows[:2]
    assert subgroup_options(known) == {
        "format": ("JPEG", "PNG"),
        "width": (28.0, 100.0),
    }
    assert subgroup_options(ROWS) == {}


@pytest.mark.parametrize(
    ("group", "kept"),
    [
        (Subgroup(), [True, True, True]),
        (Subgroup(" ANN"), [True, False, False]),
        (Subgroup("JPG"), [False, True, False]),
        (Subgroup(kinds=(("format", ("PNG",)),)), [True, False, False]),
        (Subgroup(ranges=(("width", (28, 99)),)), [True, False, False]),
        (Subgroup("a", ranges=(("width", (29, 100)),)), [False, True, False]),
    ],
)
def test_who_belongs_to_a_part(
    rows: pd.DataFrame, group: Subgroup, kept: list[bool]
) -> None:
    assert group.holds(rows).tolist() == kept


def test_a_part_is_named() -> None:
    group = Subgroup("x", (("format", ("PNG", "GIF")),), (("width", (28.0, 1000.0)),))
    assert str(group) == (
        "File format PNG or GIF; Width in pixels 28 to 1,000; patient or file name "
        "holds “x”"
    )
    assert str(Subgroup()) == ""
