"""Outcome tables: for each patient a time and whether the event happened then."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medmodel.core.errors import DataError
from medmodel.core.pseudonyms import patient_pseudonym
from medmodel.data.tables import encodings, table_text
from medmodel.language import _

MOST_BYTES = 50 << 20
_PATIENT = ("patient", "patientid", "subject", "subjectid", "caseid", "case", "id")
_FILE = ("file", "filename", "path", "image", "imageid")
_TIME = (
    *("time", "days", "months", "years", "followup", "followuptime", "duration"),
    *("survivaltime", "timetoevent", "survival", "ostime", "os", "pfs", "t"),
)
_EVENT = (
    *(
        "event",
        "status",
        "observed",
        "dead",
        "death",
        "died",
        "deceased",
        "vitalstatus",
    ),
    *("progression", "relapse", "recurrence", "outcome", "osevent", "e"),
)
_YES = {
    *("true", "t", "yes", "y", "dead", "died", "deceased", "death", "event"),
    *("是", "有", "死亡", "已死亡", "事件"),
}
_NO = {
    *("false", "f", "no", "n", "alive", "living", "censored", "none", "no event"),
    *("否", "无", "存活", "生存", "删失"),
}
_DATE = re.compile(r"(?:\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2})[-/.]\d{1,4}(?:\D.*)?")
_MISSING = {"", "na", "n/a", "nan", "null", "-", "?", "unknown"}


@dataclass(frozen=True)
class OutcomeColumns:
    """Which column of an outcome table is what, by their names.

    Args:
        unit: Patients, or files of images; "" if none is known.
        time: From the image to the event, or to the last time without it.
        event: Whether the event happened at that time: 1 or 0, yes or no.
    """

    unit: str = ""
    time: str = ""
    event: str = ""


@dataclass(frozen=True)
class Outcome:
    """What happened to a patient.

    Args:
        time: From the image to the event or to the last time without it; above 0, in
            the table's unit.
        event: Whether the event happened; False: the patient was censored.
    """

    time: float
    event: bool


@dataclass(frozen=True)
class OutcomeTable:
    """A table as it was read.

    Args:
        header: Names of its columns.
        rows: Its lines, as long as the header.
    """

    header: list[str]
    rows: list[list[str]]


def read_outcomes(content: bytes, name: str) -> OutcomeTable:
    """Reads a CSV file.

    Args:
        content: Of the file.
        name: What to call it in messages.

    Raises:
        DataError: It is too large, no text, or has no two columns and a line.
    """
    if len(content) > MOST_BYTES:
        raise DataError(
            _(
                "{name} has {megabytes:,.0f} MB; {most} MB is the limit.",
                name=name,
                megabytes=len(content) / 2**20,
                most=MOST_BYTES >> 20,
            )
        )
    text = _text(content, name)
    separator = table_text.best_separator(text)
    try:
        lines = list(table_text.rows(text, separator))
    except csv.Error as error:
        raise _no_table(name) from error
    if len(lines) < 2 or len(lines[0]) < 2:
        raise _no_table(name)
    header = lines[0]
    width = len(header)
    rows = [(line + [""] * width)[:width] for line in lines[1:]]
    if separator != ",":  # where a comma may be the decimal point
        rows = [[_with_point(value) for value in row] for row in rows]
    return OutcomeTable(header, rows)


def _text(content: bytes, name: str) -> str:
    try:
        encoding = encodings.possible_encodings(content, ())[0]
        return content.decode(encoding)
    except (IndexError, UnicodeDecodeError, LookupError) as error:
        raise _no_table(name) from error


def _no_table(name: str) -> DataError:
    return DataError(
        _(
            "{name} is no table of outcomes: save it as CSV with a header line and "
            "columns for patient, time and event.",
            name=name,
        )
    )


def _with_point(value: str) -> str:
    whole, comma, part = value.partition(",")
    digits = whole.strip().lstrip("-").isdigit() and part.strip().isdigit()
    number = comma and digits
    return f"{whole}.{part}" if number else value


def guess_columns(header: Sequence[str]) -> OutcomeColumns:
    """The columns by their usual names; "" where none is called so."""
    plain = {"".join(c for c in n.casefold() if c.isalnum()): n for n in header}

    def first(names: Sequence[str]) -> str:
        return next((plain[name] for name in names if name in plain), "")

    return OutcomeColumns(first((*_PATIENT, *_FILE)), first(_TIME), first(_EVENT))


def outcomes_by_unit(
    table: OutcomeTable, columns: OutcomeColumns
) -> tuple[dict[str, Outcome], list[str]]:
    """The outcome of each patient or file that the table names.

    Args:
        table: As from `read_outcomes`.
        columns: Of its header.

    Returns:
        Unit -> outcome, and the units of lines that are left out as the unit ("" then),
        the time or the event is missing.

    Raises:
        DataError: A value is none, or a unit has two outcomes.
    """
    places = [
        table.header.index(n) for n in (columns.unit, columns.time, columns.event)
    ]
    outcomes: dict[str, Outcome] = {}
    missing: list[str] = []
    for number, row in enumerate(table.rows, 1):
        unit, time, event = (row[at] for at in places)
        if unit.casefold() in _MISSING:
            missing.append("")
            continue
        if time.casefold() in _MISSING or event.casefold() in _MISSING:
            missing.append(unit)
            continue
        outcome = Outcome(_time(time, number, columns), _event(event, number, columns))
        if outcomes.setdefault(unit, outcome) != outcome:
            raise DataError(
                _(
                    "Row {number} below the header gives a patient or file another "
                    "outcome than a row above: leave one of them.",
                    number=number,
                )
            )
    return outcomes, missing


def _time(text: str, number: int, columns: OutcomeColumns) -> float:
    time = _number(text)
    if _DATE.fullmatch(text.strip()):
        raise DataError(
            _(
                "The {column} of row {number} below the header is {value!r}, which is "
                "a date: a time is how long after the image the event happened, in "
                "days for instance.",
                column=columns.time,
                number=number,
                value=text[:40],
            )
        )
    if not 0 < time < math.inf:
        raise DataError(
            _(
                "The {column} of row {number} below the header is {value!r}: a time is "
                "a number above 0.",
                column=columns.time,
                number=number,
                value=text[:40],
            )
        )
    return time


def _event(text: str, row: int, columns: OutcomeColumns) -> bool:
    value = text.strip().casefold()
    number = _number(value)
    if value not in _YES | _NO and number not in (0, 1):
        raise DataError(
            _(
                "The {column} of row {number} below the header is {value!r}: write 1 "
                "where the event happened, 0 where it did not.",
                column=columns.event,
                number=row,
                value=text[:40],
            )
        )
    return value in _YES or number == 1


def _number(text: str) -> float:
    """A number; not-a-number for any other text."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def match_outcomes(
    outcomes: Mapping[str, Outcome], paths: Sequence[str], patients: Sequence[str]
) -> list[str]:
    """Which unit of a table each image belongs to; "" where it names none.

    A patient is named as the data set names it; of DICOM headers, whose patients are
    kept as pseudonyms only, as the header does. A file by its path, or by its name
    where no other image has the same.

    Args:
        outcomes: As from `outcomes_by_unit`.
        paths: Of the images.
        patients: Of each image; "" where unknown.
    """
    named = {unit: unit for unit in outcomes}
    named |= {patient_pseudonym(unit): unit for unit in outcomes}
    short: dict[str, str] = {}
    for unit in outcomes:
        name = unit.replace("\\", "/").rpartition("/")[2]
        # A name that two files have says nothing of either.
        short[name] = "" if name in short else unit
    short.pop("", None)  # of a unit that ends with a stroke; files may have no ending
    names = [path.rpartition("/")[2] for path in paths]
    stems = [name.rpartition(".")[0] for name in names]
    of_name, of_stem = Counter(names), Counter(stems)
    return [
        named.get(patient)
        or named.get(path)
        or (short.get(name, "") if of_name[name] == 1 else "")
        or (short.get(stem, "") if of_stem[stem] == 1 else "")
        for path, patient, name, stem in zip(paths, patients, names, stems, strict=True)
    ]
