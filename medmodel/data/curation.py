"""What a person decided about a data set: leave out, keep together, rename, slices.

Decisions are a list in actions.json beside the index, each of which can be taken back.
No file of the data set is ever changed; every table made of it respects the list.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from medmodel.core.errors import MALFORMED, DataError
from medmodel.core.locks import Lock
from medmodel.core.samples import Slicing, file_of
from medmodel.core.storage import read_as, write_json
from medmodel.language import SOURCE, _, speaking

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["leave_out", "together", "classes", "slices"]


@dataclass(frozen=True)
class Action:
    """One decision.

    Args:
        kind: `leave_out` drops `groups`' files; `together` keeps each group in one
            split (the first that one of its files has: train, val, test); `classes`
            renames by `names`; `slices` takes samples from volumes by `slicing`.
        reason: Why, in words.
        groups: Lists of relative paths.
        names: Class -> new name; the same for two merges them, "" leaves one out.
        slicing: Fields of `samples.Slicing`.
        id: Tells it from others.
        time: When, in seconds since 1970.
    """

    kind: Kind
    reason: str
    groups: list[list[str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    slicing: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    time: float = field(default_factory=time.time)


@dataclass(frozen=True)
class _ActionsFile:
    """What actions.json holds."""

    all: list[Action]


def actions(place: Path) -> list[Action]:
    """The decisions kept in a folder of the index, oldest first.

    Raises:
        DataError: The file that holds them is damaged.
    """
    path = place / "actions.json"
    try:
        kept = read_as(path, _ActionsFile)
        decided = [] if kept is None else kept.all
        slicing(decided)
        return decided
    except MALFORMED as error:
        # To go on without it would bring back what somebody left out.
        raise DataError(
            _(
                "What was decided about this data set cannot be read: {path} is "
                "damaged. Restore it from a backup, or remove it and decide again.",
                path=path,
            )
        ) from error


def slicing(decided: list[Action]) -> Slicing:
    """Which slices count: what was decided last."""
    import msgspec  # here: processes that decode images read no decisions

    chosen = [action for action in decided if action.kind == "slices"]
    return msgspec.convert(chosen[-1].slicing, Slicing) if chosen else Slicing()


def add(place: Path, action: Action) -> None:
    """Keeps one more decision."""
    with _alone(place):
        _write(place, [*actions(place), action])


def undo(place: Path, action_id: str) -> None:
    """Takes a decision back; nothing happens if it is not there any more."""
    with _alone(place):
        _write(place, [a for a in actions(place) if a.id != action_id])


def _alone(place: Path) -> Lock:
    """Two people may decide at once: neither's decision may be lost."""
    return Lock(place / "actions.lock")


def _write(place: Path, actions: list[Action]) -> None:
    write_json(place / "actions.json", {"all": [asdict(action) for action in actions]})


@speaking(SOURCE)  # Reasons are kept for all sessions.
def apply(
    table: pd.DataFrame, decided: list[Action]
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """A table of images as the decisions want it.

    Args:
        table: Columns `path`, `label`, `split` and others.
        decided: Oldest first.

    Returns:
        The table with a column `group` (files with the same one stay together, ""
        alone), and (path, reason) of what is left out. What is said of a file holds
        for all of its samples.
    """
    table = table.assign(group="")
    file = table["path"].map(file_of)
    out: dict[str, str] = {}
    for action in decided:
        if action.kind == "leave_out":
            paths = [path for group in action.groups for path in group]
            out |= dict.fromkeys(paths, _("left out: {reason}", reason=action.reason))
        elif action.kind == "together":
            _keep_together(table, file, action)
        elif action.kind == "classes":
            dropped = [old for old, new in action.names.items() if not new]
            gone = table.loc[table["label"].isin(dropped), "path"]
            out |= dict.fromkeys(gone, _("left out: its class is not used"))
            table["label"] = table["label"].replace(
                {old: new for old, new in action.names.items() if new}
            )
    known = table["path"].where(table["path"].isin(list(out)), file)
    leave = known.isin(list(out))
    left = list(zip(table.loc[leave, "path"], known[leave].map(out), strict=True))
    return table[~leave].reset_index(drop=True), left


def _keep_together(table: pd.DataFrame, file: pd.Series, action: Action) -> None:
    """Gives each group's files the same `group`, and the same split."""
    place = {p: f"{action.id} {n}" for n, g in enumerate(action.groups) for p in g}
    known = table["path"].where(table["path"].isin(list(place)), file)
    rows = known.isin(list(place))
    group = known[rows].map(place)
    table.loc[rows, "group"] = group
    order = {"train": 0, "": 1, "val": 2, "test": 3}
    names = list(order)
    first = table.loc[rows, "split"].map(order).groupby(group).transform("min")
    table.loc[rows, "split"] = first.map(lambda n: names[n])
