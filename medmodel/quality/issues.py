"""What a finding about a data set is: files, what is odd about them, one action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medmodel.data import curation
from medmodel.language import N_
from medmodel.quality.checks import DatasetReport, Level

Act = Literal["", "leave_out", "together"]
_SHOWN_GROUPS = 2000
"""Groups of a finding that are kept; there may be as many as images."""

VERDICTS: dict[Level, tuple[str, str]] = {
    "ok": (N_("No problems found"), N_("None of the checks speaks against training.")),
    "warning": (
        N_("Check before training"),
        N_("There is something to look at first."),
    ),
    "problem": (
        N_("Data leakage found"),
        N_("Test images are not independent of the training and validation images."),
    ),
    "unsplit": (N_("No split possible"), N_("Nothing can be trained on it as it is.")),
}


@dataclass(frozen=True)
class Issue:
    """Something odd.

    Args:
        kind: Which check found it.
        title: In a few words.
        sentence: What it means.
        level: How bad it is.
        count: Number of files, pairs or groups, as the title says.
        groups: The files: those that belong together in one list; for single files
            lists of one. At most `_SHOWN_GROUPS`.
        act: What the action does with `acted`; empty if there is none.
        acted: Files that the action is about, grouped.
    """

    kind: str
    title: str
    sentence: str
    level: Level
    count: int
    groups: list[list[str]]
    act: Act = ""
    acted: list[list[str]] | None = None

    def action(self) -> curation.Action | None:
        """What the button does."""
        if not self.act:
            return None
        return curation.Action(self.act, self.title.lower(), self.acted or self.groups)


def verdict(report: DatasetReport, findings: Sequence[Issue]) -> Level:
    """The worst of all findings; too few images are one."""
    levels = [report.level, *(finding.level for finding in findings)]
    if report.sample_size_warnings:
        levels.append("warning")
    return max(levels, key=lambda level: list(VERDICTS).index(level))


def issues_from_groups(
    kind: str,
    title: str,
    sentence: str,
    level: Level,
    groups: list[list[str]],
    act: Act = "",
    acted: list[list[str]] | None = None,
) -> list[Issue]:
    """One finding, or none where there are no groups.

    Args:
        kind: As in `Finding`, like all that follow.
        title: In a few words.
        sentence: What it means.
        level: How bad it is.
        groups: The files; they are counted.
        act: What the action does, if there is one.
        acted: What it does it to, where that is not `groups`.
    """
    if not groups:
        return []
    if act and acted is None and len(groups) > _SHOWN_GROUPS:
        acted = groups
    shown = groups[:_SHOWN_GROUPS]
    return [Issue(kind, title, sentence, level, len(groups), shown, act, acted)]
