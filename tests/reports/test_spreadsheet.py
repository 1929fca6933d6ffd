"""CSV that a spreadsheet reads as it was meant."""

from __future__ import annotations

import codecs
import io

import pandas as pd
import pytest

from medmodel.reports.spreadsheet import csv_file, csv_text, harmless


def test_letters_beyond_ascii_are_marked_as_utf_8() -> None:
    table = pd.DataFrame({"类别": ["肺炎"], "n": [3]})
    data = csv_file(csv_text(table))
    assert data.startswith(codecs.BOM_UTF8)
    assert pd.read_csv(io.BytesIO(data)).equals(table)


def test_plain_text_has_no_mark() -> None:
    assert csv_file("class,n\na,3\n") == b"class,n\na,3\n"


def test_no_formula_is_run() -> None:
    text = csv_text(pd.DataFrame({"=1+1": ["@a", "b"], "n": [-1, 2]}))
    assert text == "'=1+1,n\n'@a,-1\nb,2\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("\u00a0@SUM(1)", "'\u00a0@SUM(1)"),
        ("\uff1d1\uff0b1", "'\uff1d1\uff0b1"),
        ("\n=1", "'\n'=1"),
        ("\ta", "'\ta"),
        ("a;=1+1", "a;'=1+1"),
        ("a; -1\t@b", "a;' -1\t'@b"),
        ("a=1-2@b", "a=1-2@b"),
        ("a, -b", "a, -b"),
        ("a;b", "a;b"),
        ("", ""),
    ],
)
def test_whatever_parts_the_text_no_part_is_a_formula(text: str, shown: str) -> None:
    assert harmless(text) == shown
