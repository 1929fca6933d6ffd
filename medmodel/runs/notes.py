"""Notes on a run: tags, a line of text, and whether it is pinned.

Kept as notes.json in the run's folder, which no worker ever writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from medmodel.core import audit
from medmodel.core.errors import FileError, RunError, os_reason
from medmodel.core.storage import damaged, read_as, set_aside, write_json
from medmodel.language import _
from medmodel.runs.run import Run

FILE = "notes.json"
LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 2000, 40, 12


@dataclass(frozen=True)
class Notes:
    """What people noted on one run.

    Args:
        tags: Words to find it by, each at most 40 characters, at most 12, sorted.
        note: Free text, at most 2,000 characters.
        pinned: Whether it stands above the others.
    """

    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False


def notes_of(run: Run) -> Notes:
    """The run's notes; empty where there are none.

    Raises:
        FileError: They cannot be read, or are not as this program writes them.
    """
    path = run.folder / FILE
    notes = read_as(path, Notes) or Notes()
    try:
        _check_note(notes.note)
        tags = _checked(notes.tags)
    except RunError as error:
        raise damaged(path, error) from error
    return replace(notes, tags=tags)


def change_notes(
    run: Run,
    tags: Iterable[str] | None = None,
    note: str | None = None,
    pinned: bool | None = None,
) -> Notes:
    """Changes what is given, and keeps the rest as somebody else may have left it.

    A file that cannot be read stays, as notes.json.damaged.

    Raises:
        RunError: The run is gone, a text is too long, or the disk is full.
    """
    changes: dict[str, Any] = {}
    if tags is not None:
        changes["tags"] = _checked(tags)
    if note is not None:
        _check_note(note)
        changes["note"] = note.strip()
    if pinned is not None:
        changes["pinned"] = pinned
    # Two people may note something on one run: none of it may be lost.
    with run.notes_lock:
        if not run.folder.is_dir():
            raise RunError(_("There is no run {id} any more.", id=run.id))
        try:
            before = _read_or_set_aside(run)
            after = replace(before, **changes)
            if after == before:
                return before
            write_json(run.folder / FILE, after)
        except OSError as error:
            raise RunError(
                _(
                    "The notes of {title} cannot be written: {reason}.",
                    title=run.title,
                    reason=os_reason(error),
                )
            ) from error
    # How much was noted, not what: it may name somebody.
    audit.record(
        "note",
        run=run.id,
        tags=len(after.tags),
        characters=len(after.note),
        pinned=after.pinned,
    )
    return after


def _read_or_set_aside(run: Run) -> Notes:
    try:
        return notes_of(run)
    except FileError:
        set_aside(run.folder / FILE)
        return Notes()


def _check_note(note: str) -> None:
    if len(note) > LONGEST_NOTE:
        raise RunError(
            _(
                "A note has at most {characters:,} characters.",
                characters=LONGEST_NOTE,
            )
        )


def _checked(tags: Iterable[str]) -> tuple[str, ...]:
    cleaned = sorted({" ".join(tag.split()) for tag in tags} - {""})
    if len(cleaned) > MOST_TAGS:
        raise RunError(_("A run has at most {tags} tags.", tags=MOST_TAGS))
    if any(len(tag) > LONGEST_TAG for tag in cleaned):
        raise RunError(
            _("A tag has at most {characters} characters.", characters=LONGEST_TAG)
        )
    return tuple(cleaned)
