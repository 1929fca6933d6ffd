"""Everything odd about a data set, as findings with one action each.

A finding names its files and what may be done about them; nothing is done unasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from medmodel.core import samples
from medmodel.imaging.decoded_image import FRAMES_TEXT
from medmodel.language import N_, SOURCE, _, speaking
from medmodel.quality import (
    burned_in,
    near_duplicates,
    patients,
    shortcuts,
    spurious_correlations,
)
from medmodel.quality.checks import DatasetReport, Level
from medmodel.quality.issues import Act, Issue, issues_from_groups

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.data.datasets import Index

FEW_IMAGES, FEW_PATIENTS = 20, 5
"""Training images and patients of a class below which little can be learnt."""
SMALLEST_SIDE = 28
_FAR = 6.0
"""Robust standard deviations from the median beyond which an image is odd."""

_FORMATS = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "JPEG"),
    **dict.fromkeys(("tif", "tiff"), "TIFF"),
    **{name.lower(): name for name in ("PNG", "BMP", "GIF", "WEBP", "AVIF")},
    "dcm": "DICOM",
    "nii": "NIfTI",
}
"""How names of files end -> `DecodedImage.format`; other endings promise nothing."""
_RARE = 0.05
"""Largest share of images that may be called far from the others."""

_COPIES = {
    "same": {
        "labels": N_("Identical images under two labels"),
        "splits": N_("Identical images in the test and in training or validation"),
        "validation": N_("Identical images in training and validation"),
        "inside": N_("Identical images within one split"),
    },
    "near": {
        "labels": N_("Images that look alike under two labels"),
        "splits": N_(
            "Images that look alike in the test and in training or validation"
        ),
        "validation": N_("Images that look alike in training and validation"),
        "inside": N_("Images that look alike within one split"),
    },
}
"""How alike the images are -> where they lie -> title of the finding."""


@dataclass(frozen=True)
class Measured:
    """What takes time because images are opened; no split plays a part in it.

    Args:
        fingerprint: `Index.fingerprint` of what was measured.
        alike: Groups of files that look alike though their pixels differ.
        marks: Rows of `marks.measure`.
    """

    fingerprint: str
    alike: list[list[str]]
    marks: list[list[Any]]


def measure(index: Index) -> Measured:
    """Opens the images that have to be looked at once more."""
    table = index.readable
    alike = near_duplicates.near_groups(index)
    # One row per file: slices of a volume share its facts, which would prove nothing.
    files = table[~table["path"].map(samples.file_of).duplicated()]
    marks = burned_in.measure(index.folder, files)
    return Measured(index.fingerprint, alike, marks.to_numpy(object).tolist())


@speaking(SOURCE)  # The findings are kept; a page says them by `translate`.
def find_issues(
    index: Index, split_table: pd.DataFrame, report: DatasetReport, measured: Measured
) -> list[Issue]:
    """All findings, the worst first.

    Args:
        index: The data set, checked by this version.
        split_table: What `splits.assign_splits` made of it.
        report: What `checks.examine` said of it.
        measured: What `measure` found in it.
    """
    table = index.readable.merge(
        split_table[["path", "patient", "split"]],
        on="path",
        suffixes=("_header", ""),
    )
    same = [group.paths for group in report.duplicates]
    issues = [
        *_copies("same", same, table),
        *_copies("near", measured.alike, table),
        *patients.in_two_splits(table),
        # Of several findings a patient may have one today and another tomorrow.
        *([] if index.multi_label else patients.in_two_classes(table)),
        *_single_files(table),
        *_outliers(table),
        *_windows(table),
        *_several(table),
        *_series(table),
        *_missing_frames(table),
        *([] if index.multi_label else _classes(table, measured)),
        *_few(report),
        *_unreadable(report),
    ]
    order = ["problem", "warning", "ok"]
    return sorted(issues, key=lambda finding: order.index(finding.level))


class _Copies(NamedTuple):
    """Groups of copies by what is true of them; a group may be in two of the lists."""

    labels: list[list[str]]
    tested: list[list[str]]
    splits: list[list[str]]
    inside: list[list[str]]


def _parted(groups: Sequence[Sequence[str]], table: pd.DataFrame) -> _Copies:
    """Two labels, the test among two splits, other splits; else within one split.

    A group under two labels that lies in two splits is both: a wrong label, and a test
    that asks for what training has shown.
    """
    label = dict(zip(table["path"], table["label"], strict=True))
    split = dict(zip(table["path"], table["split"], strict=True))
    wish = dict(zip(table["path"], table["group"], strict=True))
    labels, tested, splits, inside = copies = _Copies([], [], [], [])
    for group in map(list, groups):
        if len({label[p] for p in group}) > 1:
            labels.append(group)
        if len(sides := {split[p] for p in group}) > 1:
            (tested if "test" in sides else splits).append(group)
        elif len({label[p] for p in group}) == 1 and (
            len({wish[p] for p in group} - {""}) != 1  # else somebody decided
        ):
            inside.append(group)
    return copies


def _copies(
    kind: str, groups: Sequence[Sequence[str]], table: pd.DataFrame
) -> list[Issue]:
    """What is said of groups of copies.

    Args:
        kind: Key of `_COPIES`.
        groups: Paths of images that are alike.
        table: Columns `path, label, split, group`.
    """
    labels, tested, splits, inside = _parted(groups, table)
    rest = [group[1:] for group in inside]
    titles = _COPIES[kind]
    return [
        *issues_from_groups(
            f"{kind}-labels",
            titles["labels"],
            _("At least one of the labels is wrong."),
            "warning",
            labels,
            "leave_out",
        ),
        *issues_from_groups(
            f"{kind}-splits",
            titles["splits"],
            _(
                "The test asks for what training has shown. Results are computed "
                "without these test images, and with them beside."
            ),
            "problem",
            tested,
            "together",
        ),
        *issues_from_groups(
            f"{kind}-validation",
            titles["validation"],
            _("Validation looks better than it is. None of them is a test image."),
            "warning",
            splits,
            "together",
        ),
        *issues_from_groups(
            f"{kind}-inside",
            titles["inside"],
            _("They count more than once."),
            "ok",
            inside,
            "leave_out",
            rest,
        ),
    ]


def _single_files(table: pd.DataFrame) -> list[Issue]:
    """Files that are odd by themselves."""
    side = table[["width", "height"]].min(axis=1)
    checks: list[tuple[str, str, str, Level, Any, Act]] = [
        (
            "blank",
            _("Blank or constant images"),
            _("They show next to nothing."),
            "warning",
            table["spread"] <= 2,
            "leave_out",
        ),
        (
            "tiny",
            _("Images smaller than {side} pixels", side=SMALLEST_SIDE),
            _("They are enlarged for training; little can be seen in them."),
            "warning",
            side < SMALLEST_SIDE,
            "leave_out",
        ),
        (
            "clipped",
            _("Images that are mostly white"),
            _(
                "More than half of the pixels have the largest value: bright parts "
                "were cut off, or it is a page of text."
            ),
            "warning",
            table["white"] > 50,
            "leave_out",
        ),
        (
            "rotated",
            _("Images rotated by their EXIF orientation"),
            _(
                "They are shown and trained upright; other programs may show them "
                "turned."
            ),
            "ok",
            table["rotated"] > 0,
            "",
        ),
        (
            "misnamed",
            _("Files named after another format"),
            _("They are read by their content; other programs may go by the name."),
            "ok",
            _misnamed(table),
            "",
        ),
    ]
    issues = []
    for kind, title, sentence, level, mask, act in checks:
        groups = [[path] for path in table.loc[mask, "path"]]
        # What is true of nearly all is how this data set is, not an oddity.
        if len(groups) <= 0.5 * len(table):
            issues += issues_from_groups(kind, title, sentence, level, groups, act)
    return issues


def _misnamed(table: pd.DataFrame) -> pd.Series:
    """Whether a file's name ends like that of another format than it has."""
    named = table["path"].map(samples.file_of).str.lower().str.extract(r"\.(\w+)$")[0]
    formats = named.map(_FORMATS)
    return formats.notna() & (formats != table["format"])


def _outliers(table: pd.DataFrame) -> list[Issue]:
    area = np.log2(table["width"].to_numpy(float) * table["height"].to_numpy(float))
    grey = _far(table["mean"].to_numpy(float), 32)
    tints = [_far(table[c].to_numpy(float), 24) for c in ("colour", "red", "blue")]
    checks = [
        ("size", _("Sizes far from the others"), _far(area, 2)),
        ("brightness", _("Much darker or brighter than the others"), grey),
        ("colour", _("Colours unlike the others"), np.any(tints, axis=0)),
    ]
    issues = []
    for kind, title, far in checks:
        # What is true of many is another kind of image, not an oddity.
        if far.mean() > _RARE:
            continue
        groups = [[path] for path in table.loc[far, "path"]]
        sentence = _("Look whether they belong here.")
        issues += issues_from_groups(kind, title, sentence, "ok", groups, "leave_out")
    return issues


def _far(values: np.ndarray, least: float) -> np.ndarray:
    """Which values lie far from the median, in robust deviations and by `least`."""
    if not len(values):
        return np.zeros(0, bool)
    gap = np.abs(values - np.median(values))
    return np.asarray(gap > np.maximum(_FAR * 1.4826 * np.median(gap), least))


def _windows(table: pd.DataFrame) -> list[Issue]:
    """CT whose values are no Hounsfield units, which the automatic window tells."""
    ranged = table["seen"].str.startswith("CT by its own range")
    others = int(table["seen"].str.startswith("CT as soft tissue").sum())
    sentence = _(
        "Their values are no Hounsfield units, so the automatic window shows each by "
        "its own range of values. Brightness cannot be compared between them."
    )
    if others:
        sentence = _(
            "Their values are no Hounsfield units, so the automatic window shows each "
            "by its own range of values, and the other {images:,} as soft tissue: a "
            "network sees both. Leave them out, or export them with their rescale "
            "intercept.",
            images=others,
        )
    groups = [[path] for path in table.loc[ranged, "path"]]
    title = _("CT without Hounsfield units")
    level: Level = "warning" if others else "ok"
    act: Act = "leave_out" if others else ""
    return issues_from_groups("uncalibrated", title, sentence, level, groups, act)


def _several(table: pd.DataFrame) -> list[Issue]:
    """Files that hold several images, of which not all are samples."""
    files = table["path"].map(samples.file_of)
    rows = table.assign(file=files)[table["frames"] > 1]
    first = rows[~rows["file"].duplicated()]
    total = int(first["frames"].sum())
    if total <= len(rows):
        return []
    sentence = _(
        "They hold {total:,} slices, frames or pages, of which {samples:,} "
        "are used. Slices and frames, on the data set's page, says which "
        "and offers others.",
        total=total,
        samples=len(rows),
    )
    groups = [[path] for path in first["path"]]
    title = _("Files that hold several images")
    return issues_from_groups("several", title, sentence, "ok", groups)


def _missing_frames(table: pd.DataFrame) -> list[Issue]:
    """DICOM files that hold fewer whole frames than their header says."""
    rows = table[table["seen"].str.contains(FRAMES_TEXT, regex=False)]
    first = rows[~rows["path"].map(samples.file_of).duplicated()]
    groups = [[path] for path in first["path"]]
    title = _("DICOM files that lack frames")
    sentence = _(
        "Their headers tell of more frames than they hold: they were cut, or written "
        "wrongly. What they hold is used. Export them again from their source."
    )
    return issues_from_groups("missing_frames", title, sentence, "warning", groups)


def _series(table: pd.DataFrame) -> list[Issue]:
    """Files that hold volume after volume, of which the first alone is read."""
    rows = table[table["series"] > 1]
    rows = rows[~rows["path"].map(samples.file_of).duplicated()]
    if rows.empty:
        return []
    least, most = int(rows["series"].min()), int(rows["series"].max())
    if least == most:
        sentence = _(
            "These files hold {least:,} volumes each, such as points in time or "
            "directions of diffusion. Of each the first is used. Where another is "
            "meant, save it as a file of its own.",
            least=least,
        )
    else:
        sentence = _(
            "These files hold {least:,} to {most:,} volumes each, such as points in "
            "time or directions of diffusion. Of each the first is used. Where another "
            "is meant, save it as a file of its own.",
            least=least,
            most=most,
        )
    groups = [[path] for path in rows["path"]]
    title = _("Series of volumes, of which the first is used")
    return issues_from_groups("series", title, sentence, "ok", groups)


def _classes(table: pd.DataFrame, measured: Measured) -> list[Issue]:
    """What sets classes apart that has nothing to do with disease."""
    import pandas as pd

    files = table[~table["path"].map(samples.file_of).duplicated()]
    seen = pd.DataFrame(measured.marks, columns=burned_in.COLUMNS)
    both = files.merge(seen, on="path", how="left")
    # Ends of ribs, and the table, look like letters: in CT slices none was one.
    both.loc[both["seen"].str.startswith("CT") & both["letters"].notna(), "letters"] = 0
    issues = []
    for kind, title, sentence, paths in spurious_correlations.differences(both):
        groups = [[path] for path in paths]
        level: Level = "ok" if kind in spurious_correlations.HINTS else "warning"
        issues += issues_from_groups(kind, title, sentence, level, groups)
    looked_at = both[both["letters"].notna()]
    return [*issues, *_shortcut(looked_at), *_sources(files)]


def _shortcut(table: pd.DataFrame) -> list[Issue]:
    shortcut = shortcuts.accuracy(table)
    if shortcut is None or not shortcut.suspicious:
        return []
    sentence = _(
        "A small classifier that knows only formats, sizes, frames, "
        "letters, colour or grey and the like tells the classes apart with "
        "a balanced accuracy of {accuracy:.2f} in cross-validation; by "
        "chance it would be {chance:.2f}. What tells most: {strongest}. A "
        "network may learn that instead of the disease.",
        accuracy=shortcut.accuracy,
        chance=shortcut.chance,
        strongest=_(shortcut.strongest),
    )
    if shortcut.by_patient:
        patients = _("No patient is in two folds.")
        sentence = f"{sentence} {patients}"
    title = _("Possible shortcut: file properties predict the class")
    return [Issue("shortcut", title, sentence, "warning", 1, [])]


def _sources(table: pd.DataFrame) -> list[Issue]:
    sources = spurious_correlations.sources(table)
    if sources is None or not sources.suspicious:
        return []
    examples = "; ".join(
        f"{c}: {', '.join(names)}" for c, names in sources.examples[:8]
    )
    sentence = _(
        "Folders and the form of file names alone tell the classes with a "
        "balanced accuracy of {accuracy:.2f}; by chance it would be "
        "{chance:.2f} ({examples}). A network sees no name. But if each "
        "class came from a place of its own, the images differ in more "
        "than disease: ask where they are from.",
        accuracy=sources.accuracy,
        chance=sources.chance,
        examples=examples,
    )
    title = _("Classes seem to come from different sources")
    return [Issue("sources", title, sentence, "ok", 1, [])]


def _few(report: DatasetReport) -> list[Issue]:
    issues = []
    images = {c: n.get("train", 0) for c, n in report.images.items()}
    few = [f"{c} ({n})" for c, n in images.items() if n < FEW_IMAGES]
    if few:
        sentence = _(
            "Training images: {few}. Expect wide intervals.", few=", ".join(few)
        )
        title = (
            _("Findings with few training images")
            if report.multi_label
            else _("Classes with few training images")
        )
        issues.append(Issue("few-images", title, sentence, "warning", len(few), []))
    if report.num_patients:
        people = {c: n.get("train", 0) for c, n in report.patients.items()}
        few = [f"{c} ({n})" for c, n in people.items() if 0 < n < FEW_PATIENTS]
        if few:
            sentence = _(
                "Patients in training: {few}. What is learnt may be theirs alone.",
                few=", ".join(few),
            )
            title = (
                _("Findings with few patients")
                if report.multi_label
                else _("Classes with few patients")
            )
            issues.append(Issue("few-patients", title, sentence, "warning", 1, []))
    return issues


def _unreadable(report: DatasetReport) -> list[Issue]:
    if not report.unreadable:
        return []
    sentence = _("They are left out; the list of files says why.")
    count = len(report.unreadable)
    return [
        Issue("unreadable", _("Files that cannot be read"), sentence, "ok", count, [])
    ]
