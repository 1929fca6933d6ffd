"""What a data set holds, as its page shows it: the verdict first, then the evidence."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.data import importing, layout
from medmodel.data.datasets import rejected_files
from medmodel.quality import thumbnails
from medmodel.quality.checks import DatasetReport
from medmodel.quality.issues import VERDICTS, Issue, verdict
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain

_TITLES = {"train": "Training", "val": "Validation", "test": "Test"}
_ICONS = {
    "ok": ":material/check_circle:",
    "warning": ":material/warning:",
    "problem": ":material/dangerous:",
    "unsplit": ":material/dangerous:",
}
_ROWS = 38
_SHOWN_FILES = 500
_FEW_CLASSES = 4


def show_verdict(report: DatasetReport, findings: Sequence[Issue]) -> None:
    """One word on all findings, what was left out, the worst, few images, leakage."""
    level = verdict(report, findings)
    word, _ = VERDICTS[level]
    show = {"ok": st.success, "warning": st.warning}.get(level, st.error)
    worst = [f.title for f in findings if f.level == level != "ok"]
    first = f" {plain(worst[0])}{_and_more(len(worst) - 1)}." if worst else ""
    unreadable = [(path, "cannot be read") for path, _ in report.unreadable]
    left = layout.left_out([*unreadable, *report.ignored])
    said = " ".join(filter(None, [*report.sample_size_warnings, report.verdict, left]))
    show(f"**{word}.**{first} {plain(said)}", icon=_ICONS[level])


def _and_more(count: int) -> str:
    return f", and {count} more below" if count else ""


def show_facts(report: DatasetReport) -> None:
    """The numbers to know before training."""
    patients = f"{report.num_patients:,}" if report.num_patients else "unknown"
    test = sum(counts.get("test", 0) for counts in report.images.values())
    facts = [
        ("Images", f"{report.num_images:,}", "Readable images in all splits."),
        ("Classes", f"{len(report.classes)}", "Folders with readable images."),
        (
            "Patients",
            patients,
            "Patients that headers, a table or the file names tell apart.",
        ),
        (
            "Baseline (majority class)",
            f"{report.baseline:.1%}".replace("%", " %"),
            "Accuracy on the test images of a model that always predicts "
            f"{plain(report.baseline_class)}, the commonest class of the training "
            f"images (n = {test:,}). A model must do better than that. Evaluate "
            "predicts the commonest class of the test images, which may be another.",
        ),
        (
            "Class imbalance",
            f"{report.imbalance:.1f} : 1",
            "Training images of the commonest class for each of the rarest.",
        ),
    ]
    with st.container(horizontal=True, gap="small"):
        for label, value, help_text in facts:
            st.metric(label, value, help=help_text, border=True, width="content")


def show_splits(report: DatasetReport) -> None:
    """Images and patients per class and split."""
    columns: dict[str, list[object]] = {"Class": list(report.classes)}
    for split in report.splits:
        columns[_TITLES[split]] = [c[split] for c in report.images.values()]
        if report.num_patients:
            counts = report.patients.values()
            columns[f"{_TITLES[split]}: patients"] = [c[split] for c in counts]
    columns["All images"] = [sum(c.values()) for c in report.images.values()]
    st.subheader("Images per class and split", anchor=False, help=meaning("split"))
    st.dataframe(
        pd.DataFrame(columns),
        hide_index=True,
        height=min(len(report.classes), 14) * _ROWS + _ROWS,
        row_height=_ROWS,
        column_config={
            name: st.column_config.NumberColumn(format="localized") for name in columns
        }
        | {"Class": st.column_config.TextColumn(pinned=True)},
    )
    if report.drawn:
        drawn = " and ".join(_TITLES[s].lower() for s in report.drawn if s != "train")
        st.caption(
            f"The folders hold no {drawn} images: these are drawn as shown here, "
            "stratified by class; all images of one patient, and identical images, "
            "stay in one split. Fractions and seed can be changed when training."
        )


def show_samples(folder: Path, report: DatasetReport) -> None:
    """Some images of every class, every pixel as in the file or scaled down."""
    st.subheader("Examples of each class", anchor=False)
    wide = len(report.classes) <= _FEW_CLASSES
    step = 1 if wide else 2
    # Row by row: on a narrow screen the columns of a row stand below each other.
    for first in range(0, len(report.classes), step):
        columns = st.columns(step, gap="medium")
        for column, label in zip(
            columns, report.classes[first : first + step], strict=False
        ):
            with column:
                _show_class(folder, label, sum(report.images[label].values()))


def _show_class(folder: Path, label: str, count: int) -> None:
    # A blank before the closing asterisks would make them visible.
    st.markdown(f"**{plain(label.strip())}** :gray[{count:,} images]")
    strip = thumbnails.drawn_png(thumbnails.class_strip(folder, label))
    if strip:
        st.image(strip, output_format="PNG", alt=f"Examples of {label}")


def show_duplicates(folder: Path, report: DatasetReport) -> None:
    """Groups of identical images, two labels and two splits first."""
    if not report.duplicates:
        return
    duplicates = report.duplicates[: thumbnails.SHOWN_DUPLICATES]
    title = f"Identical images ({len(report.duplicates):,})"
    worst = report.duplicates[0]
    with st.expander(title, expanded=len(worst.labels) + len(worst.splits) > 2):
        st.dataframe(
            pd.DataFrame(
                {
                    "Image": [_data_uri(folder, d.paths[0]) for d in duplicates],
                    "Finding": [_kind(d.labels, d.splits) for d in duplicates],
                    "Files": ["   ·   ".join(d.paths) for d in duplicates],
                }
            ),
            hide_index=True,
            row_height=76,
            height=min(len(duplicates), 4) * 76 + _ROWS,
            column_config={
                "Image": st.column_config.ImageColumn(width=84),
                "Finding": st.column_config.TextColumn(width="medium"),
                "Files": st.column_config.TextColumn(width="large"),
            },
        )
        if len(report.duplicates) > len(duplicates):
            st.caption(f"The first {len(duplicates)} are shown.")


def show_shared_patients(report: DatasetReport) -> None:
    """Patients whose name stands in more than one split."""
    if not report.shared_patients:
        return
    title = f"Patients in more than one split ({len(report.shared_patients):,})"
    with st.expander(title):
        names, splits = zip(*report.shared_patients, strict=True)
        titles = [", ".join(_TITLES[s] for s in each) for each in splits]
        st.dataframe(
            pd.DataFrame({"Patient": names, "Splits": titles}), hide_index=True
        )


def show_files(report: DatasetReport) -> None:
    """Sizes and modes, and what was left out and why."""
    low, high = report.smallest, report.largest
    same = low == high
    sizes = (
        f"{low[0]} × {low[1]}"
        if same
        else f"{low[0]} × {low[1]} to {high[0]} × {high[1]}"
    )
    modes = ", ".join(f"{name} ({n:,})" for name, n in report.modes.items())
    st.markdown(f"**Sizes** {plain(sizes)} pixels · **Formats** {plain(modes)}")
    if report.seen:
        windows = ", ".join(f"{how} ({n:,})" for how, n in report.seen.items())
        st.markdown(f"**Automatic window** {plain(windows)}")
    if report.num_sizes > 1:
        with st.expander(f"Sizes ({report.num_sizes:,})"):
            frame = pd.DataFrame(report.sizes, columns=["Width", "Height", "Images"])
            st.dataframe(frame, hide_index=True)
    _show_left_out("Unreadable files, left out", report.unreadable)
    _show_left_out("Ignored files and folders", report.ignored)


def show_import(folder: Path) -> None:
    """What the import of this data set left out, if it did, in its first line."""
    skipped = importing.skipped_files(folder)
    words = layout.left_out(skipped)
    if words:
        st.warning(plain(f"Import. {words}"), icon=":material/warning:")
    _show_left_out("Left out by the import", skipped)


def show_rejected(folder: Path) -> None:
    """The files that a check which failed could not use, and why."""
    _show_left_out("Files that cannot be used", rejected_files(folder))


def _show_left_out(title: str, rows: list[tuple[str, str]]) -> None:
    if not rows:
        return
    with st.expander(f"{title} ({len(rows):,})"):
        frame = pd.DataFrame(rows[:_SHOWN_FILES], columns=["File", "Reason"])
        st.dataframe(frame, hide_index=True)
        if len(rows) > _SHOWN_FILES:
            st.caption(f"The first {_SHOWN_FILES} are shown.")


def _kind(labels: list[str], splits: list[str]) -> str:
    where = []
    if len(labels) > 1:
        where.append("under two labels" if len(labels) == 2 else "under several labels")
    if len(splits) > 1:
        where.append("in " + " and ".join(_TITLES[s].lower() for s in splits))
    return ", ".join(where) or f"twice in {_TITLES[splits[0]].lower()}"


def _data_uri(folder: Path, path: str) -> str:
    thumbnail = thumbnails.drawn_png(thumbnails.duplicate_thumbnail(folder, path))
    if not thumbnail:
        return ""
    return "data:image/png;base64," + base64.b64encode(thumbnail).decode()
