"""What is known of a data set before its check: classes, masks, names, patients."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from medmodel.core.errors import DataError
from medmodel.data.datasets import load_index
from medmodel.data.layout import list_files, read_layout
from medmodel.data.segmentation.pairs import image_masks
from medmodel.quality import report_store


def is_dataset(folder: Path) -> bool:
    """Whether there are images of two classes, or with masks, by the names of files."""
    return has_classes(folder) or has_masks(str(folder))


def has_classes(folder: Path) -> bool:
    """Whether there are images of two classes, by the names of files."""
    return len(files_of(str(folder))[1]) > 1


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def has_masks(folder: str) -> bool:
    """Whether there are images with segmentation masks, by the names of files."""
    return bool(image_masks(Path(folder)))


# What turns while it looks is the same in every language.
@st.cache_data(max_entries=256, ttl=60, show_spinner="…")
def files_of(folder: str) -> tuple[list[str], dict[str, int]]:
    """Paths of a data set's files, and their number by class; nothing is opened."""
    try:
        read = read_layout(Path(folder))
    except DataError:
        return [], {}
    counts = Counter(name for file in read.files for name in read.classes_of(file))
    return [file.path for file in read.files], dict(sorted(counts.items()))


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def patients_of_tables(folder: str) -> dict[str, str]:
    """Path -> stand-in of the patient, for all files of which a table says one."""
    try:
        files = list_files(Path(folder))[0]
    except DataError:
        return {}
    return {file.path: file.patient for file in files if file.patient}


@st.cache_data(max_entries=4, show_spinner=False)
def checked_images(folder: str, fingerprint: str) -> tuple[list[str], list[str]]:
    """Names of all images as they were checked, and what headers say of patients."""
    index = load_index(Path(folder))
    if index is None:
        return [], []
    return index.readable["path"].tolist(), index.readable["patient"].tolist()


@st.cache_data(max_entries=8, ttl=60, show_spinner=False)
def guessed_pattern(folder: str) -> str:
    """The pattern that the data set's page knows, else what the names suggest."""
    return report_store.suggested_pattern(Path(folder), files_of(folder)[0])


def holds_scans(folder: Path) -> bool:
    """Whether the data set has DICOM or NIfTI files: by content, else by name."""
    report = report_store.load_report(folder)
    if report is not None:
        return any(mode.startswith(("DICOM", "NIfTI")) for mode in report.modes)
    paths = files_of(str(folder))[0]
    return any(path.lower().endswith((".dcm", ".nii", ".nii.gz")) for path in paths)
