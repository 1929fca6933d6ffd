"""CSV that a spreadsheet reads as it was meant."""

from __future__ import annotations

import codecs
import io

import pandas as pd

from medmodel.reports.spreadsheet import csv_file, csv_text


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
