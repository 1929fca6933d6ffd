"""How the row of odd files tells right from wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.benchmark import odd_files
from medmodel.benchmark.odd_files import Case, difference
from medmodel.core.errors import ImageError


def refused() -> object:
    raise ImageError("a.tif has no pixels.")


def crashes() -> object:
    raise RuntimeError("bits")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (Case("a", lambda: 3, 3), ""),
        (Case("a", lambda: 4, 3), "a: 4 instead of 3"),
        (Case("a", refused, 3), "a: refused, a.tif has no pixels."),
        (Case("a", refused, re.compile("no pixels")), ""),
        (Case("a", refused, re.compile("damaged")), "a: refused, a.tif has no pixels."),
        (Case("a", crashes, re.compile("bits")), "a: RuntimeError, bits"),
        (Case("a", lambda: 3, re.compile("3")), "a: '3' is read, to be refused"),
    ],
)
def test_what_is_wrong_is_said(case: Case, words: str) -> None:
    assert difference(case) == words


def test_a_file_without_a_case_counts_as_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("README.md", "a.tif", "b.tif"):
        (tmp_path / name).touch()

    def table(folder: Path) -> Iterator[Case]:
        yield Case("a.tif", lambda: folder, tmp_path)
        yield Case("drawn", lambda: 1, 2)

    monkeypatch.setattr(odd_files, "bench_data", lambda _: tmp_path)
    monkeypatch.setattr(odd_files, "TABLES", {"images": "x.cases"})
    monkeypatch.setattr(odd_files, "_table", lambda _: table)
    images, missing = odd_files.odd_files()
    assert (images.value, images.ok) == (0.5, False)
    assert images.note == "1 of 2 right; drawn: 1 instead of 2"
    assert not missing.ok and missing.note == "no case for b.tif"
