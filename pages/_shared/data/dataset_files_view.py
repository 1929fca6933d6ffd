"""Files of a data set: duplicates, shared patients, the list, what was left out."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.data import importing
from medmodel.data.datasets import rejected_files
from medmodel.data.layouts.left_out import is_left_out, left_out
from medmodel.data.layouts.split_names import SPLIT_TITLES
from medmodel.language import N_, _, translate
from medmodel.quality import thumbnails
from medmodel.quality.checks import DatasetReport
from pages._shared.common.tables import ROW_HEIGHT, show_table
from pages._shared.common.words import plain

_TWICE = {
    "train": N_("twice in training"),
    "val": N_("twice in validation"),
    "test": N_("twice in test"),
}
_ACROSS = {
    ("train", "val"): N_("in training and validation"),
    ("train", "test"): N_("in training and test"),
    ("val", "test"): N_("in validation and test"),
    ("train", "val", "test"): N_("in training and validation and test"),
}
_SHOWN_FILES = 500


def show_duplicates(folder: Path, report: DatasetReport) -> None:
    """Groups of identical images, two labels and two splits first."""
    if not report.duplicates:
        return
    duplicates = report.duplicates[: thumbnails.SHOWN_DUPLICATES]
    title = _("Identical images ({groups:,})", groups=len(report.duplicates))
    worst = report.duplicates[0]
    with st.expander(title, expanded=len(worst.labels) + len(worst.splits) > 2):
        show_table(
            pd.DataFrame(
                {
                    _("Image"): [_data_uri(folder, d.paths[0]) for d in duplicates],
                    _("Finding"): [_kind(d.labels, d.splits) for d in duplicates],
                    _("Files"): ["   ·   ".join(d.paths) for d in duplicates],
                }
            ),
            hide_index=True,
            row_height=76,
            height=min(len(duplicates), 4) * 76 + ROW_HEIGHT,
            column_config={
                _("Image"): st.column_config.ImageColumn(width=84),
                _("Finding"): st.column_config.TextColumn(width="medium"),
                _("Files"): st.column_config.TextColumn(width="large"),
            },
        )
        if len(report.duplicates) > len(duplicates):
            st.caption(_("The first {shown} are shown.", shown=len(duplicates)))


def show_shared_patients(report: DatasetReport) -> None:
    """Patients whose name stands in more than one split."""
    if not report.shared_patients:
        return
    title = _(
        "Patients in more than one split ({patients:,})",
        patients=len(report.shared_patients),
    )
    with st.expander(title):
        names, splits = zip(*report.shared_patients, strict=True)
        titles = [
            ", ".join(_(SPLIT_TITLES[split]) for split in each) for each in splits
        ]
        show_table(
            pd.DataFrame({_("Patient"): names, _("Splits"): titles}), hide_index=True
        )


def show_files(report: DatasetReport) -> None:
    """Sizes and modes, and what was left out and why."""
    low, high = report.smallest, report.largest
    same = low == high
    sizes = (
        f"{low[0]} × {low[1]}"
        if same
        else _(
            "{width} × {height} to {largest_width} × {largest_height}",
            width=low[0],
            height=low[1],
            largest_width=high[0],
            largest_height=high[1],
        )
    )
    modes = ", ".join(f"{name} ({n:,})" for name, n in report.modes.items())
    st.markdown(
        _(
            "**Sizes** {sizes} pixels · **Formats** {modes}",
            sizes=plain(sizes),
            modes=plain(modes),
        )
    )
    if report.seen:
        windows = ", ".join(
            f"{translate(how)} ({n:,})" for how, n in report.seen.items()
        )
        st.markdown(_("**Automatic window** {windows}", windows=plain(windows)))
    if report.num_sizes > 1:
        with st.expander(_("Sizes ({sizes:,})", sizes=report.num_sizes)):
            names = [_("Width"), _("Height"), _("Images")]
            frame = pd.DataFrame(report.sizes, columns=names)
            show_table(frame, hide_index=True)
    _show_left_out(_("Unreadable files, left out"), report.unreadable)
    ignored = [row for row in report.ignored if is_left_out(row[1])]
    remarks = [row for row in report.ignored if not is_left_out(row[1])]
    _show_left_out(_("Ignored files and folders"), ignored)
    _show_left_out(_("Remarks on files and classes"), remarks)


def show_import(folder: Path) -> None:
    """What the import of this data set left out, if it did, in its first line."""
    skipped = importing.skipped_files(folder)
    words = left_out(skipped)
    if words:
        text = _("Import. {files}", files=translate(words))
        st.warning(plain(text), icon=":material/warning:")
    _show_left_out(_("Left out by the import"), skipped)


def show_rejected(folder: Path) -> None:
    """The files that a check which failed could not use, and why."""
    _show_left_out(_("Files that cannot be used"), rejected_files(folder))


def _show_left_out(title: str, rows: list[tuple[str, str]]) -> None:
    if not rows:
        return
    with st.expander(f"{title} ({len(rows):,})"):
        shown = [(file, translate(reason)) for file, reason in rows[:_SHOWN_FILES]]
        frame = pd.DataFrame(shown, columns=[_("File"), _("Reason")])
        show_table(frame, hide_index=True)
        if len(rows) > _SHOWN_FILES:
            st.caption(_("The first {shown} are shown.", shown=_SHOWN_FILES))


def _kind(labels: list[str], splits: list[str]) -> str:
    """Where identical images lie: under how many labels, in which splits."""
    where = []
    if len(labels) > 1:
        where.append(
            _("under two labels") if len(labels) == 2 else _("under several labels")
        )
    if len(splits) > 1:
        where.append(_(_ACROSS[tuple(splits)]))
    return ", ".join(where) or _(_TWICE[splits[0]])


def _data_uri(folder: Path, path: str) -> str:
    thumbnail = thumbnails.drawn_png(thumbnails.duplicate_thumbnail(folder, path))
    if not thumbnail:
        return ""
    return "data:image/png;base64," + base64.b64encode(thumbnail).decode()
