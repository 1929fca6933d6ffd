"""Step Data: how many images of each class there are, from how many patients."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from medmodel.audience.slide import Bar, Slide
from medmodel.core.errors import DataError
from medmodel.data.datasets import index_folder, load_index
from medmodel.data.layout import read_layout
from medmodel.data.multi_label.findings import NO_FINDING, row_per_finding
from medmodel.data.sample_size import SMALL_DATASET
from medmodel.language import _, ngettext
from medmodel.reports import plots
from pages._shared.common import widgets
from pages._shared.presenter.scene import Scene, turned
from pages._shared.presenter.subject import choose_dataset, chosen_dataset, datasets

MOST_BARS = 10
IMBALANCE = 3
"""How many times as large as the smallest class the largest is called unequal."""


def data_scene() -> Scene:
    """The chosen data set; up and down show another one."""
    folder = chosen_dataset()
    if folder is None:
        return Scene(
            Slide(
                _("Data"),
                _("No data set yet"),
                _("The sample data set is being drawn."),
                state="empty",
            ),
            live=True,
        )
    slide = dataset_slide(folder)
    return Scene(slide, turn=lambda by: _turn(folder, by))


def _turn(folder: Path, by: int) -> None:
    folders = datasets()
    at = folders.index(folder) if folder in folders else 0
    if folders:
        choose_dataset(folders[turned(len(folders), at, by)])


def dataset_slide(folder: Path) -> Slide:
    """Counts of a data set, as checked or else by the names of its files.

    Raises:
        DataError: The folder cannot be understood.
    """
    name = widgets.folder_name(str(folder))
    counted = _counted(str(folder), _checked(folder))
    counts = counted.classes
    if not counts:
        raise DataError(
            _("{folder} holds no images in folders of classes.", folder=name)
        )
    colours = plots.class_colours(sorted(counts))
    common = Counter(counts).most_common()
    bars = tuple(
        Bar(_label(label, counted), count / common[0][1], f"{count:,}", colours[label])
        for label, count in common[:MOST_BARS]
    )
    return Slide(
        _("Data"),
        _title(name, counted),
        _patients_sentence(counted.patients, counted.checked),
        bars=bars,
        notes=tuple(_notes(counted)),
    )


def _title(name: str, counted: _Counted) -> str:
    if not counted.findings:
        return _(
            "{dataset}: {images:,} images in {classes} classes",
            dataset=name,
            images=counted.images,
            classes=len(counted.classes),
        )
    return ngettext(
        "{dataset}: {images:,} images, {count:,} finding",
        "{dataset}: {images:,} images, {count:,} findings",
        len(set(counted.classes) - {NO_FINDING}),
        dataset=name,
        images=counted.images,
    )


def _label(label: str, counted: _Counted) -> str:
    none = counted.findings and label == NO_FINDING
    return _("No finding") if none else label


def _patients_sentence(patients: int, checked: bool) -> str:
    if not checked:
        return _("Counted by their files; the images have not been checked yet.")
    if not patients:
        return _("Checked. Neither headers nor tables name patients.")
    return ngettext(
        "Checked. Headers or tables name {count:,} patient.",
        "Checked. Headers or tables name {count:,} patients.",
        patients,
    )


def _notes(counted: _Counted) -> list[str]:
    notes = []
    common = Counter(counted.classes).most_common()
    rest = common[MOST_BARS:]
    if counted.findings:
        hidden = len({name for name, _count in rest} - {NO_FINDING})
        notes += [_hidden_findings(hidden)] if hidden else []
    elif rest:
        images = sum(count for _name, count in rest)
        notes.append(
            ngettext(
                "{count} more class with {images:,} images in all.",
                "{count} more classes with {images:,} images in all.",
                len(rest),
                images=images,
            )
        )
    if counted.images < SMALL_DATASET:
        notes.append(_("Too few images to learn from or to judge by: a demonstration."))
    (largest, most), (smallest, least) = common[0], common[-1]
    if most >= IMBALANCE * least and not counted.findings:
        notes.append(
            _(
                "Class {largest} has {times:.0f} times as many images as {smallest}.",
                largest=largest,
                times=most / least,
                smallest=smallest,
            )
        )
    return notes


def _hidden_findings(count: int) -> str:
    return ngettext(
        "{count:,} more finding is not shown.",
        "{count:,} more findings are not shown.",
        count,
    )


def _checked(folder: Path) -> int:
    """Changes whenever the data set is checked again; 0 before the first time."""
    index = index_folder(folder) / "index.csv"
    return index.stat().st_mtime_ns if index.exists() else 0


class _Counted(NamedTuple):
    """Images of a data set.

    Args:
        classes: Class -> images; of several findings on one image those of each.
        images: How many there are.
        patients: Those that are named.
        checked: Whether the images were checked.
        findings: Whether an image may have several findings.
    """

    classes: dict[str, int]
    images: int
    patients: int
    checked: bool
    findings: bool


@st.cache_data(max_entries=16, ttl=60, show_spinner=False)
def _counted(folder: str, checked: int) -> _Counted:
    index = load_index(Path(folder)) if checked else None
    if index is None:
        read = read_layout(Path(folder))
        names = Counter(name for file in read.files for name in read.classes_of(file))
        return _Counted(dict(names), len(read.files), 0, False, bool(read.findings))
    table = index.readable
    counted = row_per_finding(table) if index.multi_label else table
    patients = len(set(table["patient"]) - {""})
    classes = dict(Counter(counted["label"]))
    return _Counted(classes, len(table), patients, True, index.multi_label)
