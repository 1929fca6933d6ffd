"""Whom the images of a data set show, as far as it is known before training."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.data.splits import resolve_patients
from medmodel.language import _, ngettext
from medmodel.quality import report_store
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.training.known_files import (
    checked_images,
    files_of,
    holds_scans,
    patients_of_tables,
)


def preview_patients(folder: Path, pattern: str) -> None:
    """Says whom the images show, as far as tables, headers and a pattern tell.

    Before the first check only tables and the names of files are known: one file may
    turn out to hold several slices or frames.
    """
    report = report_store.load_report(folder)
    if report is None:
        paths = files_of(str(folder))[0]
        known = patients_of_tables(str(folder))
        headers = [known.get(path, "") for path in paths]
    else:
        with st.spinner(_("Looking at the images…")):
            paths, headers = checked_images(str(folder), report.fingerprint)
    if holds_scans(folder):
        st.caption(_("Patients that DICOM headers name come first, as stand-ins."))
    with errors_shown():
        patients = resolve_patients(paths, headers, pattern)
        checked = report is not None
        st.caption(_patients_sentence(patients, checked, bool(pattern)))


def _patients_sentence(patients: list[str], checked: bool, pattern: bool) -> str:
    total = _images_or_files(len(patients), checked)
    named = sorted(set(patients) - {""})
    if not named and pattern:
        return _(
            "None of the names matches. Each of the {total} counts as a patient of its "
            "own.",
            total=total,
        )
    if not named:
        return _("Each of the {total} counts as a patient of its own.", total=total)
    values = {"total": total, "names": plain(", ".join(named[:3]))}
    if not patients.count(""):
        return _(
            "{patients:,} patients in {total}, such as {names}.",
            patients=len(named),
            **values,
        )
    return _(
        "{patients:,} patients in {total}, such as {names}; {rest} name none.",
        patients=len(named),
        rest=_images_or_files(patients.count(""), checked),
        **values,
    )


def _images_or_files(count: int, checked: bool) -> str:
    if checked:
        return ngettext("{count:,} image", "{count:,} images", count)
    return ngettext("{count:,} file", "{count:,} files", count)
