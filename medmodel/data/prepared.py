"""Every image decoded once, into one array that all runs and epochs read.

    prepared/<key>/pixels.npy     uint8 (images, height, width, channels)
    prepared/<key>/prepared.json  which images, and the digest of their pixels; written
                                  last: without it, trust nothing
    prepared/<key>/pixels.part    the array while it is unfinished, and
    prepared/<key>/chunks.jsonl   which images in it are finished

The key is a hash of names, sizes, times and preprocessing: a changed folder is prepared
anew, an unchanged one never is. Killed half-way, the next start goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medmodel.core import samples
from medmodel.core.environment import workspace_root
from medmodel.core.errors import DECODER_ERRORS, NPY_HEADER_ERRORS, DataError, FileError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import pool
from medmodel.core.storage import (
    file_digest,
    map_array,
    read_if_whole,
    remove_temporaries,
    write_json,
)
from medmodel.imaging.nifti import pair as nifti_pair
from medmodel.language import N_, _

if TYPE_CHECKING:
    import pandas as pd
from medmodel.data.decoding.chunks import decode_chunk
from medmodel.data.decoding.unfinished_array import (
    Journal,
    array_header,
    leave_out,
    resume,
)

OF_ENCODER = "encoder_"
"""How names of features begin that an encoder of the weights folder gave."""
VERSION = 5
"""To be raised when decoding or `images.prepare_image` changes what a model sees."""
log = logging.getLogger("medmodel.data.prepared")


@dataclass(frozen=True)
class _PreparedFile:
    """What prepared.json holds.

    Args:
        failed: Path -> reason of the images that cannot be read.
        sha256: Of pixels.npy, hexadecimal; "" where an earlier version wrote it.
        dataset: Folder of the images; "" where an earlier version wrote it.
    """

    failed: dict[str, str]
    sha256: str = ""
    dataset: str = ""


@dataclass(frozen=True)
class Prepared:
    """The pixels of a data set at a model's size.

    Args:
        folder: Where they lie; features computed from them may be kept there too.
        pixels: Read-only memory map, uint8 (n, height, width, channels).
        table: The n rows of the table given that could be read, index 0 to n - 1.
        failed: Path -> reason of those that could not.
    """

    folder: Path
    pixels: npt.NDArray[np.uint8]
    table: pd.DataFrame
    failed: dict[str, str]


def prepare(
    folder: Path,
    table: pd.DataFrame,
    preprocessing: Preprocessing,
    job: Job = UNATTENDED,
) -> Prepared:
    """Decodes the images of a table, or finds them decoded.

    Args:
        folder: The data set's folder.
        table: Column `path`, relative to the folder; the order is kept.
        preprocessing: Size, fit and colour.
        job: Told ("preparing", done, total).

    Raises:
        DataError: Not a single image can be read.
        Cancelled: By the job; what was finished is kept.
        OSError: The disk is full or fails.
    """
    paths = [str(path) for path in table["path"]]
    place = prepared_folder(folder, paths, preprocessing)
    facts = _facts(place)
    pixels = _pixels(place, facts, paths, preprocessing, job)
    if facts is None or pixels is None:
        lock = _wait_for_lock(place, job)
        try:
            # Another run may have finished it while we waited.
            facts = _facts(place)
            pixels = _pixels(place, facts, paths, preprocessing, job)
            if facts is None or pixels is None:
                _forget(place)
                facts = _decode_all(place, folder, paths, preprocessing, job)
        finally:
            lock.release()
    failed = facts.failed
    if len(failed) == len(paths):
        raise DataError(
            _(
                "None of the {count} images of {name} is readable.",
                count=len(paths),
                name=folder.name,
            )
        )
    if pixels is None:
        shape = (len(paths) - len(failed), *preprocessing.shape)
        pixels = map_array(place / "pixels.npy", shape, "uint8")
    rows = table[~table["path"].isin(list(failed))].reset_index(drop=True)
    job.progress("preparing", len(paths), len(paths))
    return Prepared(place, pixels, rows, failed)


def _facts(place: Path) -> _PreparedFile | None:
    """What is known of a finished array; None where it must be made anew."""
    return read_if_whole(place / "prepared.json", _PreparedFile)


def _pixels(
    place: Path,
    facts: _PreparedFile | None,
    paths: list[str],
    preprocessing: Preprocessing,
    job: Job,
) -> npt.NDArray[np.uint8] | None:
    """The finished array; None where there is none, or it is damaged."""
    if facts is None:
        return None
    path, shape = (
        place / "pixels.npy",
        (len(paths) - len(facts.failed), *preprocessing.shape),
    )
    try:
        pixels = map_array(path, shape, "uint8")
    except FileError:
        return None
    if facts.sha256 and file_digest(path, job.check) != facts.sha256:
        log.warning("%s is damaged, and is made anew.", path)
        return None
    return pixels


def _forget(place: Path) -> None:
    """Removes what was made of pixels that are to be made anew."""
    (place / "prepared.json").unlink(missing_ok=True)
    for features in (*place.glob("features_*"), *place.glob(".features_*")):
        features.unlink()


def prepared_folder(
    folder: Path, paths: list[str], preprocessing: Preprocessing
) -> Path:
    """Where these images are, or would be, kept at this preprocessing."""
    digest = hashlib.sha256()
    settings = {"version": VERSION, **asdict(preprocessing)}
    del settings["axis"], settings["frame"]  # the paths say so
    digest.update(json.dumps([str(folder.resolve()), settings]).encode())
    for path in paths:
        try:
            file = samples.file_of(path)
            stat = (folder / file).stat()
            facts = (path, stat.st_size, stat.st_mtime_ns)
            if header := nifti_pair.header_path(folder, file):
                digest.update(str((folder / header).stat().st_mtime_ns).encode())
        except OSError:
            facts = (path, -1, -1)
        digest.update(json.dumps(facts).encode())
    return workspace_root() / "prepared" / digest.hexdigest()[:24]


def prepared_folders(folder: Path) -> list[Path]:
    """Where finished pixels of a data set's folder lie, at every preprocessing.

    Those that an earlier version prepared are not among them: it did not note of which
    folder they are.
    """
    dataset = str(folder.resolve())
    places = sorted((workspace_root() / "prepared").glob("*/prepared.json"))
    return [
        path.parent
        for path in places
        if (facts := read_if_whole(path, _PreparedFile)) and facts.dataset == dataset
    ]


def stored_features(
    folder: Path,
    paths: list[str],
    preprocessing: Preprocessing,
    table: str = "efficientnet_lite0_[0-9]*",
) -> tuple[npt.NDArray[np.float16], list[str]] | None:
    """Features of the frozen network that a run has left beside its pixels.

    Args:
        folder: The data set's folder.
        paths: All images that were prepared, in order.
        preprocessing: With which they were prepared.
        table: Name of the features, with wildcards for their version; that of an
            encoder as `encoder.json` of a run has it.

    Returns:
        Read-only memory map (n, d), and the n images that could be read; None where
        there are none.
    """
    place = prepared_folder(folder, paths, preprocessing)
    facts, files = _facts(place), sorted(place.glob("features_*.npy"))
    files = [f for f in files if fnmatchcase(f.stem, f"features_{table}")]
    if facts is None or not files:
        return None
    readable = [path for path in paths if path not in facts.failed]
    try:
        features = np.lib.format.open_memmap(files[-1], mode="r")
    except (*DECODER_ERRORS, *NPY_HEADER_ERRORS):
        return None
    if features.ndim != 2 or len(features) != len(readable):
        return None
    return features, readable


def _wait_for_lock(place: Path, job: Job) -> Lock:
    """The lock of a folder, once whoever else prepares it has ended."""
    lock = Lock(place / "lock")
    while not lock.acquire(wait=0.2):
        job.check()
        job.progress(N_("waiting for another run to prepare the same images"), 0, 0)
    return lock


def _decode_all(
    place: Path,
    folder: Path,
    paths: list[str],
    preprocessing: Preprocessing,
    job: Job,
) -> _PreparedFile:
    """Writes the array, then its facts, which it returns."""
    part, journal = place / "pixels.part", place / "chunks.jsonl"
    remove_temporaries(place, (part.name, "prepared.json"))
    header = array_header((len(paths), *preprocessing.shape))
    size = len(header) + len(paths) * int(np.prod(preprocessing.shape))
    failed, finished = resume(part, journal, header, size)
    left = [(n, path) for n, path in enumerate(paths) if n not in finished]
    answers = pool.map_chunks(
        decode_chunk,
        left,
        str(folder.resolve()),
        str(part),
        len(header),
        asdict(preprocessing),
        cancelled=job.cancelled,
    )
    done = len(finished)
    job.progress("preparing", done, len(paths))
    with Journal(journal, part) as journal_file:
        for rows, answer in answers:
            if answer is None:
                answer = {path: pool.NO_ANSWER for _, path in rows}
            failed |= answer
            done += len(rows)
            journal_file.add({"rows": [n for n, _ in rows], "failed": answer})
            job.progress("preparing", done, len(paths))
    if failed:
        leave_out([n for n, path in enumerate(paths) if path in failed], part)
    facts = _PreparedFile(failed, file_digest(part), str(folder.resolve()))
    part.replace(place / "pixels.npy")
    write_json(place / "prepared.json", facts)
    journal.unlink()
    return facts
