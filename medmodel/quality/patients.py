"""What is odd about whom the images show: people in two splits, or in two classes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from medmodel.language import _
from medmodel.quality.checks import Level
from medmodel.quality.issues import Issue, issues_from_groups

if TYPE_CHECKING:
    import pandas as pd

BY_DESIGN = 0.5
"""Share of patients in two classes from which this is how the images were collected."""
_SHOWN_FILES = 24
"""Files of one patient that are named; a scan may have a thousand."""


def in_two_splits(table: pd.DataFrame) -> list[Issue]:
    """Patients that headers or a table name, in more than one split.

    Args:
        table: Columns `path`, `patient_header`, `split`.
    """
    with_patient = table[table["patient_header"] != ""]
    tested: list[list[str]] = []
    validated: list[list[str]] = []
    for _patient, group in with_patient.groupby("patient_header"):
        splits = set(group["split"])
        if len(splits) > 1:
            (tested if "test" in splits else validated).append(group["path"].tolist())
    return [
        *issues_from_groups(
            "patients",
            _("Patients in the test split and in training or validation"),
            _("Images of one person on both sides make the test too easy."),
            "problem",
            tested,
            "together",
        ),
        *issues_from_groups(
            "patients-validation",
            _("Patients in training and validation"),
            _("Validation looks better than it is. None of them has a test image."),
            "warning",
            validated,
            "together",
        ),
    ]


def in_two_classes(table: pd.DataFrame) -> list[Issue]:
    """Patients with images in more than one class.

    That may be right: of one scan some slices show the lesion, others do not. Where
    the class is a property of the person, it is a wrong label. Which of the two it is
    no file tells, so there is no action: images that are left out for it would be
    missing where the class is hard to tell.

    Args:
        table: Columns `path`, `label`, `patient` ("" if unknown) and `patient_header`.
    """
    with_patient = table[table["patient"] != ""]
    classes = with_patient.groupby("patient")["label"].transform("nunique")
    both = with_patient[classes > 1]
    groups = [_alternating(group) for _patient, group in both.groupby("patient")]
    total = with_patient["patient"].nunique()
    level: Level = "ok" if len(groups) > BY_DESIGN * total else "warning"
    named = both.loc[both["patient_header"] == "", "patient"].nunique()
    sentence = _sentence(both, len(groups), total, named)
    title = _("Patients in more than one class")
    return issues_from_groups("patient-classes", title, sentence, level, groups)


def _sentence(both: pd.DataFrame, count: int, total: int, named: int) -> str:
    """What it means; `named` of these patients are known by file names alone."""
    pairs = Counter(
        " + ".join(sorted(labels))
        for labels in both.groupby("patient")["label"].unique()
    )
    where = ", ".join(f"{pair} ({n:,})" for pair, n in pairs.most_common(3))
    if len(pairs) > 3:
        where += ", …"
    sentence = _(
        "{patients:,} of {total:,} patients, with {images:,} images: {classes}. Right "
        "where the class tells what an image shows, such as slices with and without a "
        "lesion. Where it tells what a person has, some labels are wrong. Splits that "
        "are drawn here keep each patient whole.",
        patients=count,
        total=total,
        images=len(both),
        classes=where,
    )
    if named:
        by_name = _(
            "Patients are read from file names here: if numbers begin anew in each "
            "class, these are different people, and the pattern should say so."
        )
        sentence = f"{sentence} {by_name}"
    return sentence


def _alternating(group: pd.DataFrame) -> list[str]:
    """A patient's files, one of each class first: so the images show two classes."""
    turn = group.groupby("label").cumcount()
    ordered = group.assign(turn=turn).sort_values(["turn", "label", "path"])
    paths: list[str] = ordered["path"].tolist()
    return paths[:_SHOWN_FILES]
