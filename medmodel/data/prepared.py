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
import io
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medmodel.core import samples
from medmodel.core.environment import workspace_root
from medmodel.core.errors import (
    DECODER_ERRORS,
    MALFORMED,
    NPY_HEADER_ERRORS,
    DataError,
    FileError,
    ImageError,
    os_reason,
)
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.locks import Lock
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import pool
from medmodel.core.regular_files import open_for_writing
from medmodel.core.storage import (
    file_digest,
    map_array,
    read_if_whole,
    remove_temporaries,
    replacing,
    set_irregular_aside,
    write_json,
)
from medmodel.imaging import images
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.nifti import pair as nifti_pair
from medmodel.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

OF_ENCODER = "encoder_"
"""How names of features begin that an encoder of the weights folder gave."""
VERSION = 5
"""To be raised when decoding or `images.prepare_image` changes what a model sees."""
log = logging.getLogger("medmodel.data.prepared")
_SETTLE_EVERY = 2.0
"""Seconds of work that are lost at most when the process is killed."""


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


def decode_chunk(
    rows: list[tuple[int, str]],
    folder: str,
    part: str,
    offset: int,
    preprocessing: dict[str, Any],
) -> dict[str, str]:
    """Writes some images to their places in the unfinished file; runs in the pool.

    Args:
        rows: (position, relative path) of each image.
        folder: The data set's folder.
        part: The unfinished array.
        offset: Bytes before its first image.
        preprocessing: Fields of `Preprocessing`.

    Returns:
        Path -> reason for those that cannot be read.
    """
    wanted = Preprocessing(**preprocessing)
    # Steps may see more in three channels than in one, and Diagnose gives them one.
    side = 0 if wanted.steps else wanted.size
    failed: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    # Written, not mapped: a full disk is then an error, not the process's death.
    with Path(part).open("r+b", buffering=0) as file:
        for position, path in rows:
            try:
                decoded = _decode(Path(folder), path, wanted.window, side, contents)
            except ImageError as error:
                failed[path] = str(error)
                continue
            except OSError as error:
                failed[path] = _(
                    "{name} cannot be opened: {reason}.",
                    name=path,
                    reason=os_reason(error),
                )
                continue
            pixels = images.prepare_image(decoded.pixels, wanted)
            write_at(file.fileno(), pixels, offset + position * pixels.nbytes)
    return failed


def _decode(
    folder: Path, path: str, window: str, side: int, contents: dict[str, bytes]
) -> DecodedImage:
    """One image; a file of which several are wanted in a row is read once."""
    file, part = samples.split(path)
    if part is None:
        return images.decode_data_file(folder, path, window, side)
    if file not in contents:
        contents.clear()
        contents[file] = images.read_data_file(folder, file)
    axis = "axial" if part.kind == "frame" else part.kind
    name = Path(path).name
    return images.decode(contents[file], name, window, part.number, axis, side)


def write_at(file: int, pixels: images.Pixels, offset: int) -> None:
    """Writes pixels to a place of an open file.

    Args:
        file: Its descriptor.
        pixels: uint8, any shape.
        offset: Bytes before them.

    Raises:
        OSError: The disk is full or fails.
    """
    content = np.ascontiguousarray(pixels).reshape(-1).data
    while content:
        written = os.pwrite(file, content, offset)
        content, offset = content[written:], offset + written


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
    failed, finished = _resume(part, journal, header, size)
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
    with _Journal(journal, part) as journal_file:
        for rows, answer in answers:
            if answer is None:
                answer = {path: pool.NO_ANSWER for _, path in rows}
            failed |= answer
            done += len(rows)
            journal_file.add({"rows": [n for n, _ in rows], "failed": answer})
            job.progress("preparing", done, len(paths))
    if failed:
        _leave_out([n for n, path in enumerate(paths) if path in failed], part)
    facts = _PreparedFile(failed, file_digest(part), str(folder.resolve()))
    part.replace(place / "pixels.npy")
    write_json(place / "prepared.json", facts)
    journal.unlink()
    return facts


class _Journal:
    """Notes which images are finished, once their pixels are safe on the disk.

    The disk is waited for now and then, not after every chunk, and while the processes
    that decode go on.
    """

    def __init__(self, path: Path, part: Path) -> None:
        self.file = open_for_writing(path.parent, path.name, append=True)
        self.pixels = part.open("rb")
        self.lines: list[bytes] = []
        self.settled = time.monotonic()

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        with self.file, self.pixels:
            self._settle()

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(json.dumps(line).encode() + b"\n")
        if time.monotonic() - self.settled > _SETTLE_EVERY:
            self._settle()

    def _settle(self) -> None:
        os.fdatasync(self.pixels.fileno())
        self.file.writelines(self.lines)
        self.file.flush()
        self.lines.clear()
        self.settled = time.monotonic()


def array_header(shape: tuple[int, ...]) -> bytes:
    """How a .npy file of an array of uint8 begins."""
    buffer = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, facts)
    return buffer.getvalue()


def _resume(
    part: Path, journal: Path, header: bytes, size: int
) -> tuple[dict[str, str], set[int]]:
    """Failures and finished positions of an earlier attempt; makes room on the disk."""
    failed: dict[str, str] = {}
    finished: set[int] = set()
    for path in (part, journal):
        set_irregular_aside(path)
    if part.exists() and part.stat().st_size == size and journal.exists():
        for text in journal.read_text("utf-8", "replace").splitlines():
            try:
                line = json.loads(text)
                failed |= line["failed"]
                finished.update(int(row) for row in line["rows"])
            except MALFORMED:  # the line during which it was killed
                continue
        return failed, finished
    journal.unlink(missing_ok=True)
    with open_for_writing(part.parent, part.name) as file:
        # All at once: a disk too small is told now, not after half an hour.
        os.posix_fallocate(file.fileno(), 0, size)
        file.write(header)
    return failed, finished


def _leave_out(positions: list[int], part: Path) -> None:
    """Replaces the finished array by one without these images."""
    pixels = np.load(part, mmap_mode="r")
    remaining = np.delete(np.arange(len(pixels)), positions)
    with replacing(part, "wb") as file:
        facts = np.lib.format.header_data_from_array_1_0(pixels)
        facts["shape"] = (len(remaining), *pixels.shape[1:])
        np.lib.format.write_array_header_1_0(file, facts)
        for first in range(0, len(remaining), 256):
            file.write(pixels[remaining[first : first + 256]].tobytes())
