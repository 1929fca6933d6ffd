"""A folder of class folders becomes a table of images, and the table is kept.

Which folder means what is told by `layout`. Files are recognised by content. Nothing is
ever changed or deleted: what is left out is listed with the reason.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medmodel import curation, facts, images, layout, pool
from medmodel.config import Progress, workspace_root
from medmodel.errors import DataError, ImageError
from medmodel.storage import replacing

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: dict[str, type] = {
    "path": str,
    "label": str,
    "split": str,
    "bytes": int,
    "mtime_ns": int,
    "format": str,
    "mode": str,
    "width": int,
    "height": int,
    "digest": str,
    "patient": str,
    **facts.COLUMNS,
    "error": str,
}
_DTYPES: dict[Hashable, Any] = {
    name: "int64" if kind is int else object for name, kind in _COLUMNS.items()
}
_VERSION = 3
_NOT_AN_IMAGE = "-not an image"
_KEEP_EVERY = 15.0
"""Seconds after which unfinished work is kept, should the process be killed."""


@dataclass(frozen=True)
class Index:
    """What lies in a data set's folder.

    Args:
        folder: Absolute path.
        table: One row per image file: `path` (relative, posix), `label`, `split`
            ("" if the folder has none), `bytes`, `mtime_ns`, `format`, `mode`, `width`,
            `height`, `digest` (of the decoded pixels), `patient` (stand-in for the
            number in a DICOM header, else ""), the columns of `facts`, `group` (what
            somebody wants kept together, else ""), `error` ("" if readable);
            sorted by path.
        ignored: Columns `path`, `reason`: everything that is left out.
    """

    folder: Path
    table: pd.DataFrame
    ignored: pd.DataFrame

    @property
    def readable(self) -> pd.DataFrame:
        """The rows of images that can be read."""
        return self.table[self.table["error"] == ""]

    @property
    def classes(self) -> list[str]:
        """Names of the classes that have a readable image, sorted."""
        return sorted(set(self.readable["label"]))

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change when an image, a label or a split does."""
        digest = hashlib.blake2b(digest_size=16)
        # A header's patient decides where an image may go; "" leaves older ones equal.
        columns = ("path", "label", "split", "digest")
        for row in zip(*(self.readable[c] for c in columns), strict=True):
            digest.update("\0".join(row).encode() + b"\n")
        for column in ("patient", "group"):
            digest.update("".join(self.readable[column]).encode())
        return digest.hexdigest()


def index_folder(folder: Path) -> Path:
    """Where the workspace keeps what is known about a data set's folder."""
    key = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:20]
    return workspace_root() / "indexes" / key


def index_dataset(
    folder: Path,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Index:
    """Looks at every file of a data set; opens only those that changed since.

    Raises:
        DataError: The folder is gone, or holds fewer than two classes with images.
        Cancelled: `cancelled()` became true; what was finished is kept.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise DataError(f"The data set's folder {folder} does not exist.")
    if progress:
        progress("listing", 0, 0)
    found, ignored = layout.list_files(folder)
    known = _known_rows(folder)
    rows: dict[str, dict[str, Any]] = {}
    changed: list[layout.Found] = []
    for file in found:
        old = known.get(file.path)
        same = old and (old["bytes"], old["mtime_ns"]) == (file.bytes, file.mtime_ns)
        # What could not be read may be readable now: a right given, a disk mounted.
        kept = old and old["error"] in ("", _NOT_AN_IMAGE)
        # Rows of an older version have no hash.
        if old and same and kept and (old["hash"] or old["error"]):
            rows[file.path] = _row(file, old)
        else:
            changed.append(file)
    _describe_changed(folder, changed, rows, progress, cancelled)
    table, index = _assemble(folder, rows.values(), ignored)
    _check_classes(index)
    _keep(folder, "index.csv", table)
    (index_folder(folder) / "partial.csv").unlink(missing_ok=True)
    return index


def load_index(folder: Path) -> Index | None:
    """What `index_dataset` kept, without a look at the folder; None if nothing."""
    rows = _read_kept(index_folder(folder) / "index.csv")
    return None if rows is None else _split_kept(folder.resolve(), rows)


def describe_files(paths: list[str], folder: str) -> list[dict[str, Any]]:
    """What the table says of each file: format, mode, width, height, digest, error.

    Runs in the pool. An error that starts with "-" means: not an image, ignore it.
    """
    return [_describe(Path(folder, path)) for path in paths]


def _describe(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            head = file.read(images.HEAD)
        if not images.recognised(head) and not path.name.lower().endswith(
            layout.IMAGE_SUFFIXES
        ):
            return _described(_NOT_AN_IMAGE)
        decoded = images.decode(path)
    except ImageError as error:
        return _described(str(error))
    except OSError as error:
        return _described(f"{path.name} cannot be opened: {error.strerror}.")
    height, width, _ = decoded.pixels.shape
    return {
        "format": decoded.format,
        "mode": decoded.mode,
        "width": width,
        "height": height,
        "digest": images.pixel_digest(decoded.pixels),
        "patient": decoded.patient,
        **facts.measure(path, decoded.pixels, decoded.format),
        "error": "",
    }


def _described(error: str) -> dict[str, Any]:
    """The same for a file that holds no readable image."""
    nothing = {name: kind() for name, kind in _COLUMNS.items()}
    found = {n: v for n, v in nothing.items() if n not in layout.Found._fields}
    return {**found, "patient": "", "error": error}


def _describe_changed(
    folder: Path,
    changed: Sequence[layout.Found],
    rows: dict[str, dict[str, Any]],
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Opens the changed files and adds their rows."""
    files = {file.path: file for file in changed}
    total, done = len(rows) + len(files), len(rows)
    kept_at = time.monotonic()
    answers = pool.map_chunks(
        describe_files, list(files), str(folder), cancelled=cancelled
    )
    try:
        for paths, results in answers:
            crashed = _described("The decoder crashed over this file.")
            for path, result in zip(paths, results or [crashed], strict=True):
                rows[path] = _row(files[path], result)
            done += len(paths)
            if progress:
                progress("checking", done, total)
            if time.monotonic() - kept_at > _KEEP_EVERY:
                _keep(folder, "partial.csv", _table(rows.values()))
                kept_at = time.monotonic()
    except BaseException:
        if done:
            _keep(folder, "partial.csv", _table(rows.values()))
        raise


def _row(file: layout.Found, described: dict[str, Any]) -> dict[str, Any]:
    """What folder or table say of a file, and what the file itself says.

    A table's patient counts before the header's.
    """
    patient = file.patient or described["patient"]
    return {**described, **file._asdict(), "patient": patient}


def _check_classes(index: Index) -> None:
    classes = index.classes
    if len(classes) >= 2:
        return
    found = f"only the class {classes[0]!r}" if classes else "no class with images"
    broken = int((index.table["error"] != "").sum())
    more = f" {broken} files cannot be read." if broken else ""
    raise DataError(
        f"{index.folder.name} holds {found}: there must be one folder per class, with "
        f"images in at least two.{more}"
    )


def _assemble(
    folder: Path, rows: Any, ignored: list[tuple[str, str]]
) -> tuple[pd.DataFrame, Index]:
    """The table as kept (ignored files included) and the index made of it."""
    extra = [
        {**layout.Found(path, "", "", 0, 0)._asdict(), **_described("-" + reason)}
        for path, reason in ignored
    ]
    table = _table([*rows, *extra])
    return table, _split_kept(folder, table)


def _table(rows: Any) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=list(_COLUMNS))
    return table.astype(_DTYPES).sort_values("path", ignore_index=True)


def _split_kept(folder: Path, rows: pd.DataFrame) -> Index:
    import pandas as pd

    left_out = rows["error"].str.startswith("-")
    ignored = rows.loc[left_out, ["path", "error"]]
    ignored = ignored.rename(columns={"error": "reason"})
    ignored["reason"] = ignored["reason"].str.slice(1)
    table, dropped = curation.apply(
        rows[~left_out].reset_index(drop=True), curation.actions(index_folder(folder))
    )
    extra = pd.DataFrame(dropped, columns=["path", "reason"])
    return Index(folder, table, pd.concat([ignored, extra], ignore_index=True))


def _keep(folder: Path, name: str, table: pd.DataFrame) -> None:
    with replacing(index_folder(folder) / name) as file:
        file.write(f"# {_VERSION}\n")
        table.to_csv(file, index=False)


def _read_kept(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    try:
        with path.open(encoding="utf-8", newline="") as file:
            version = file.readline().strip()
            if version not in (f"# {_VERSION}", "# 1"):
                return None
            rows = pd.read_csv(file, dtype=_DTYPES, keep_default_na=False)
            # The first version knew neither patients nor facts.
            for name in _COLUMNS.keys() - set(rows.columns):
                rows[name] = _COLUMNS[name]()
            return rows
    except FileNotFoundError:
        return None


def _known_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of an earlier look at this folder, finished or not, by path."""
    known: dict[str, dict[str, Any]] = {}
    for name in ("index.csv", "partial.csv"):
        rows = _read_kept(index_folder(folder) / name)
        if rows is not None:
            records: list[dict[Any, Any]] = rows.to_dict("records")
            known |= {row["path"]: row for row in records}
    return known
