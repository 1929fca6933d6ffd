"""Folders that may be looked at: those under the allowed roots."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

from medmodel.core.environment import data_roots, workspace_root
from medmodel.core.errors import DataError, RunError
from medmodel.language import _
from medmodel.runs.run_store import RunStore


def index_folder(folder: Path) -> Path:
    """Where the workspace keeps what is known about a data set's folder."""
    key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:20]
    return workspace_root() / "indexes" / key


def allowed(path: Path) -> bool:
    """Whether a path, with every link followed, lies in or under an allowed root."""
    resolved = path.resolve()
    return any(resolved.is_relative_to(root) for root in data_roots())


def is_text_name(name: str) -> bool:
    """Whether a file's name can be shown, kept in a table and written again.

    Spaces and joiners of all scripts can. Control characters, half characters and the
    marks that turn the direction of what follows cannot, nor can nothing but blanks.
    """
    categories = {unicodedata.category(c) for c in name}
    turning = any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in name)
    visible = categories - {"Zs", "Cf"}
    return bool(visible) and not (turning or categories & {"Cc", "Cs", "Zl", "Zp"})


def safe_folder(text: str) -> Path:
    """The existing folder that a person or a link names.

    Args:
        text: An absolute path, or one relative to an allowed root.

    Raises:
        DataError: There is no such folder, or it lies outside the allowed roots. The
            sentence is the same: what lies outside is nobody's business.
    """
    try:
        named = [root / text.strip() for root in data_roots() if text.strip()]
        for path in named:
            if path.is_dir() and allowed(path) and _has_text_name(path):
                return path.resolve()
    except (OSError, ValueError, RuntimeError):
        # A name too long, a zero byte, a loop of links, no permission.
        pass
    raise DataError(
        _(
            "There is no folder '{text}' among the data folders of this server "
            "(MEDMODEL_DATA).",
            text=text,
        )
    )


def subfolders(path: Path) -> list[Path]:
    """The visible folders in a folder, by name; empty if it cannot be read."""
    try:
        named = [p for p in path.iterdir() if not p.name.startswith(".")]
    except OSError:
        return []
    return sorted(filter(_usable, named), key=lambda p: p.name.casefold())


def _usable(path: Path) -> bool:
    try:
        return path.is_dir() and allowed(path) and _has_text_name(path)
    except (OSError, RuntimeError):  # not to be looked at, or a loop of links
        return False


def _has_text_name(path: Path) -> bool:
    """Whether a path is text: older systems left bytes that no page can show."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def recent_datasets(store: RunStore, limit: int = 6) -> list[Path]:
    """Folders that the latest runs were trained on, latest first, those still there.

    Runs whose settings cannot be read are left out; the list of runs names them.
    """
    folders: dict[Path, None] = {}
    for run in store.list()[:50]:
        try:
            folders.setdefault(safe_folder(run.config.dataset))
        except (DataError, RunError):
            continue
        if len(folders) == limit:
            break
    return list(folders)
