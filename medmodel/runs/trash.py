"""The trash of a workspace: what is deleted can be restored for seven days.

    trash/<id>/item.json     what it is, where it lay, when it was deleted
    trash/<id>/content/      the folder itself, moved, not copied

A move within one file system happens entirely or not at all, so of two who delete or
restore the same thing at the same moment one succeeds and the other is told.
"""

from __future__ import annotations

import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.errors import DataError
from medmodel.core.storage import read_if_whole, write_json
from medmodel.language import _

KEPT_SECONDS = 7 * 24 * 3600.0
"""How long something stays restorable."""


@dataclass(frozen=True)
class Discarded:
    """Something in the trash; the content of its item.json.

    Args:
        id: Name of its folder in the trash.
        kind: `"run"` or `"data set"`.
        title: What people called it.
        place: Where it lay, relative to the workspace.
        deleted: When, in seconds since 1970.
    """

    id: str
    kind: str
    title: str
    place: str
    deleted: float

    @property
    def days_left(self) -> int:
        """Whole days until it is removed, at least 0."""
        seconds = self.deleted + KEPT_SECONDS - time.time()
        return max(int(seconds // (24 * 3600)), 0)


def discard(workspace: Path, folder: Path, kind: str, title: str) -> str:
    """Moves a folder of the workspace into its trash; what is too old goes.

    Args:
        workspace: The workspace.
        folder: A folder in it.
        kind: What it is.
        title: What people call it.

    Returns:
        Its id in the trash.

    Raises:
        FileNotFoundError: The folder is gone already.
        OSError: It cannot be moved; it is where it was.
    """
    remove_expired(workspace)
    item_id = f"{int(time.time())}-{secrets.token_hex(4)}"
    place = _trash(workspace) / item_id
    place.mkdir(parents=True)
    try:
        inside = str(folder.relative_to(workspace))
        item = Discarded(item_id, kind, title, inside, time.time())
        write_json(place / "item.json", item)
        folder.rename(place / "content")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return item_id


def discarded(workspace: Path) -> list[Discarded]:
    """What can be restored, the latest first."""
    items = []
    for place in _places(workspace):
        item = _item(place)
        if item is not None and (place / "content").is_dir() and not _expired(item):
            items.append(item)
    return sorted(items, key=lambda item: (item.deleted, item.id), reverse=True)


def restore(workspace: Path, item_id: str) -> Path:
    """Moves something back to where it lay.

    Raises:
        DataError: It is not in the trash any more, or something else lies there now.
    """
    item = next((i for i in discarded(workspace) if i.id == item_id), None)
    if item is None:
        raise DataError(_("This is not in the trash any more."))
    back = workspace / item.place
    if not back.resolve().is_relative_to(workspace.resolve()):
        raise DataError(
            _(
                "{title} lay outside the workspace: it stays where it is.",
                title=item.title,
            )
        )
    if back.exists():
        raise DataError(
            _(
                "{title} cannot be restored: {place} exists again. Rename that "
                "folder first.",
                title=item.title,
                place=item.place,
            )
        )
    place = _trash(workspace) / item.id
    back.parent.mkdir(parents=True, exist_ok=True)
    try:
        (place / "content").rename(back)
    except FileNotFoundError as error:
        raise DataError(_("This is not in the trash any more.")) from error
    except OSError as error:
        raise DataError(
            _(
                "{title} cannot be restored: {reason}.",
                title=item.title,
                reason=error.strerror,
            )
        ) from error
    shutil.rmtree(place, ignore_errors=True)
    return back


def remove(workspace: Path, item_id: str) -> None:
    """Removes one thing of the trash for good; nothing where it is gone."""
    for place in _places(workspace):
        if place.name == item_id:
            _remove(place)


def empty(workspace: Path) -> None:
    """Removes everything in the trash for good."""
    for place in _places(workspace):
        _remove(place)


def remove_expired(workspace: Path) -> None:
    """Removes what has been in the trash for too long, and what is left of moves."""
    for place in _places(workspace):
        item = _item(place)
        age = time.time() - place.stat().st_mtime if place.exists() else 0.0
        # Without its description nobody could restore it; one may be about to arrive.
        if _expired(item) if item is not None else age > KEPT_SECONDS:
            _remove(place)


def _item(place: Path) -> Discarded | None:
    item = read_if_whole(place / "item.json", Discarded)
    return item if item is not None and item.id == place.name else None


def _expired(item: Discarded) -> bool:
    return time.time() - item.deleted > KEPT_SECONDS


def _remove(place: Path) -> None:
    """First out of sight, so that nobody restores half of it."""
    hidden = place.with_name(f".{place.name}")
    try:
        place.rename(hidden)
    except FileNotFoundError:
        return
    shutil.rmtree(hidden, ignore_errors=True)


def _places(workspace: Path) -> list[Path]:
    trash = _trash(workspace)
    if not trash.is_dir():
        return []
    return sorted(p for p in trash.iterdir() if not p.name.startswith("."))


def _trash(workspace: Path) -> Path:
    return workspace / "trash"
