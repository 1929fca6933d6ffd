"""Index of a data set: a folder of class folders becomes a table of samples.

Which folder means what is told by `layout`; `describe` opens the files; `index_table`
keeps the table. Nothing is ever changed or deleted: what is left out is listed with the
reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medmodel.core import samples
from medmodel.core.errors import MALFORMED, DataError, FileError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.processes import pool
from medmodel.core.samples import Slicing
from medmodel.core.storage import read_as, read_json, write_json
from medmodel.data import curation, layout
from medmodel.data.describe import NOT_AN_IMAGE, describe_files, without_image
from medmodel.data.folders import index_folder
from medmodel.data.index_table import (
    OLDER_VERSIONS,
    SAME_DIGESTS,
    SampleRow,
    compact,
    read_table,
    rows_by_file,
    to_table,
    write_table,
)
from medmodel.data.layout import FileEntry
from medmodel.data.layouts.layout_choice import LayoutChoice, load_choice, save_choice
from medmodel.data.layouts.left_out import left_out
from medmodel.data.multi_label.findings import findings_of
from medmodel.data.segmentation import pairs
from medmodel.language import SOURCE, _, speaking

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("medmodel.data.datasets")
_SCANS = ("DICOM", "NIfTI")
_TABLE, _PARTIAL, _REJECTED = "index.csv", "partial.csv", "rejected.csv"
"""The finished table, that of a check that goes on, and that of one that failed."""
_SENTENCES = "layout_sentences.json"
"""What was read as what."""
_FINDINGS = "multi_label.json"
"""Of a data set of several findings on an image: which there are."""
_KEEP_EVERY = 15.0
"""Seconds after which unfinished work is kept, should the process be killed."""


@dataclass(frozen=True)
class Index:
    """What lies in a data set's folder.

    Args:
        folder: Absolute path.
        table: One row per sample: the fields of `SampleRow`, and `group` (what
            somebody wants kept together, else ""); sorted by path.
        ignored: Columns `path`, `reason`: everything that is left out.
        multi_label: Whether an image may have several findings, or none; labels are
            then as from `join_findings`.
    """

    folder: Path
    table: pd.DataFrame
    ignored: pd.DataFrame
    multi_label: bool = False

    @property
    def readable(self) -> pd.DataFrame:
        """The rows of images that can be read."""
        return self.table[self.table["error"] == ""]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, or findings, that have a readable image, sorted."""
        labels = set(self.readable["label"])
        return findings_of(labels) if self.multi_label else sorted(labels)

    @property
    def has_classes(self) -> bool:
        """Whether there are classes of images to tell apart, and not only masks."""
        return self.classes != [pairs.LABEL]

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change when an image, a label or a split does."""
        digest = hashlib.blake2b(digest_size=16)
        # A header's patient decides where an image may go; "" leaves older ones equal.
        columns = ("path", "label", "split", "digest")
        if self.multi_label:
            digest.update(b"multi-label\n")
        for row in zip(*(self.readable[c] for c in columns), strict=True):
            digest.update("\0".join(row).encode() + b"\n")
        for column in ("patient", "group"):
            digest.update("".join(self.readable[column]).encode())
        return digest.hexdigest()


@speaking(SOURCE)  # Its errors and reasons are kept for all sessions.
def index_dataset(
    folder: Path,
    job: Job = UNATTENDED,
) -> Index:
    """Looks at every file of a data set; opens only those that changed since.

    Raises:
        DataError: The folder is gone, or holds neither two classes with images nor
            images with segmentation masks.
        Cancelled: By the job; what was finished is kept.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise DataError(
            _("The data set's folder {folder} does not exist.", folder=folder)
        )
    job.progress("listing", 0, 0)
    files, ignored, sentences, choice, findings = layout.read_layout(folder)
    place = index_folder(folder)
    slicing = curation.slicing(curation.actions(place))
    old_rows = rows_by_file([place / _TABLE, place / _PARTIAL], slicing)
    rows: dict[str, SampleRow] = {}
    changed: list[FileEntry] = []
    for file in files:
        old = old_rows.get(samples.file_of(file.path), [])
        if old and all(_still_true(file, row) for row in old):
            rows |= {row.path: _relabelled(row, file) for row in old}
        else:
            changed.append(file)
    del old_rows
    _describe_changed(folder, changed, rows, slicing, job)
    left_out = [SampleRow(path, error="-" + reason) for path, reason in ignored]
    table = to_table([*rows.values(), *left_out])
    index = _to_index(folder, table, bool(findings))
    if load_choice(folder) != choice:  # somebody chose meanwhile
        return index_dataset(folder, job)
    if len(index.classes) < 2 and index.has_classes:
        write_table(place / _REJECTED, table, slicing)
        raise DataError(_too_few_classes(index))
    write_json(place / _SENTENCES, sentences)
    _keep_findings(place, findings)
    write_table(place / _TABLE, table, slicing)
    for name in (_PARTIAL, _REJECTED):
        (place / name).unlink(missing_ok=True)
    return index


def load_index(folder: Path, comparable: bool = False) -> Index | None:
    """What `index_dataset` kept, without a look at the folder; None if nothing.

    Where it must be `comparable`: not by a version whose digests are others.
    """
    older = SAME_DIGESTS if comparable else OLDER_VERSIONS
    stored = read_table(index_folder(folder) / _TABLE, older)
    if stored is None:
        return None
    try:
        findings = read_as(index_folder(folder) / _FINDINGS, list[str])
    except FileError as error:
        log.warning("The check of %s is made anew: %s", folder, error)
        return None
    return _to_index(folder.resolve(), stored[0], bool(findings))


def _keep_findings(place: Path, findings: Sequence[str]) -> None:
    path = place / _FINDINGS
    if findings:
        write_json(path, list(findings))
    else:
        path.unlink(missing_ok=True)


def is_indexed(folder: Path) -> bool:
    """Whether there is an index, so that what a check made of it is of today."""
    return (index_folder(folder) / _TABLE).exists()


def layout_sentences(folder: Path) -> list[str]:
    """What the last check read as what; empty if none did, or an earlier version."""
    try:
        return list(map(str, read_json(index_folder(folder) / _SENTENCES) or []))
    except MALFORMED:  # damaged: it only informs
        return []


def choose_layout(folder: Path, choice: LayoutChoice) -> None:
    """Keeps how a data set is to be read; what was read otherwise is out of date.

    The next check opens no file again that it knows. Until then there is no index, so
    that nobody shows or trains on what was read before.
    """
    place = index_folder(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name in (_REJECTED, _SENTENCES, _FINDINGS):
        (place / name).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (place / _TABLE).replace(place / _PARTIAL)
    save_choice(folder, choice)


def rejected_files(folder: Path) -> list[tuple[str, str]]:
    """(path, reason) of all files that the last check could not use, if it failed."""
    stored = read_table(index_folder(folder) / _REJECTED)
    if stored is None:
        return []
    rows = stored[0][stored[0]["error"] != ""]
    reasons = rows["error"].str.removeprefix("-")
    return list(zip(rows["path"], reasons, strict=True))


def _describe_changed(
    folder: Path,
    changed: Sequence[FileEntry],
    rows: dict[str, SampleRow],
    slicing: Slicing,
    job: Job,
) -> None:
    """Opens the changed files and adds the rows of their samples."""
    done = len({samples.file_of(path) for path in rows})
    total = done + len(changed)
    partial = index_folder(folder) / _PARTIAL
    kept_at = time.monotonic()
    job.progress("checking", done, total)
    answers = pool.map_chunks(
        describe_files, changed, str(folder), slicing.to_json(), cancelled=job.cancelled
    )
    try:
        for files, described in answers:
            # No answer: an image alone brought its process down.
            crashed = ([without_image(FileEntry(*f), pool.NO_ANSWER)] for f in files)
            for values in itertools.chain.from_iterable(described or crashed):
                row = compact(values)
                rows[row.path] = row
            done += len(files)
            job.progress("checking", done, total)
            if time.monotonic() - kept_at > _KEEP_EVERY:
                write_table(partial, to_table(rows.values()), slicing)
                kept_at = time.monotonic()
    except BaseException:
        if done:
            write_table(partial, to_table(rows.values()), slicing)
        raise


def _still_true(file: FileEntry, row: SampleRow) -> bool:
    """Whether an earlier look at a file need not be repeated."""
    if (row.bytes, row.mtime_ns) != (file.bytes, file.mtime_ns):
        return False
    if row.error:
        # What could not be read may be readable now: a right given, a disk mounted.
        return row.error == NOT_AN_IMAGE
    # Rows of older versions have no hash, and do not know how many slices there are,
    # or volumes.
    counted = row.frames and (row.series or row.format != "NIfTI")
    return bool(row.hash and (counted or row.format not in _SCANS))


def _relabelled(row: SampleRow, file: FileEntry) -> SampleRow:
    """An earlier row with what folder or table say of the file today."""
    patient = file.patient or row.patient
    return compact(row._replace(label=file.label, split=file.split, patient=patient))


def _too_few_classes(index: Index) -> str:
    """Why a data set is none, with the commonest reason and its first file."""
    classes = index.classes
    broken = index.table[index.table["error"] != ""]
    if index.multi_label:
        text = _(
            "The table of {name} names fewer than two findings of images that can be "
            "read: a data set of several findings needs two at least. A single column "
            "of yes and no says two classes: choose it as the column of the class.",
            name=index.folder.name,
        )
    elif classes:
        text = _(
            "{name} holds only the class {label!r}: there must be one folder per "
            "class, or a table (CSV) that names classes, with images in at least two.",
            name=index.folder.name,
            label=classes[0],
        )
    else:
        text = _(
            "{name} holds no class with images: there must be one folder per class, "
            "or a table (CSV) that names classes, with images in at least two.",
            name=index.folder.name,
        )
    said = [text]
    if len(broken):
        # Messages name their files: without the names those of one kind are equal.
        names = broken["path"].map(lambda path: path.rpartition("/")[2])
        pairs = list(zip(broken["error"], names, strict=True))
        kinds = [error.replace(name, "") for error, name in pairs]
        commonest, count = Counter(kinds).most_common(1)[0]
        first = pairs[kinds.index(commonest)][0]
        if len(broken) > 1:
            first = _(
                "{files:,} files cannot be read, {alike:,} of them like the first: "
                "{first}",
                files=len(broken),
                alike=count,
                first=first,
            )
        said.append(first)
    ignored = zip(index.ignored["path"], index.ignored["reason"], strict=True)
    said.append(left_out(ignored))
    return " ".join(filter(None, said))


def _to_index(folder: Path, rows: pd.DataFrame, multi_label: bool) -> Index:
    """Parts what is left out from the samples; applies what somebody decided."""
    import pandas as pd

    left_out = rows["error"].str.startswith("-")
    ignored = rows.loc[left_out, ["path", "error"]]
    ignored = ignored.rename(columns={"error": "reason"})
    ignored["reason"] = ignored["reason"].str.slice(1)
    table, dropped = curation.apply(
        rows[~left_out].reset_index(drop=True), curation.actions(index_folder(folder))
    )
    extra = pd.DataFrame(dropped, columns=["path", "reason"])
    ignored = pd.concat([ignored, extra], ignore_index=True)
    return Index(folder, table, ignored, multi_label)
