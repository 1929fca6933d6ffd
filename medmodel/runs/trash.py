"""The trash of a workspace: what is deleted can be restored for seven days.

    trash/<id>/item.json     what it is, where it lay, when it was deleted
    trash/<id>/content/      the folder itself, moved, not copied
    trash/<id>/beside/<n>/   folders that belong to it, such as what is known about a
                             data set; without them it is restored all the same

A move within one file system happens entirely or not at all, so of two who delete or
restore the same thing at the same moment one succeeds and the other is told.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medmodel.core.errors import DataError, os_reason
from medmodel.core.storage import read_if_whole, write_json
from medmodel.language import _
from medmodel.runs.folder_size import folder_size

KEPT_SECONDS = 7 * 24 * 3600.0
"""How long something stays restorable."""


@dataclass(frozen=True)
class Discarded:
    """Something in the trash; the content of its item.json.

    Args:
        id: Name of its folder in the trash.
        kind: `"run"`, `"batch"`, `"data set"` or `"prepared"` (decoded pixels of a data
            set).
        title: What people called it.
        place: Where it lay, relative to the workspace.
        deleted: When, in seconds since 1970.
        size: Of its files together, in bytes; -1 where an earlier version deleted it.
        beside: Where the folders that belong to it lay, relative to the workspace.
    """

    id: str
    kind: str
    title: str
    place: str
    deleted: float
    size: int = -1
    beside: tuple[str, ...] = ()

    @property
    def days_left(self) -> int:
        """Days until it is removed, the last one begun counts; at least 0."""
        seconds = self.deleted + KEPT_SECONDS - time.time()
        return max(math.ceil(seconds / (24 * 3600)), 0)


def discard(
    workspace: Path,
    folder: Path,
    kind: str,
    title: str,
    beside: Sequence[Path] = (),
) -> str:
    """Moves a folder of the workspace into its trash; what is too old goes.

    Args:
        workspace: The workspace.
        folder: A folder in it.
        kind: What it is.
        title: What people call it.
        beside: Folders in the workspace that belong to it; they need not be there.

    Returns:
        Its id in the trash.

    Raises:
        FileNotFoundError: The folder is gone already.
        OSError: It cannot be moved; it is where it was.
    """
    remove_expired(workspace)
    item_id = f"{int(time.time())}-{secrets.token_hex(4)}"
    place = _trash(workspace) / item_id
    place.joinpath("beside").mkdir(parents=True)
    try:
        folders = [folder, *(p for p in beside if p.is_dir())]
        item = Discarded(
            id=item_id,
            kind=kind,
            title=title,
            place=str(folder.relative_to(workspace)),
            deleted=time.time(),
            size=sum(folder_size(each) for each in folders),
            beside=tuple(str(p.relative_to(workspace)) for p in folders[1:]),
        )
        write_json(place / "item.json", item)
        folder.rename(place / "content")
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    for source, target in _beside(workspace, item):
        with contextlib.suppress(OSError):  # It stays where it was: nothing is lost.
            source.rename(target)
    return item_id


def _beside(workspace: Path, item: Discarded) -> Iterator[tuple[Path, Path]]:
    """(place in the workspace, place in the trash) of what belongs to it."""
    for number, place in enumerate(item.beside):
        yield workspace / place, _trash(workspace) / item.id / "beside" / str(number)


def discarded(workspace: Path) -> list[Discarded]:
    """What can be restored, the latest first."""
    items = []
    for place in _places(workspace):
        item = _item(place)
        if item is not None and (place / "content").is_dir() and not _expired(item):
            items.append(item)
    return sorted(items, key=lambda item: (item.deleted, item.id), reverse=True)


def trash_size(workspace: Path) -> int:
    """Bytes that the trash takes, as noted when each item was deleted."""
    return sum(max(item.size, 0) for item in discarded(workspace))


def restore(workspace: Path, item_id: str) -> Path:
    """Moves something back to where it lay.

    Raises:
        DataError: It is not in the trash any more, or something else lies there now.
    """
    item = next((i for i in discarded(workspace) if i.id == item_id), None)
    if item is None:
        raise DataError(_("This is not in the trash any more."))
    back = workspace / item.place
    if not _inside(workspace, item):
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
        # Last what makes it an item of the trash: broken off, it can be tried again.
        for source, target in _beside(workspace, item):
            source.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # There is a newer one, or none.
                target.rename(source)
        (place / "content").rename(back)
    except FileNotFoundError as error:
        raise DataError(_("This is not in the trash any more.")) from error
    except OSError as error:
        raise DataError(
            _(
                "{title} cannot be restored: {reason}.",
                title=item.title,
                reason=os_reason(error),
            )
        ) from error
    shutil.rmtree(place, ignore_errors=True)
    return back


def _inside(workspace: Path, item: Discarded) -> bool:
    """Whether all of it lay in the workspace, whatever was written into item.json."""
    root = workspace.resolve()
    places = (root / place for place in (item.place, *item.beside))
    return all(place.resolve().is_relative_to(root) for place in places)


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
    for hidden in _trash(workspace).glob(".*"):  # whose removal was broken off
        shutil.rmtree(hidden, ignore_errors=True)


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
