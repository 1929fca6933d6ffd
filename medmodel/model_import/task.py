"""Background tasks that look at a foreign model, and that make a run of it.

imports/<id>/files/        what was sent
imports/<id>/facts.json    what it says of itself: `ModelDescription`
imports/<id>/asked.json    what the person says of it: `ImportSettings`
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from pathlib import Path

from medmodel.core import audit
from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError
from medmodel.core.locks import locked
from medmodel.core.processes.background import BackgroundTask
from medmodel.core.storage import read_as, write_json
from medmodel.language import N_, _, present_language
from medmodel.model_import import source
from medmodel.model_import.description import ImportSettings, ModelDescription

KEPT_SECONDS = 24 * 3600.0
"""After which what nobody imported is removed."""
_ID = re.compile(r"[0-9a-f]{16}")
_MODULE = "medmodel.inference.importing.import_model"


def begin(files: list[tuple[str, Path]]) -> str:
    """Copies a model's files in and starts to look at them.

    Args:
        files: (relative path as it was said, file).

    Returns:
        The import's id.

    Raises:
        DataError: It is too much, or a ZIP file cannot be unpacked.
        OSError: The disk is full or fails.
    """
    remove_leftovers()
    import_id = secrets.token_hex(8)
    place = _home() / import_id
    try:
        source.copy_in(files, place / "files")
    except BaseException:
        source.remove(place)
        raise
    look_task(import_id).start()
    return import_id


def folder_of(import_id: str) -> Path:
    """The folder of an import.

    Raises:
        DataError: There is none.
    """
    place = _home() / import_id
    if not _ID.fullmatch(import_id) or not place.is_dir():
        raise DataError(_("There is no such import any more: choose the file again."))
    return place


def look_task(import_id: str) -> BackgroundTask:
    """The task that ends with `description_of`."""
    return _task(import_id, "look")


def convert_task(import_id: str) -> BackgroundTask:
    """The task that ends with a run; its state's folder is the run's id."""
    return _task(import_id, "convert")


def _task(import_id: str, step: str) -> BackgroundTask:
    place = _home() / import_id
    return BackgroundTask(
        arguments=(_MODULE, step, str(place), present_language()),
        state_path=place / f"{step}.json",
        lock_path=place / f"{step}.lock",
        log_path=place / f"{step}.txt",
        interrupted=N_(
            "The model could not be read: it needs more memory or time than an import "
            "may take, or its file brings the library that reads it to a halt."
        ),
        unusable=N_("The model cannot be kept here"),
    )


def description_of(import_id: str) -> ModelDescription | None:
    """What the file says of itself; None before it was looked at.

    Raises:
        DataError: There is no such import.
    """
    return read_as(folder_of(import_id) / "facts.json", ModelDescription)


def convert(import_id: str, settings: ImportSettings) -> None:
    """Starts to make a run of the model.

    Raises:
        DataError: There is no such import.
        OSError: The disk is full or fails.
    """
    write_json(folder_of(import_id) / "asked.json", settings)
    audit.record("import_model", format=_format(import_id))
    convert_task(import_id).start()


def _format(import_id: str) -> str:
    description = description_of(import_id)
    return description.format if description else ""


def forget(import_id: str) -> None:
    """Removes an import's files; the run that was made of it stays."""
    if _ID.fullmatch(import_id):
        shutil.rmtree(_home() / import_id, ignore_errors=True)


def remove_leftovers() -> None:
    """Removes imports that nobody went on with."""
    for place in _home().glob("*") if _home().is_dir() else ():
        if not _ID.fullmatch(place.name) or not place.is_dir():
            continue
        old = time.time() - place.stat().st_mtime > KEPT_SECONDS
        if old and not any(map(locked, place.glob("*.lock"))):
            shutil.rmtree(place, ignore_errors=True)


def _home() -> Path:
    return workspace_root() / "imports"
