"""Files of rare and odd kinds: how many are understood as they are meant.

Each kind is a table of cases: files of the folder `found` of the public images, and
variants that are drawn here. A case that raises is wrong, whatever it raises, unless
its refusal is what is expected. A file of `found` without a case counts as wrong.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from medmodel.benchmark import Measurement, at_least, bench_data
from medmodel.core.errors import MedModelError
from medmodel.core.processes import sandbox

FOLDER = "found"
README = "README.md"


class Case(NamedTuple):
    """One file and what is right.

    Args:
        name: Name of the file, or which variant it is.
        result: Reads the file; returns what is to be compared.
        expected: What `result` returns, or a pattern that the sentence of its refusal
            matches (a `MedModelError`).
    """

    name: str
    result: Callable[[], object]
    expected: object | re.Pattern[str]


Table = Callable[[Path], "Iterator[Case]"]

TABLES: dict[str, str] = {
    # kind of file -> function of this package that yields cases, given the folder
    "images": "images.cases",
    "dicom": "dicom.cases",
    "dicom_frames": "dicom_frames.cases",
    "nifti": "nifti.cases",
    "layouts": "layouts.cases",
    "label_tables": "label_tables.cases",
    "layout_oddities": "layout_oddities.cases",
}


def odd_files() -> list[Measurement]:
    """Files of `found` and generated variants: the share that is right, by kind."""
    folder = bench_data(FOLDER)
    left = {path.name for path in folder.iterdir()} - {README}
    measurements = []
    for kind, place in TABLES.items():
        cases = list(_table(place)(folder))
        left -= {case.name for case in cases}
        measurements.append(_measured(kind, cases))
    sandbox.close()
    if left:
        note = f"no case for {', '.join(sorted(left))}"
        measurements.append(at_least("odd_files_without_case", 0, 1, "share", note))
    return measurements


def difference(case: Case) -> str:
    """What is wrong with a case, in one line; empty where nothing is."""
    try:
        result = case.result()
    except MedModelError as error:
        if isinstance(case.expected, re.Pattern) and case.expected.search(str(error)):
            return ""
        return f"{case.name}: refused, {error}"
    except Exception as error:
        return f"{case.name}: {type(error).__name__}, {error}"
    if isinstance(case.expected, re.Pattern):
        return f"{case.name}: {str(result)[:40]!r} is read, to be refused"
    if result == case.expected:
        return ""
    return f"{case.name}: {result} instead of {case.expected}"


def _table(place: str) -> Table:
    module, _, function = place.partition(".")
    table: Table = getattr(
        importlib.import_module(f"medmodel.benchmark.odd_files.{module}"), function
    )
    return table


def _measured(kind: str, cases: list[Case]) -> Measurement:
    wrong = [text for text in map(difference, cases) if text]
    right = len(cases) - len(wrong)
    note = "; ".join([f"{right} of {len(cases)} right", *wrong])
    return at_least(f"odd_files_{kind}", right / len(cases), 1, "share", note)
