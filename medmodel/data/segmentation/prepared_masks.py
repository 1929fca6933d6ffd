"""Every mask decoded once, into one array beside the prepared pixels of its images.

    prepared/<key>/masks_<key>.npy    uint8 (images, height, width) of class values
    prepared/<key>/masks_<key>.json   which values there are; written last

The key of the masks is a hash of their names, sizes and times.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medmodel.core.errors import DataError, FileError, ImageError, os_reason
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.core.processes import pool
from medmodel.core.samples import file_of
from medmodel.core.storage import (
    file_digest,
    map_array,
    read_if_whole,
    renaming,
    unique_name,
    write_json,
)
from medmodel.data.decoding.unfinished_array import array_header, write_at
from medmodel.data.prepared import Prepared
from medmodel.data.segmentation.mask_files import read_mask
from medmodel.data.segmentation.pairs import Masks
from medmodel.imaging.mask_values import Mask, fitted_mask
from medmodel.language import _

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 32
"""Class values of a data set, without the background."""


@dataclass(frozen=True)
class _MasksFile:
    """What the JSON file holds.

    Args:
        values: Sorted class values of all masks at their own size, without 0.
        sha256: Of the array's file, hexadecimal.
    """

    values: list[int]
    sha256: str


@dataclass(frozen=True)
class PreparedMasks:
    """The masks of a data set at a model's size.

    Args:
        pixels: Read-only memory map, uint8 (n, height, width) of class values, one for
            each row of the prepared images.
        values: The class values that occur, without the background 0, ascending.
    """

    pixels: Mask
    values: list[int]

    @property
    def class_numbers(self) -> np.ndarray:
        """(256,) uint8: class value -> class number, 0 for the background."""
        numbers = np.zeros(256, np.uint8)
        numbers[self.values] = np.arange(1, len(self.values) + 1)
        return numbers


def prepare_masks(
    folder: Path,
    prepared: Prepared,
    shapes: Mapping[str, tuple[int, int]],
    masks: Masks,
    preprocessing: Preprocessing,
    job: Job = UNATTENDED,
) -> PreparedMasks:
    """Decodes the masks of prepared images, or finds them decoded.

    Args:
        folder: The data set's folder.
        prepared: The images.
        shapes: Path of each image -> its height and width in pixels.
        masks: Path of each image's file -> paths of its masks.
        preprocessing: Size and fit of the images.
        job: Told ("preparing", done, total).

    Raises:
        DataError: A mask cannot be read, all are empty, or they have too many values.
        Cancelled: By the job.
        OSError: The disk is full or fails.
    """
    rows = _rows(prepared.table, shapes, masks)
    path = prepared.folder / f"masks_{_key(folder, rows)}.npy"
    shape = (len(rows), preprocessing.size, preprocessing.size)
    facts = read_if_whole(path.with_suffix(".json"), _MasksFile)
    if facts is None or not _is_whole(path, facts, job):
        facts = _decode_all(folder, path, rows, preprocessing, job)
    if not facts.values:
        raise DataError(
            _(
                "All masks of {name} are empty: none has a pixel above 0.",
                name=folder.name,
            )
        )
    if len(facts.values) > MOST_CLASSES:
        raise DataError(
            _(
                "The masks of {name} hold {count} different values, at most {most} can "
                "be trained: are they masks with one value for each class?",
                name=folder.name,
                count=len(facts.values),
                most=MOST_CLASSES,
            )
        )
    return PreparedMasks(map_array(path, shape, "uint8"), facts.values)


_Row = tuple[int, str, tuple[str, ...], tuple[int, int]]
"""Position, image, masks, height and width of the image."""


def _rows(
    table: pd.DataFrame, shapes: Mapping[str, tuple[int, int]], masks: Masks
) -> list[_Row]:
    paths = table["path"].tolist()
    return [(n, p, masks[file_of(p)], shapes[p]) for n, p in enumerate(paths)]


def _key(folder: Path, rows: list[_Row]) -> str:
    digest = hashlib.sha256()
    for _position, sample, masks, _shape in rows:
        stats = [(folder / mask).stat() for mask in masks]
        facts = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
        digest.update(json.dumps([sample, masks, facts]).encode())
    return digest.hexdigest()[:16]


def _is_whole(path: Path, facts: _MasksFile, job: Job) -> bool:
    try:
        return file_digest(path, job.check) == facts.sha256
    except (FileError, OSError):
        return False


def _decode_all(
    folder: Path,
    path: Path,
    rows: list[_Row],
    preprocessing: Preprocessing,
    job: Job,
) -> _MasksFile:
    """Writes the array, then its facts, which it returns."""
    side = preprocessing.size
    header = array_header((len(rows), side, side))
    values: set[int] = set()
    done, together = 0, False
    with renaming(path, unique_name(path)) as part:
        with part.open("wb") as file:
            # All at once: a disk too small is told now, not in the middle.
            os.posix_fallocate(file.fileno(), 0, len(header) + len(rows) * side**2)
            file.write(header)
        answers = pool.map_chunks(
            decode_masks,
            rows,
            str(folder),
            str(part),
            [len(header), side, preprocessing.fit],
            cancelled=job.cancelled,
        )
        for chunk, answer in answers:
            if answer is None:
                raise DataError(f"{chunk[0][2][0]}: {_(pool.NO_ANSWER)}")
            if answer["problem"]:
                raise DataError(answer["problem"])
            values.update(answer["values"])
            together = together or answer["together"]
            done += len(chunk)
            job.progress("preparing", done, len(rows))
        if values - {0} == {1, 255} and not together:
            raise DataError(
                _(
                    "Some masks of {name} mark the class with 1 and others with 255: "
                    "save all with the same value.",
                    name=folder.name,
                )
            )
    facts = _MasksFile(sorted(values - {0}), file_digest(path))
    write_json(path.with_suffix(".json"), facts)
    return facts


def decode_masks(
    rows: list[_Row], folder: str, part: str, geometry: tuple[int, int, Fit]
) -> dict[str, object]:
    """Writes some masks to their places in the unfinished file; runs in the pool.

    Args:
        rows: Position, image, masks, height and width of each.
        folder: The data set's folder.
        part: The unfinished array.
        geometry: Bytes before the first mask, side of a mask in pixels, and fit.

    Returns:
        `values`, those that occur; `together`, whether one mask holds several beside
        0; `problem`, why a mask cannot be read, else "".
    """
    offset, side, fit = geometry
    values: set[int] = set()
    together = False
    with Path(part).open("r+b", buffering=0) as file:
        for position, sample, masks, (height, width) in rows:
            try:
                mask = read_mask(Path(folder), sample, masks, (height, width))
            except ImageError as error:
                return {"values": [], "together": False, "problem": str(error)}
            except OSError as error:
                problem = _(
                    "{name} cannot be opened: {reason}.",
                    name=masks[0],
                    reason=os_reason(error),
                )
                return {"values": [], "together": False, "problem": problem}
            different = np.unique(mask)
            values.update(different.tolist())
            together = together or bool(np.count_nonzero(different) > 1)
            pixels = fitted_mask(mask, side, fit)
            write_at(file.fileno(), pixels, offset + position * pixels.nbytes)
    return {"values": sorted(values), "together": together, "problem": ""}
