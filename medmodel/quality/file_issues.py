"""Files that are odd: by themselves, or far from the others of their data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medmodel.core import samples
from medmodel.imaging.decoded_image import FRAMES_TEXT
from medmodel.language import _
from medmodel.quality.checks import Level
from medmodel.quality.issues import Act, Issue, issues_from_groups

if TYPE_CHECKING:
    import pandas as pd

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


def file_issues(table: pd.DataFrame) -> list[Issue]:
    """What is said of files.

    Args:
        table: Rows of `Index.readable`.
    """
    return [
        *_single_files(table),
        *_outliers(table),
        *_windows(table),
        *_several(table),
        *_series(table),
        *_missing_frames(table),
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
