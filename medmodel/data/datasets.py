"""A folder of class folders becomes a table of images, and the table is kept.

Which folder means what is told by `layout`. Files are recognised by content. Nothing is
ever changed or deleted: what is left out is listed with the reason.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medmodel.core import pool, samples
from medmodel.core.config import Progress
from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError, ImageError
from medmodel.core.samples import Slicing
from medmodel.core.storage import replacing
from medmodel.data import curation, image_stats, layout
from medmodel.imaging import channels, images

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
    "frames": int,
    "seen": str,
    "series": int,
    **image_stats.COLUMNS,
    "error": str,
}
_DTYPES: dict[Hashable, Any] = {
    name: "int64" if kind is int else object for name, kind in _COLUMNS.items()
}
_REPEATED = {"label", "split", "format", "mode", "patient", "seen", "error"}
_VERSION = 5
_OLDER = ("1", "3", "4")
"""Versions whose tables can be shown, but are measured again by the next check."""
_NOT_AN_IMAGE = "-not an image"
_SCANS = ("DICOM", "NIfTI")
_KEEP_EVERY = 15.0
"""Seconds after which unfinished work is kept, should the process be killed."""

Row = tuple[Any, ...]
"""Values in the order of `_COLUMNS`."""


@dataclass(frozen=True)
class Index:
    """What lies in a data set's folder.

    Args:
        folder: Absolute path.
        table: One row per sample, see `samples`: `path` (its name, relative, posix),
            `label`, `split` ("" if the folder has none), `bytes`, `mtime_ns`, `format`,
            `mode`, `width`, `height`, `digest` (of the decoded pixels), `patient`
            (stand-in for the number in a DICOM header, else ""), `frames` (pictures or
            slices in the file), `seen` (how a scan became grey), `series` (volumes in
            the file), the columns of `facts`, `group` (what somebody wants kept
            together, else ""), `error` ("" if readable); sorted by path.
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
    slicing = curation.slicing(curation.actions(index_folder(folder)))
    known = _known_rows(folder, slicing)
    rows: dict[str, Row] = {}
    changed: list[layout.FileEntry] = []
    for file in found:
        old = known.get(samples.file_of(file.path), [])
        if old and all(_still_true(file, row) for row in old):
            rows |= {row["path"]: _row(file, row) for row in old}
        else:
            changed.append(file)
    _describe_changed(folder, changed, rows, slicing, (progress, cancelled))
    table, index = _assemble(folder, rows.values(), ignored)
    _check_classes(index)
    _keep(folder, "index.csv", table, slicing)
    (index_folder(folder) / "partial.csv").unlink(missing_ok=True)
    return index


def load_index(folder: Path, comparable: bool = False) -> Index | None:
    """What `index_dataset` kept, without a look at the folder; None if nothing.

    Where it must be `comparable`: not by an older version, whose digests are others.
    """
    kept = _read_kept(index_folder(folder) / "index.csv", () if comparable else _OLDER)
    return None if kept is None else _split_kept(folder.resolve(), kept[0])


def describe_files(
    paths: list[str], folder: str, slicing: dict[str, Any]
) -> list[list[dict[str, Any]]]:
    """What the table says of each file's samples: path, format, digest, error, ...

    Runs in the pool. An error that starts with "-" means: not an image, ignore it.
    """
    return [_describe(Path(folder), path, Slicing(**slicing)) for path in paths]


def _describe(folder: Path, path: str, slicing: Slicing) -> list[dict[str, Any]]:
    """The samples of one file; one that says why where there is none."""
    file = samples.located(folder / path)[0]
    try:
        with file.open("rb", buffering=0) as opened:
            known = images.recognised(opened.read(images.HEAD))
            if not known and not file.name.lower().endswith(layout.IMAGE_SUFFIXES):
                return [{**_described(_NOT_AN_IMAGE), "path": path}]
            images.check_bytes(os.fstat(opened.fileno()).st_size, file.name)
            opened.seek(0)
            content = opened.read()
        decoded = images.decode(content, file.name, axis=slicing.axis)
        parts = slicing.parts(decoded.format, decoded.frames)
        if parts == [None]:
            return [_facts_of(content, path, decoded)]
        return _describe_parts(content, samples.file_of(path), parts, slicing)
    except ImageError as error:
        reason = str(error)
    except OSError as error:
        reason = f"{file.name} cannot be opened: {error.strerror}."
    return [{**_described(reason), "path": path}]


def _describe_parts(
    content: bytes, file: str, parts: Sequence[samples.Part | None], slicing: Slicing
) -> list[dict[str, Any]]:
    """Each picture of a file that shows something.

    Raises:
        ImageError: None does.
    """
    found = []
    error: ImageError | None = None
    for part in parts:
        name = samples.join(file, part)
        frame = part.number if part else -1
        short = name.rpartition("/")[2]
        try:
            decoded = images.decode(content, short, frame=frame, axis=slicing.axis)
        except ImageError as refused:  # such as a frame of a single value
            error = refused
            continue
        found.append(_facts_of(b"", name, decoded))
    if not found and error is not None:
        raise error
    least = 0.0
    if slicing.only_shown and found[0]["format"] == "NIfTI":
        least = samples.EMPTY * max(row["spread"] for row in found)
    return [row for row in found if row["spread"] >= least]


def _facts_of(content: bytes, name: str, decoded: images.Decoded) -> dict[str, Any]:
    height, width, _ = decoded.pixels.shape
    pixels = channels.single_channel(decoded.pixels)
    return {
        "path": name,
        "format": decoded.format,
        "mode": decoded.mode,
        "width": width,
        "height": height,
        "digest": images.pixel_digest(pixels),
        "patient": decoded.patient,
        "frames": decoded.frames,
        "seen": decoded.seen,
        "series": decoded.series,
        **image_stats.measure(content, pixels, decoded.format),
        "error": "",
    }


def _described(error: str) -> dict[str, Any]:
    """The same for a file that holds no readable image."""
    nothing = {name: kind() for name, kind in _COLUMNS.items()}
    found = {n: v for n, v in nothing.items() if n not in layout.FileEntry._fields}
    return {**found, "patient": "", "error": error}


def _describe_changed(
    folder: Path,
    changed: Sequence[layout.FileEntry],
    rows: dict[str, Row],
    slicing: Slicing,
    told: tuple[Progress | None, Callable[[], bool] | None],
) -> None:
    """Opens the changed files and adds the rows of their samples."""
    progress, cancelled = told
    files = {file.path: file for file in changed}
    done = len({samples.file_of(path) for path in rows})
    total = done + len(files)
    kept_at = time.monotonic()
    answers = pool.map_chunks(
        describe_files, list(files), str(folder), slicing.to_json(), cancelled=cancelled
    )
    try:
        for paths, results in answers:
            crashed = _described("The decoder crashed over this file.")
            crash = [[{**crashed, "path": path}] for path in paths]
            for path, found in zip(paths, results or crash, strict=True):
                rows |= {row["path"]: _row(files[path], row) for row in found}
            done += len(paths)
            if progress:
                progress("checking", done, total)
            if time.monotonic() - kept_at > _KEEP_EVERY:
                _keep(folder, "partial.csv", _table(rows.values()), slicing)
                kept_at = time.monotonic()
    except BaseException:
        if done:
            _keep(folder, "partial.csv", _table(rows.values()), slicing)
        raise


def _still_true(file: layout.FileEntry, old: dict[str, Any]) -> bool:
    """Whether an earlier look at a file need not be repeated."""
    if (old["bytes"], old["mtime_ns"]) != (file.bytes, file.mtime_ns):
        return False
    if old["error"]:
        # What could not be read may be readable now: a right given, a disk mounted.
        return bool(old["error"] == _NOT_AN_IMAGE)
    # Rows of older versions have no hash, and do not know how many slices there are,
    # or volumes.
    known = old["frames"] and (old["series"] or old["format"] != "NIfTI")
    return bool(old["hash"] and (known or old["format"] not in _SCANS))


def _row(file: layout.FileEntry, described: dict[str, Any]) -> Row:
    """What folder or table say of a file, and what the file itself says.

    A table's patient counts before the header's.
    """
    patient = file.patient or described["patient"]
    told = file._replace(path=described["path"], patient=patient)
    return _in_order({**described, **told._asdict()})


def _in_order(values: dict[str, Any]) -> Row:
    """A row as it is kept: a fifth of a dictionary's size, and words only once."""
    return tuple(
        sys.intern(values[name]) if name in _REPEATED else values[name]
        for name in _COLUMNS
    )


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
        _row(
            layout.FileEntry(path, "", "", 0, 0),
            {**_described("-" + reason), "path": path},
        )
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


def _keep(folder: Path, name: str, table: pd.DataFrame, slicing: Slicing) -> None:
    choice = "" if slicing == Slicing() else f" {slicing.words()}"
    with replacing(index_folder(folder) / name) as file:
        file.write(f"# {_VERSION}{choice}\n")
        table.to_csv(file, index=False)


def _read_kept(
    path: Path, older: tuple[str, ...] = _OLDER
) -> tuple[pd.DataFrame, str] | None:
    """The rows, and the choice of slices in words; "" where nobody chose."""
    import pandas as pd

    try:
        with path.open(encoding="utf-8", newline="") as file:
            version, _, choice = file.readline().strip()[2:].partition(" ")
            if version not in (str(_VERSION), *older):
                return None
            rows = pd.read_csv(file, dtype=_DTYPES, keep_default_na=False)
            # The first version knew neither patients nor facts.
            for name in _COLUMNS.keys() - set(rows.columns):
                rows[name] = _COLUMNS[name]()
            if version != str(_VERSION):
                rows["hash"] = ""
            return rows, choice
    except FileNotFoundError:
        return None


def _known_rows(folder: Path, slicing: Slicing) -> dict[str, list[dict[str, Any]]]:
    """Rows of an earlier look at this folder, finished or not, by file."""
    known: dict[str, list[dict[str, Any]]] = {}
    wanted = "" if slicing == Slicing() else slicing.words()
    for name in ("index.csv", "partial.csv"):
        kept = _read_kept(index_folder(folder) / name)
        if kept is None:
            continue
        rows, choice = kept
        if choice != wanted:
            # Another choice of slices changes these files' samples, and no others.
            rows = rows[(rows["frames"] < 2) & (rows["format"] != "NIfTI")]
        records: list[dict[Any, Any]] = rows.to_dict("records")
        found: dict[str, list[dict[str, Any]]] = {}
        for row in records:
            found.setdefault(samples.file_of(row["path"]), []).append(row)
        known |= found
    return known
