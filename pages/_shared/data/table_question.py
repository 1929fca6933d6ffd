"""Which column of a table is what: asked beside its first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.data.layout_preview import (
    LayoutPreview,
    preview_in,
)
from medmodel.data.layouts.description import listed
from medmodel.data.layouts.layout_choice import (
    LayoutChoice,
    TableReading,
)
from medmodel.data.layouts.split_names import Role
from medmodel.data.tables.encodings import ENCODINGS
from medmodel.data.tables.finding_columns import SIGNS, findings_in, suggested_sign
from medmodel.data.tables.table_preview import TablePreview
from medmodel.language import N_, SOURCE, _, ngettext, speaking
from medmodel.language.right_to_left import isolated
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain
from pages._shared.data.split_roles import ask_roles

_NONE = N_("None")
_WORDS = 5


def _row_titles(counts: Mapping[str, int]) -> dict[str, str]:
    return {
        name: ngettext(
            "{name} ({count:,} row)", "{name} ({count:,} rows)", count, name=name
        )
        for name, count in counts.items()
    }


def _ask_encoding(folder: Path, table: TablePreview) -> TablePreview:
    """The table in the encoding that is chosen, where the file does not say it."""
    if not table.encodings:
        return table
    names = list(table.encodings)
    chosen = st.selectbox(
        _("Encoding of its text"),
        names,
        index=names.index(table.encoding) if table.encoding in names else 0,
        format_func=lambda name: _(
            "{encoding}: {words}",
            encoding=_(ENCODINGS[name]),
            words=listed(table.encodings[name][:_WORDS]),
        ),
        help=_(
            "The file does not say how its letters are written. Choose the line whose "
            "words are right; if none is, save the table as CSV in UTF-8."
        ),
        key=f"encoding of {table.path}",
    )
    return table if chosen == table.encoding else _preview_in(folder, table, chosen)


@st.cache_data(max_entries=16, ttl=60, show_spinner="…")
def _preview_in(folder: Path, table: TablePreview, encoding: str) -> TablePreview:
    with speaking(SOURCE):
        return preview_in(folder, table.path, encoding) or table


def ask_table(
    folder: Path, preview: LayoutPreview, table: TablePreview
) -> LayoutChoice:
    """Which column is which, beside the first rows."""
    table = _ask_encoding(folder, table)
    everything = st.toggle(_("Show the values of all columns"), key=f"all {table.path}")
    show_table(_first_rows(table, everything), hide_index=True)
    reading = table.reading
    titles = {
        "file": _("Column of the file"),
        "label": _("Column of the class"),
        "patient": _("Column of the patient"),
        "split": _("Column of the split"),
    }
    chosen = {}
    for column, (kind, title) in zip(st.columns(4), titles.items(), strict=True):
        names = ["", *filter(None, table.header)]
        with column:
            chosen[kind] = st.selectbox(
                title,
                names,
                index=names.index(getattr(reading, kind)),
                format_func=lambda name: name or _(_NONE),
                key=f"{kind} of {table.path}",
            )
    findings, separator = _ask_findings(table, chosen["label"])
    splits: dict[str, Role] = {}
    if chosen["split"]:
        words = table.words.get(chosen["split"])
        if words is None:
            st.warning(
                _("This column holds too many different words to be that of splits.")
            )
        else:
            splits = ask_roles(_row_titles(words), reading.splits)
    if not chosen["file"]:
        st.caption(_("Without a column of the file the table is not used."))
    counts = table.words.get(chosen["label"], {})
    if counts and separator:
        _show_findings(counts, separator)
    elif counts:
        text = listed(
            [f"{isolated(label)} {count:,}" for label, count in counts.items()]
        )
        st.markdown(plain(_("Rows of each class: {counts}", counts=text)))
    encoding = table.encoding if table.encodings else ""
    asked = TableReading(
        **chosen,
        splits=splits,
        encoding=encoding,
        findings=findings,
        finding_separator=separator,
    )
    tables = {**preview.choice.tables, table.path: asked}
    return replace(preview.choice, tables=tables)


def _ask_findings(table: TablePreview, label: str) -> tuple[tuple[str, ...], str]:
    """Whether an image may have several findings, and how the table says them.

    Returns:
        The columns of yes and no, one for each finding; or what stands between several
        findings in the column of the class. Both empty where an image has one class.
    """
    reading = table.reading
    if not label:
        names = [name for name in table.header if name and name != reading.file]
        chosen = st.multiselect(
            _("Columns of findings (yes or no)"),
            names,
            default=[name for name in reading.findings if name in names],
            help=_(
                "An image may have several findings, or none. A row in which a "
                "finding is neither yes nor no is left out; where a column holds no "
                "word for no, a blank means no."
            ),
            key=f"findings of {table.path}",
        )
        return tuple(chosen), ""
    signs = ["", *SIGNS]
    sign = st.selectbox(
        _("Several findings in one cell"),
        signs,
        index=signs.index(_likely_sign(table, label)),
        format_func=lambda sign: (
            _("with {sign} between them", sign=sign)
            if sign
            else _("no: one class each")
        ),
        key=f"sign of {table.path}",
    )
    return (), sign


def _likely_sign(table: TablePreview, label: str) -> str:
    """What stands between findings as chosen, else as the labels suggest."""
    if table.reading.finding_separator or label != table.reading.label:
        return table.reading.finding_separator
    return suggested_sign(table.words.get(label, {}))


def _show_findings(counts: Mapping[str, int], sign: str) -> None:
    """Rows of each finding, and of none."""
    rows: Counter[str] = Counter()
    for label, count in counts.items():
        for name in findings_in(label, sign) or [_("No finding")]:
            rows[name] += count
    text = listed([f"{isolated(name)} {count:,}" for name, count in rows.most_common()])
    st.markdown(plain(_("Rows of each finding: {counts}", counts=text)))


def _first_rows(table: TablePreview, everything: bool) -> pd.DataFrame:
    """The first rows; values that differ in most rows may be names of people."""
    columns = {}
    for at, name in enumerate(table.header):
        shown = everything or name == table.reading.file or name in table.shared
        title = name or f"({at + 1})"
        columns[title] = [row[at] if shown else "•••" for row in table.rows]
    return pd.DataFrame(columns)
