"""Data sets of the workspace, moved to its trash with all that was made of them.

Only folders that lie in `datasets` of the workspace can be deleted: imports, public
sets, the sample. A user's folder elsewhere, or one that is only linked here, is never
touched; of it the decoded pixels can be removed, which are made anew when needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medmodel.core import audit
from medmodel.core.errors import DataError, os_reason
from medmodel.core.locks import locked
from medmodel.data.folders import index_folder
from medmodel.data.prepared import prepared_folders
from medmodel.language import _
from medmodel.runs import run_index, trash
from medmodel.runs.folder_size import is_one_file_system
from medmodel.runs.run_entry import Entry
from medmodel.runs.run_store import RunStore
from medmodel.runs.trash import Discarded


@dataclass(frozen=True)
class DatasetUse:
    """Which runs read a data set's images.

    Args:
        active: Those that wait or work.
        ended: The others.
    """

    active: list[Entry]
    ended: list[Entry]


def is_deletable(folder: Path, store: RunStore) -> bool:
    """Whether a data set lies in the workspace itself, not behind a link."""
    datasets = store.root.resolve() / "datasets"
    return folder.resolve().parent == datasets and not folder.is_symlink()


def dataset_use(folder: Path, store: RunStore) -> DatasetUse:
    """The runs that were trained or tested on a folder or one within it."""
    place = folder.resolve()
    entries = [
        entry
        for entry in run_index.entries(store)
        if entry.config.dataset
        and Path(entry.config.dataset).resolve().is_relative_to(place)
    ]
    return DatasetUse(
        active=[e for e in entries if e.status.state.active],
        ended=[e for e in entries if not e.status.state.active],
    )


def delete_dataset(folder: Path, store: RunStore) -> str:
    """Moves a data set of the workspace, and what was made of it, into the trash.

    Args:
        folder: The data set's folder.
        store: The workspace's runs.

    Returns:
        Its id in the trash.

    Raises:
        DataError: It lies outside the workspace or on another disk, is gone, a run
            waits for it or reads it, a check is going on, or it cannot be moved.
    """
    _check_unused(folder, store)
    if not folder.is_dir():
        raise _gone(folder)
    if not is_deletable(folder, store):
        raise DataError(
            _(
                "{folder} does not lie in the workspace: nothing in it is ever "
                "deleted from here.",
                folder=folder,
            )
        )
    if not is_one_file_system(folder, store.root.stat().st_dev):
        raise DataError(
            _(
                "{folder} lies on another disk than the workspace, or another disk "
                "is mounted in it: remove it on the server itself.",
                folder=folder,
            )
        )
    beside = [index_folder(folder), *prepared_folders(folder)]
    return _discard(folder, "data set", folder, beside, store)


def delete_prepared(folder: Path, store: RunStore) -> str:
    """Moves a data set's decoded pixels into the trash; its images stay as they are.

    Returns:
        Its id in the trash.

    Raises:
        DataError: There are none, a run waits for them or reads them, or they cannot
            be moved.
    """
    _check_unused(folder, store)
    places = prepared_folders(folder)
    if not places:
        raise DataError(_("There are no decoded pixels of {name}.", name=folder.name))
    return _discard(places[0], "prepared", folder, places[1:], store)


def trashed_dataset(path: str, store: RunStore) -> Discarded | None:
    """The data set in the trash in which a folder lay that is not there any more."""
    folder = Path(path)
    if not path or folder.is_dir():
        return None
    for item in trash.discarded(store.root):
        place = store.root / item.place
        if item.kind == "data set" and folder.is_relative_to(place):
            return item
    return None


def _check_unused(folder: Path, store: RunStore) -> None:
    active = dataset_use(folder, store).active
    if active:
        raise DataError(
            _(
                "The run {title} needs {name}: stop it first, or wait until it has "
                "ended.",
                title=active[0].title,
                name=folder.name,
            )
        )
    index = index_folder(folder)
    if locked(index / "lock") or locked(index / "map.lock"):
        raise DataError(
            _(
                "{name} is being checked: wait until that has ended.",
                name=folder.name,
            )
        )
    if any(locked(place / "lock") for place in prepared_folders(folder)):
        raise DataError(
            _(
                "The images of {name} are being decoded: wait until that has ended.",
                name=folder.name,
            )
        )


def _discard(
    what: Path, kind: str, dataset: Path, beside: list[Path], store: RunStore
) -> str:
    try:
        item_id = trash.discard(store.root, what, kind, dataset.name, beside)
    except FileNotFoundError as error:
        raise _gone(dataset) from error
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be moved to the trash: {reason}.",
                name=dataset.name,
                reason=os_reason(error),
            )
        ) from error
    audit.record("delete", what=kind, dataset=str(dataset))
    return item_id


def _gone(folder: Path) -> DataError:
    return DataError(_("There is no folder {name} any more.", name=folder.name))
