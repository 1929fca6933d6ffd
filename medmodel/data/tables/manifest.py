"""Tables that describe a data set: file, label and, if known, patient and split.

A CSV file in the folder or in its first folders whose first line names a column for
the files, under any of the usual names, and one for labels, patients or splits; or any
columns that a person chose. Separators are comma, semicolon, tab or bar; for encodings
and workbooks see `table_text`. Several tables (train.csv and test.csv) count together.
Labels may also be one column of 0 and 1 per class.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import DataError, os_reason
from medmodel.data.layouts.layout_choice import AmbiguousLayoutError, TableReading
from medmodel.data.layouts.split_names import (
    KNOWN,
    Role,
    split_of,
    splits_of,
    without_accents,
)
from medmodel.data.tables import table_text
from medmodel.data.tables.workbook import WORKBOOKS
from medmodel.language import N_, _

_MOST_TABLES = 20
"""Files that are looked into; a data set has one or a few."""
SUFFIXES = (".csv", ".tsv", ".tab", ".psv", *WORKBOOKS)
NO_COLUMNS = N_("no table whose first line names file and label")
"""Why a table is left out of which nobody said what its columns mean."""
_KINDS_OF_COLUMN = {
    "file": N_("{column} (file)"),
    "label": N_("{column} (class)"),
    "patient": N_("{column} (patient)"),
    "split": N_("{column} (split)"),
}
_WEAK = {"type", "level", "grade", "condition", "y"}
"""Columns of labels only where no folders are classes."""
SAMPLE_TRUTH = "truth.csv"
"""Where the lesions of the sample data set are; its file names tell its patients."""
_NAMES = {
    "file": "file filename filepath path image imagename imagefile imagepath imageid "
    "imageindex img imgname imgpath imgid imgfile filelocation dicom dicomfile "
    "dicompath picture fname isicid idcode archivo fichier datei dateiname bild imagen "
    "файл изображение 文件 文件名 文件路径 图像 图片 图像名 图片名 "
    "ファイル ファイル名 画像 파일 파일명 이미지 id name uid",
    "label": "label labels class classname classlabel category target diagnosis dx "
    "finding findings findinglabels disease pathology condition y grade level clase "
    "etiqueta diagnostico classe etiquette diagnostic klasse diagnose etikett befund "
    "класс метка диагноз 标签 標籤 类别 類別 诊断 診斷 診断 ラベル クラス "
    "분류 라벨 진단 type",
    "patient": "patient patientid patientnumber subject subjectid person personid "
    "participant participantid case caseid patientname pid studyid пациент 患者 病人 "
    "paciente 환자",
    "split": "split splits datasplit partition subset 划分 分割 sousensemble particion",
    "maybe split": "set dataset datasettype fold usage phase group stage mode",
}
"""Columns as people call them, in small letters without marks, the surest first."""
_MISSING = {"", "nan", "na", "n/a", "#n/a", "null", "<na>", "-", "?"}
_TRUE, _FALSE = (
    {"1", "1.0", "true", "yes", "t", "y"},
    {"0", "0.0", "false", "no", "f", "n"},
)


class ManifestRow(NamedTuple):
    """One line of a table.

    Args:
        file: As it stands there.
        label: The class; "" if it is missing, or if the table knows no labels.
        patient: "" if unknown.
        split: train, val, test; "" if the table has no splits, or none for this line.
        reason: Why the line cannot be used; "" if it can.
    """

    file: str
    label: str
    patient: str
    split: str
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """A table, its form and what its columns are.

    Args:
        path: Where it lies.
        encoding: Of its text.
        separator: Between its columns.
        columns: `file`, `label`, `patient`, `split` -> position.
        classes: Columns of 0 and 1, one per class -> position.
        flags: Columns that say whether a row is of a split -> train, val or test.
        split: The split that its own name says, "" if none.
        unused: Further columns that might be labels.
        weak: The column of the label, if its name may well mean something else.
        header: Names of all columns.
        roles: Word of the split column -> its split, where a person said so.
    """

    path: Path
    encoding: str
    separator: str
    columns: dict[str, int]
    classes: dict[str, int] = field(default_factory=dict)
    flags: dict[int, str] = field(default_factory=dict)
    split: str = ""
    unused: tuple[str, ...] = ()
    weak: str = ""
    header: tuple[str, ...] = ()
    roles: Mapping[str, Role] | None = None

    @property
    def has_labels(self) -> bool:
        """Whether it says the class of a file."""
        return "label" in self.columns or bool(self.classes)

    @property
    def has_splits(self) -> bool:
        """Whether it says the split of a file."""
        return "split" in self.columns or bool(self.flags) or bool(self.split)


def find_tables(
    folder: Path,
    paths: Sequence[str],
    readings: Mapping[str, TableReading] = {},
) -> tuple[list[Table], list[tuple[str, str]]]:
    """The tables of a folder that say something of its files.

    Args:
        folder: The data set's.
        paths: Its files, relative; tables are looked for up to two folders deep.
        readings: Path of a table -> what a person said that its columns mean.

    Returns:
        The tables, and (path, reason) of those that are none or are not used.

    Raises:
        AmbiguousLayoutError: A table has changed since a person said what it means.
    """
    tables: list[Table] = []
    others: list[tuple[str, str]] = []
    for path in possible_tables(paths):
        reading = readings.get(path)
        try:
            table = _find_columns(folder, folder / path, reading)
            others += [(path, words) for words in _unread_sheets(folder, path)]
        except OSError as error:
            others.append(
                (path, _("cannot be opened: {reason}", reason=os_reason(error)))
            )
        except AmbiguousLayoutError:
            raise
        except DataError as error:
            others.append((path, str(error).rstrip(".")))
        else:
            if isinstance(table, str):
                others.append((path, table))
            elif path != SAMPLE_TRUTH or table.has_labels:
                tables.append(table)
    return _with_splits(folder, tables), others


def possible_tables(paths: Sequence[str]) -> list[str]:
    """Those of the files that may be tables by their names, the outermost first."""
    likely = [p for p in paths if p.casefold().endswith(SUFFIXES) and p.count("/") <= 2]
    return sorted(likely, key=lambda p: (p.count("/"), p))[:_MOST_TABLES]


def _unread_sheets(folder: Path, path: str) -> list[str]:
    names = table_text.other_sheets(folder, folder / path)
    return [
        _("its sheet {name!r} is not read, only the first is", name=name)
        for name in names
    ]


def _with_splits(folder: Path, tables: Sequence[Table]) -> list[Table]:
    """The tables with the split of a name such as train.csv, or of their folder."""
    names = splits_of(table.path.stem for table in tables)
    above = splits_of(t.path.parent.name for t in tables if t.path.parent != folder)
    return [
        table
        if table.has_splits
        else replace(
            table,
            split=names[table.path.stem]
            or (table.path.parent != folder and above[table.path.parent.name])
            or "",
        )
        for table in tables
    ]


def read_table(table: Table, folder: Path) -> Iterator[ManifestRow]:
    """The lines of a table, without those that name no file.

    Args:
        table: As found.
        folder: The data set's.

    Raises:
        DataError: It is too large or not text.
        AmbiguousLayoutError: It says a split that is not known.
    """
    splits = _read_splits(table, folder)
    for line in _lines(table, folder):
        values = {
            name: line[at] if at < len(line) else ""
            for name, at in table.columns.items()
        }
        file = values.get("file", "")
        if file.casefold() in _MISSING:
            continue
        label, reason = _label(table, line, values.get("label", ""))
        split = table.split
        if "split" in values:
            split = splits[values["split"]]
        elif table.flags:
            split = _flagged(table, line)
        if table.has_splits and not split and not reason:
            reason = _("no split in {name}", name=table.path.name)
        patient = values.get("patient", "")
        patient = "" if patient.casefold() in _MISSING else patient
        yield ManifestRow(file, label, patient, split, reason)


def _label(table: Table, line: list[str], label: str) -> tuple[str, str]:
    """The class that a line says, and why it says none."""
    name = table.path.name
    if not table.classes:
        missing = label.casefold() in _MISSING and "label" in table.columns
        label = " ".join(label.split())
        return ("", _("no label in {name}", name=name)) if missing else (label, "")
    marked = [
        c for c, at in table.classes.items() if line[at : at + 1] and _is(line[at])
    ]
    if len(marked) == 1:
        return marked[0], ""
    if marked:
        return "", _("several classes in {name}", name=name)
    return "", _("no class in {name}", name=name)


def _is(value: str) -> bool:
    return value.casefold() in _TRUE


def _flagged(table: Table, line: list[str]) -> str:
    """The split of a line by columns such as is_train and is_valid."""
    values = {s: line[at].casefold() for at, s in table.flags.items() if at < len(line)}
    yes = [split for split, value in values.items() if value in _TRUE]
    if len(yes) == 1:
        return yes[0]
    if yes or not values or not set(values.values()) <= _FALSE:
        return ""
    # What is no test image is for training; what is not for training is for the test.
    return "train" if "train" not in values else "test" if len(values) == 1 else ""


def _read_splits(table: Table, folder: Path) -> dict[str, str]:
    """Word of the split column -> split, "" where it is missing.

    Raises:
        AmbiguousLayoutError: A word is not known.
    """
    if "split" not in table.columns:
        return {}
    at = table.columns["split"]
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for line in _lines(table, folder):
        word = line[at] if at < len(line) else ""
        first.setdefault(word, line[table.columns["file"]])
        count[word] += 1
    words = [word for word in first if word.casefold() not in _MISSING]
    splits = splits_of(words) if table.roles is None else dict(table.roles)
    said = {word for word in words if splits.get(word)} | set(table.roles or ())
    unknown = [word for word in words if word not in said]
    if unknown:
        word = unknown[0]
        raise AmbiguousLayoutError(
            _(
                "{name} names the split {splits}, which is not known ({lines:,} lines, "
                "the first of {first}). Write {known}.",
                name=table.path.name,
                splits=_and_more(unknown),
                lines=count[word],
                first=first[word],
                known=_(KNOWN),
            ),
            table.path.relative_to(folder).as_posix(),
        )
    return {word: splits.get(word, "") for word in first}


def _lines(table: Table, folder: Path) -> Iterator[list[str]]:
    """The lines below the first, each value composed and without blanks around it.

    Raises:
        DataError: It is too large, or not text.
    """
    text = table_text.read_text(folder, table.path, table.encoding)
    lines = table_text.rows(text, table.separator)
    try:
        yield from itertools.islice(lines, 1, None)
    except csv.Error as error:
        raise table_text.no_table(table.path) from error


def _and_more(words: Sequence[str]) -> str:
    if len(words) == 1:
        return repr(words[0])
    return _("{word!r} and {count} more", word=words[0], count=len(words) - 1)


def _find_columns(
    folder: Path, path: Path, reading: TableReading | None
) -> Table | str:
    """Form and columns of a table, or why it is none.

    Raises:
        OSError: It cannot be opened.
        DataError: It is no text.
        AmbiguousLayoutError: It lacks a column that was chosen.
    """
    if reading and not reading.file:
        return _("not used: a person chose so")
    if not reading and re.search(r"(?i)submission", path.name):
        return _("a table of answers to be given, not of labels")
    text, encoding = table_text.read_head(folder, path)
    tables = []
    for separator in table_text.SEPARATORS:
        try:
            rows = list(itertools.islice(table_text.rows(text, separator), 50))
        except csv.Error:
            continue
        table = _as_table(path, encoding, separator, rows) if rows else None
        if reading and rows:
            table = _chosen(path, encoding, separator, rows[0], reading)
        if table is not None:
            tables.append(table)
    if tables:
        return max(tables, key=lambda t: (t.has_labels, len(t.columns)))
    if reading:
        raise AmbiguousLayoutError(
            _(
                "{name} lacks a column that was chosen: {columns}.",
                name=path.name,
                columns=_listed(reading),
            ),
            path.relative_to(folder).as_posix(),
        )
    return NO_COLUMNS


def _listed(reading: TableReading) -> str:
    chosen = {kind: getattr(reading, kind) for kind in _KINDS_OF_COLUMN}
    return _(", ").join(
        _(_KINDS_OF_COLUMN[kind], column=name) for kind, name in chosen.items() if name
    )


def _chosen(
    path: Path, encoding: str, separator: str, header: list[str], reading: TableReading
) -> Table | None:
    """The table with the columns that a person chose; None if one is not there."""
    names = {kind: getattr(reading, kind) for kind in _KINDS_OF_COLUMN}
    columns = {
        kind: header.index(name) for kind, name in names.items() if name in header
    }
    if len(columns) < sum(map(bool, names.values())):
        return None
    return Table(
        path,
        encoding,
        separator,
        columns,
        header=tuple(header),
        roles=reading.splits if reading.split else None,
    )


def _as_table(
    path: Path, encoding: str, separator: str, rows: list[list[str]]
) -> Table | None:
    header = rows[0]
    columns, candidates = _columns(header)
    if "file" not in columns:
        return None
    if "maybe split" in columns:
        at = columns.pop("maybe split")
        values = {row[at].strip() for row in rows[1:] if at < len(row)}
        if any(splits_of(values).values()):
            columns.setdefault("split", at)
    binary = [
        at
        for at in range(len(header))
        if at not in columns.values() and _is_binary(rows, at)
    ]
    flags = {at: split for at in binary if (split := _flagged_split(header[at]))}
    classes = {header[at]: at for at in binary if at not in flags}
    if "label" in columns or len(classes) < 2:
        classes = {}
    if not (classes or flags or {"label", "patient", "split"} & set(columns)):
        return None
    label = header[columns["label"]] if "label" in columns else ""
    return Table(
        path,
        encoding,
        separator,
        columns,
        classes,
        flags,
        unused=candidates[1:],
        weak=label if label.casefold() in _WEAK else "",
        header=tuple(header),
    )


def _columns(header: list[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Position of each known column, and the names of all that could be labels."""
    plain = [re.sub(r"[\W_]+", "", without_accents(name)) for name in header]
    columns: dict[str, int] = {}
    labels: tuple[str, ...] = ()
    for kind, words in _NAMES.items():
        names = map(without_accents, words.split())
        positions = [plain.index(name) for name in names if name in plain]
        positions = [at for at in positions if at not in columns.values()]
        if positions:
            columns[kind] = positions[0]
        if kind == "label":
            labels = tuple(header[at] for at in dict.fromkeys(positions))
    return columns, labels


def _flagged_split(name: str) -> str:
    """The split of a column such as "is_train" or "test"."""
    return split_of(re.sub(r"(?i)^is(?=[_ A-Z])[_ ]?", "", name))


def _is_binary(rows: list[list[str]], at: int) -> bool:
    """Whether a column holds nothing but yes and no."""
    values = {row[at].strip().casefold() for row in rows[1:] if at < len(row)}
    return bool(values - {""}) and values <= _TRUE | _FALSE | {""}
