"""Everything odd about a data set, as findings with one action each.

A finding names its files and what may be done about them; nothing is done unasked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medmodel.core import samples
from medmodel.language import SOURCE, _, speaking
from medmodel.quality import (
    burned_in,
    near_duplicates,
    patients,
    shortcuts,
    spurious_correlations,
)
from medmodel.quality.checks import DatasetReport, Level
from medmodel.quality.copy_issues import copy_issues
from medmodel.quality.file_issues import file_issues
from medmodel.quality.issues import Issue, issues_from_groups

if TYPE_CHECKING:
    import pandas as pd

    from medmodel.data.datasets import Index

FEW_IMAGES, FEW_PATIENTS = 20, 5
"""Training images and patients of a class below which little can be learnt."""


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
        *copy_issues("same", same, table),
        *copy_issues("near", measured.alike, table),
        *patients.in_two_splits(table),
        # Of several findings a patient may have one today and another tomorrow.
        *([] if index.multi_label else patients.in_two_classes(table)),
        *file_issues(table),
        *([] if index.multi_label else _classes(table, measured)),
        *_few(report),
        *_unreadable(report),
    ]
    order = ["problem", "warning", "ok"]
    return sorted(issues, key=lambda finding: order.index(finding.level))


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
