"""How a data set's folders and tables are read: asked where names do not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.core import samples
from medmodel.data.datasets import index_folder, layout_sentences
from medmodel.data.layout_preview import (
    Classes,
    LayoutPreview,
    preview_in,
    preview_layout,
)
from medmodel.data.layouts.description import level, listed
from medmodel.data.layouts.layout_choice import (
    FolderReading,
    LayoutChoice,
    TableReading,
)
from medmodel.data.layouts.split_names import Role
from medmodel.data.tables.encodings import ENCODINGS
from medmodel.data.tables.finding_columns import SIGNS, findings_in, suggested_sign
from medmodel.data.tables.table_preview import TablePreview
from medmodel.language import (
    N_,
    SOURCE,
    _,
    join_sentences,
    ngettext,
    speaking,
    translate,
)
from medmodel.language.right_to_left import isolated
from medmodel.quality import indexing, thumbnails
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

_ROLES: dict[Role, str] = {
    "train": N_("Training"),
    "val": N_("Validation"),
    "test": N_("Test"),
    "": N_("Left out"),
}
_NONE = N_("None")
_STRIPS, _IMAGES, _SIDE, _WORDS = 6, 4, 88, 5


def show_reading(folder: Path) -> None:
    """What the last check read as what, and the way to change it."""
    sentences = layout_sentences(folder)
    if not sentences:
        return
    text = join_sentences(map(translate, sentences))
    st.markdown(f":gray[:material/account_tree: {plain(text)}]")
    if st.button(_("Change how it is read"), type="tertiary", icon=":material/edit:"):
        st.session_state[_open_key(folder)] = True
    if st.session_state.get(_open_key(folder)):
        with errors_shown():
            _show_form(folder, _preview(folder), _("Change how it is read"))


def is_asked(folder: Path) -> bool:
    """Whether the last check could not tell how a data set is to be read."""
    with errors_shown():
        return bool(_preview(folder).question)
    return False


def show_question(folder: Path) -> bool:
    """Asks how a data set is to be read that could not be checked, if that may help.

    Returns:
        Whether there is something to choose that has not been chosen yet.
    """
    with errors_shown():
        preview = _preview(folder)
        if preview.question:
            asked = _("How is this folder to be read?")
            st.warning(
                f"**{asked}** {plain(translate(preview.question))}",
                icon=":material/help:",
            )
            _show_form(folder, preview, _("Choose how it is to be read"))
            return True
        if preview.choice != LayoutChoice():
            _show_form(folder, preview, _("Change how it is read"))
    return False


def _open_key(folder: Path) -> str:
    return f"layout of {folder}"


def _preview(folder: Path) -> LayoutPreview:
    """The preview as of the last check."""
    state = index_folder(folder) / "state.json"
    checked = state.stat().st_mtime_ns if state.exists() else 0
    with st.spinner(_("Looking at the names")):
        return _preview_of(folder, checked)


@st.cache_data(max_entries=4, ttl=60, show_spinner=False)
def _preview_of(folder: Path, checked: int) -> LayoutPreview:
    # It is kept for all sessions.
    with speaking(SOURCE):
        return preview_layout(folder)


def _show_form(folder: Path, preview: LayoutPreview, title: str) -> None:
    """The ways to read the data set, one of them with its classes and images."""
    readings = [r for r in preview.readings if preview.classes(_all_used(preview, r))]
    options: list[FolderReading | TablePreview] = [*readings, *preview.tables]
    if not options:
        return
    tables = [table.path for table in preview.tables]
    wanted = preview.table or next(iter(preview.labelled), "")
    start = len(readings) + tables.index(wanted) if wanted in tables else 0
    with st.container(border=True):
        number = st.radio(
            title,
            range(len(options)),
            index=start,
            format_func=lambda n: _option_title(preview, options[n]),
            captions=[_option_caption(preview, option) for option in options],
            key=f"reading {folder}",
        )
        option = options[number]
        if isinstance(option, FolderReading):
            choice = _ask_folders(folder, preview, option)
        else:
            choice = _ask_table(folder, preview, option)
        with st.container(horizontal=True):
            pressed = st.button(
                _("Read it so"),
                type="primary",
                icon=":material/check:",
                disabled=not _is_usable(preview, choice),
            )
            if preview.choice != LayoutChoice() and st.button(
                _("As the names tell"), icon=":material/undo:"
            ):
                choice, pressed = LayoutChoice(), True
    if pressed:
        indexing.choose_layout(folder, choice)
        st.session_state.pop(_open_key(folder), None)
        _preview_of.clear()
        st.rerun()


def _is_usable(preview: LayoutPreview, choice: LayoutChoice) -> bool:
    """Whether two classes at least have images, where folders say the classes."""
    by_table = any(reading.has_labels for reading in choice.tables.values())
    reading = choice.folders
    return by_table or reading is None or len(preview.classes(reading)) > 1


def _option_title(preview: LayoutPreview, option: FolderReading | TablePreview) -> str:
    if isinstance(option, TablePreview):
        return plain(_("The table {table} names the classes", table=option.path))
    labels = listed(list(preview.classes(_all_used(preview, option))))
    if option.split_level is None:
        return plain(_("Classes: {labels}", labels=labels))
    names = listed(list(preview.names(option.around, option.split_level)))
    return plain(
        _(
            "Classes: {labels}; training, validation, test or left out: {folders}",
            labels=labels,
            folders=names,
        )
    )


def _option_caption(
    preview: LayoutPreview, option: FolderReading | TablePreview
) -> str:
    if isinstance(option, TablePreview):
        return plain(_("Columns: {columns}", columns=listed(option.header)))
    classes = preview.classes(_all_used(preview, option))
    counts = [
        f"{isolated(label)} {sum(map(len, splits.values())):,}"
        for label, splits in classes.items()
    ]
    return plain(
        _(
            "The {level} level of folders names the class. Images: {counts}",
            level=translate(level(option.class_level)),
            counts=listed(counts),
        )
    )


def _all_used(preview: LayoutPreview, reading: FolderReading) -> FolderReading:
    """The reading with every folder for training of which nothing is known yet."""
    if reading.split_level is None:
        return reading
    names = preview.names(reading.around, reading.split_level)
    used: dict[str, Role] = {n: reading.splits.get(n) or "train" for n in names}
    return replace(reading, splits=used)


def _ask_folders(
    folder: Path, preview: LayoutPreview, reading: FolderReading
) -> LayoutChoice:
    """Which folder is which split; the classes that follow, with images."""
    if reading.split_level is not None:
        names = preview.names(reading.around, reading.split_level)
        splits = _ask_roles(_image_titles(names), reading.splits)
        reading = replace(reading, splits=splits)
    classes = preview.classes(reading)
    _show_classes(classes)
    pictured = classes or preview.classes(_all_used(preview, reading))
    for label, splits_of_class in list(pictured.items())[:_STRIPS]:
        paths = [path for paths in splits_of_class.values() for path in paths]
        chosen = paths[:: max(1, len(paths) // _IMAGES)][:_IMAGES]
        st.caption(plain(label))
        strip = _strip(folder, tuple(map(samples.join, chosen)))
        st.image(
            strip,
            output_format="PNG",
            alt=_("Examples of {class_name}", class_name=label),
        )
    if len(pictured) > _STRIPS:
        st.caption(
            _("Images of the first {classes} classes are shown.", classes=_STRIPS)
        )
    unused = dict.fromkeys(preview.labelled, TableReading())
    return LayoutChoice(reading, {**preview.choice.tables, **unused})


# What turns while it opens them is the same in every language.
@st.cache_data(max_entries=64, ttl=600, show_spinner="…")
def _strip(folder: Path, paths: tuple[str, ...]) -> bytes:
    return thumbnails.strip_png(folder, paths, _SIDE)


def _image_titles(counts: Mapping[str, int]) -> dict[str, str]:
    return {
        name: ngettext(
            "{name} ({count:,} image)", "{name} ({count:,} images)", count, name=name
        )
        for name, count in counts.items()
    }


def _row_titles(counts: Mapping[str, int]) -> dict[str, str]:
    return {
        name: _("{name} ({rows:,} rows)", name=name, rows=count)
        for name, count in counts.items()
    }


def _ask_roles(titles: Mapping[str, str], known: Mapping[str, Role]) -> dict[str, Role]:
    """A select box for each name: training, validation, test or left out.

    Args:
        titles: Name of a folder, or value of a table's column -> what stands above.
        known: What was chosen before.
    """
    roles = list(_ROLES)
    chosen = {}
    columns = st.columns(min(4, max(len(titles), 1)))
    for number, (name, title) in enumerate(titles.items()):
        with columns[number % len(columns)]:
            chosen[name] = st.selectbox(
                plain(title),
                roles,
                index=roles.index(known.get(name, "")),
                format_func=lambda role: _(_ROLES[role]),
                key=f"role {name}",
            )
    return chosen


def _show_classes(classes: Classes) -> None:
    """Images of each class in each split."""
    if not classes:
        st.caption(_("Nothing is used yet: choose which folder is for training."))
        return
    splits: list[Role] = ["train", "val", "test"]
    unsplit = any("" in by_split for by_split in classes.values())
    columns: dict[str, list[object]] = {_("Class"): list(classes)}
    counted: list[Role] = [""] if unsplit else splits
    for split in counted:
        title = _(_ROLES[split]) if split else _("Images")
        columns[title] = [len(each.get(split, [])) for each in classes.values()]
    show_table(pd.DataFrame(columns), hide_index=True)


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


def _ask_table(
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
            splits = _ask_roles(_row_titles(words), reading.splits)
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
