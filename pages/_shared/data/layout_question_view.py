"""How a data set's folders and tables are read: asked where names do not tell."""

from __future__ import annotations

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
    preview_layout,
)
from medmodel.data.layouts.description import level, listed
from medmodel.data.layouts.layout_choice import (
    FolderReading,
    LayoutChoice,
    TableReading,
)
from medmodel.data.layouts.split_names import SPLIT_TITLES, Role
from medmodel.data.tables.table_preview import TablePreview
from medmodel.language import SOURCE, _, join_sentences, ngettext, speaking, translate
from medmodel.language.right_to_left import isolated
from medmodel.quality import indexing, thumbnails
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.data.split_roles import ask_roles
from pages._shared.data.table_question import ask_table

_STRIPS, _IMAGES, _SIDE = 6, 4, 88


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
            choice = ask_table(folder, preview, option)
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
    """Whether a table names classes or findings, or folders two classes at least."""
    if any(reading.has_labels for reading in choice.tables.values()):
        return True
    readings = preview.readings if choice.folders is None else [choice.folders]
    if choice.folders is None:
        readings = [_all_used(preview, each) for each in readings]
    return any(len(preview.classes(reading)) > 1 for reading in readings)


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
        splits = ask_roles(_image_titles(names), reading.splits)
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
        title = _(SPLIT_TITLES[split]) if split else _("Images")
        columns[title] = [len(each.get(split, [])) for each in classes.values()]
    show_table(pd.DataFrame(columns), hide_index=True)
