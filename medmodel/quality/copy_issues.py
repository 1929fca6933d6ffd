"""Copies among images: which lie under two labels, or in two splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from medmodel.language import N_, _
from medmodel.quality.issues import Issue, issues_from_groups

if TYPE_CHECKING:
    import pandas as pd


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


def copy_issues(
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
