"""Tables that name several findings of an image: a column each, or one text for all.

Which table is one is told by its rows: several columns of yes and no are marked for
one file, or parts of a text such as `effusion|nodule` stand alone elsewhere. Other
signs between findings are asked about, since they stand in names of classes as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medmodel.data.layouts.layout_choice import AmbiguousLayoutError
from medmodel.data.multi_label.findings import SEPARATOR, is_no_finding, join_findings
from medmodel.data.tables.column_names import FALSE, TRUE
from medmodel.data.tables.columns import Table
from medmodel.language import _

SIGNS = (SEPARATOR, ";", ",", "+", "/", "&")
"""What may stand between findings in one cell; the first is recognised."""
FEWEST, LEAST_SHARE = 2, 0.05
"""Rows with several marks, and their share, from which on they are no slips."""
_MOST_WAYS = 10_000
"""Of choosing columns of which each row marks one; tables have few that come close."""
YES = TRUE | {"x", "✓", "✔", "+", "positive", "pos", "present", "是", "有", "阳性"}
NO = FALSE | {"negative", "neg", "absent", "否", "无", "阴性"}
_UNKNOWN = {"-1", "-1.0", "u", "uncertain", "unknown"}
_BLANK = {"", "nan", "na", "n/a", "#n/a", "null", "<na>", "-", "?"}


def is_finding_column(values: Iterable[str]) -> bool:
    """Whether a column may be that of a finding: nothing but yes, no and unknown."""
    words = {value.casefold() for value in values}
    return bool(words & YES) and words <= YES | NO | _UNKNOWN | _BLANK


def with_findings(folder: Path, table: Table, rows: Sequence[Sequence[str]]) -> Table:
    """The table as one of several findings, if that is what its rows say.

    Args:
        folder: The data set's.
        table: As its columns' names tell.
        rows: All of it.

    Raises:
        AmbiguousLayoutError: Its labels may be several findings each.
    """
    if table.classes:
        if column := _unknown_beside(table, rows):
            question = _(
                "{name} has columns of yes and no, and others with “unknown” in them, "
                "such as {column!r}: are all of them findings?",
                name=table.name,
                column=column,
            )
            place = table.path.relative_to(folder).as_posix()
            raise AmbiguousLayoutError(question, place)
        several = sum(_marked(table, row) > 1 for row in rows)
        if several >= max(FEWEST, LEAST_SHARE * len(rows)):
            if classes := _one_of_each(table, rows):
                raise AmbiguousLayoutError(
                    _question_of_columns(table, classes),
                    table.path.relative_to(folder).as_posix(),
                )
            return of_columns(table, table.classes, rows)
        return table
    if "label" not in table.columns:
        return table
    at = table.columns["label"]
    counts = Counter(row[at] for row in rows if at < len(row))
    if _is_compound(counts, SEPARATOR, alone=False):
        return replace(table, finding_separator=SEPARATOR)
    if sign := suggested_sign(counts):
        raise AmbiguousLayoutError(
            _question(table, counts, sign), table.path.relative_to(folder).as_posix()
        )
    return table


def _unknown_beside(table: Table, rows: Sequence[Sequence[str]]) -> str:
    """A column of yes, no and unknown beside those of yes and no; "" for none.

    Of classes of which each row marks one, such a column says nothing.
    """
    places = table.classes.values()
    marks = [
        sum(at < len(row) and row[at].casefold() in TRUE for at in places)
        for row in rows
    ]
    if sum(count != 1 for count in marks) < max(FEWEST, LEAST_SHARE * len(rows)):
        return ""
    used = {*table.classes.values(), *table.columns.values(), *table.flags}
    for at, name in enumerate(table.header):
        values = {row[at].casefold() for row in rows if at < len(row)}
        if at not in used and values & _UNKNOWN and is_finding_column(values):
            return name
    return ""


def _one_of_each(table: Table, rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of which each row marks one, where others stand beside them; else none.

    They are classes, and what is beside them says something else, as a column of the
    sex does. A hundredth of the rows may be slips.
    """
    marks = sorted(_marks(table, rows).items(), key=lambda item: -item[1].bit_count())
    # What all rows mark, or none, tells no row from another: it is no class.
    columns = [each for each in marks if 0 < each[1].bit_count() < len(rows)]
    slips = len(rows) // 100
    counts = [mask.bit_count() for _name, mask in columns]
    # Taken first, left out later: (position, rows marked, slips, names).
    ways: list[tuple[int, int, int, list[str]]] = [(0, 0, 0, [])]
    for _step in range(_MOST_WAYS):
        if not ways:
            break
        at, marked, twice, names = ways.pop()
        if marked.bit_count() + sum(counts[at:]) < len(rows) - slips:
            continue
        if at == len(columns):
            if 2 <= len(names) < len(marks):
                return names
            continue
        name, mask = columns[at]
        ways.append((at + 1, marked, twice, names))
        twice += (marked & mask).bit_count()
        if twice <= slips:
            ways.append((at + 1, marked | mask, twice, [*names, name]))
    return []


def _marks(table: Table, rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Each column of yes and no, and the rows that it marks as bits of a number."""
    return {
        name: int(
            "".join("01"[at < len(row) and row[at].casefold() in TRUE] for row in rows)
            or "0",
            2,
        )
        for name, at in table.classes.items()
    }


def _question_of_columns(table: Table, classes: Sequence[str]) -> str:
    beside = next(name for name in table.classes if name not in classes)
    return _(
        "{name} has columns of yes and no of which each line marks one, such as "
        "{first!r} and {second!r}, and {column!r} beside them: are all of them "
        "findings?",
        name=table.name,
        first=classes[0],
        second=classes[1],
        column=beside,
    )


def suggested_sign(labels: Mapping[str, int]) -> str:
    """The sign between parts that are labels by themselves, too; "" if none is.

    Or the usual one between parts of which at least one stands in another label.

    Args:
        labels: Label -> rows.
    """
    sign = next((s for s in SIGNS if _is_compound(labels, s, alone=True)), "")
    return sign or (SEPARATOR if _share_parts(labels) else "")


def of_columns(
    table: Table, columns: Collection[str], rows: Sequence[Sequence[str]]
) -> Table:
    """The table with these columns for findings.

    Args:
        table: With the columns in its header.
        columns: One for each finding; one such as `No Finding` may be among them.
        rows: All of it.
    """
    places = {name: table.header.index(name) for name in columns}
    # Who marks what is there and nothing else means no by a blank.
    blank_is_no = frozenset(
        name
        for name, at in places.items()
        if not {row[at].casefold() for row in rows if at < len(row)} & (NO | _UNKNOWN)
    )
    return replace(table, classes=places, finding_columns=True, blank_is_no=blank_is_no)


def findings_label(table: Table, row: Sequence[str], text: str) -> tuple[str, str]:
    """The label of a row as from `join_findings`, and why it has none.

    Args:
        table: One of several findings.
        row: The row's values.
        text: That of its column of the class, if it has one.
    """
    if not table.finding_columns:
        return _of_text(table, text)
    present, none = [], False
    for name, at in table.classes.items():
        value = row[at].casefold() if at < len(row) else ""
        blank = value in _BLANK and name in table.blank_is_no
        if value not in YES | NO and not blank:
            reason = _(
                "{finding} is not known in {name}", finding=name, name=table.name
            )
            return "", reason
        if value in YES and is_no_finding(name):
            none = True
        elif value in YES:
            present.append(name)
    return _consistent(table, present, none)


def _of_text(table: Table, text: str) -> tuple[str, str]:
    parts = _named(text, table.finding_separator)
    if not parts:
        return "", _("no label in {name}", name=table.name)
    present = findings_in(text, table.finding_separator)
    return _consistent(table, present, len(present) < len(parts))


def findings_in(text: str, sign: str) -> list[str]:
    """The findings that a cell names, each once.

    Args:
        text: Of the cell.
        sign: Between findings.
    """
    return [part for part in _named(text, sign) if not is_no_finding(part)]


def _named(text: str, sign: str) -> list[str]:
    parts = dict.fromkeys(" ".join(part.split()) for part in text.split(sign))
    return [part for part in parts if part.casefold() not in _BLANK]


def _consistent(table: Table, present: list[str], none: bool) -> tuple[str, str]:
    if none and present:
        reason = _(
            "no finding and {finding} in {name}", finding=present[0], name=table.name
        )
        return "", reason
    return join_findings(present), ""


def _marked(table: Table, row: Sequence[str]) -> int:
    """How many findings a row marks."""
    return sum(
        at < len(row) and row[at].casefold() in TRUE and not is_no_finding(name)
        for name, at in table.classes.items()
    )


def _is_compound(counts: Mapping[str, int], sign: str, alone: bool) -> bool:
    """Whether enough labels have parts that all stand in other labels, too.

    Args:
        counts: Label -> rows.
        sign: Between parts.
        alone: Whether they must be whole labels there.
    """
    parted = {label: _parts(label, sign) for label in counts}
    held = Counter(part for parts in parted.values() for part in set(parts))
    whole = {parts[0] for parts in parted.values() if len(parts) == 1}
    several = sum(
        counts[label]
        for label, parts in parted.items()
        if len(parts) > 1
        and all(part in whole or (not alone and held[part] > 1) for part in parts)
    )
    return several >= max(FEWEST, LEAST_SHARE * sum(counts.values()))


def _share_parts(counts: Mapping[str, int]) -> bool:
    """Whether enough labels have a part that stands in another label, too.

    As in `pneumonia|viral` and `pneumonia|bacterial`.
    """
    parted = {label: set(_parts(label, SEPARATOR)) for label in counts}
    held = Counter(part for parts in parted.values() for part in parts)
    several = sum(
        counts[label]
        for label, parts in parted.items()
        if len(parts) > 1 and any(held[part] > 1 for part in parts)
    )
    return several >= max(FEWEST, LEAST_SHARE * sum(counts.values()))


def _parts(label: str, sign: str) -> list[str]:
    parts = [" ".join(part.split()).casefold() for part in label.split(sign)]
    return [part for part in parts if part]


def _question(table: Table, counts: Counter[str], sign: str) -> str:
    several = [label for label in counts if len(_parts(label, sign)) > 1]
    if not _is_compound(counts, sign, alone=True):
        return _(
            "{name} holds {rows:,} labels such as {label!r}, which have parts in "
            "common: each may be one class, or several findings on one image.",
            name=table.name,
            rows=sum(counts[label] for label in several),
            label=several[0],
        )
    return _(
        "{name} holds {rows:,} labels such as {label!r}, whose parts are labels as "
        "well: each may be one class, or several findings on one image.",
        name=table.name,
        rows=sum(counts[label] for label in several),
        label=several[0],
    )
