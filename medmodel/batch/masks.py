"""Masks of a segmentation's batch: PNG files one after another in masks.bin.

One file holds as many as there are images; batch.csv says where each one lies. What a
line does not name, as of a worker that was killed between the two, counts nothing.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from medmodel.core.errors import DECODER_ERRORS
from medmodel.core.regular_files import open_for_writing, open_regular
from medmodel.core.storage import damaged, unreadable
from medmodel.imaging.mask_export import is_shortened, mask_name
from medmodel.imaging.mask_values import Mask
from medmodel.language import _, ngettext

if TYPE_CHECKING:
    import pandas as pd

FILE = "masks.bin"


def append(folder: Path, masks: Sequence[bytes]) -> list[tuple[int, int]]:
    """Adds masks to those of a batch.

    Args:
        folder: The batch's.
        masks: PNG files.

    Returns:
        Where each begins, and its bytes.

    Raises:
        OSError: The disk is full or fails; the file ends as it did.
    """
    places = []
    with open_for_writing(folder, FILE, append=True, buffering=0) as file:
        start = at = file.seek(0, os.SEEK_END)
        try:
            for mask in masks:
                places.append((at, len(mask)))
                at += len(mask)
                left = mask
                while left:
                    left = left[file.write(left) :]
            # A line must not outlive its mask where the machine goes down: the next
            # mask would lie in its place.
            os.fsync(file.fileno())
        except OSError:
            file.truncate(start)
            raise
    return places


def read(folder: Path, start: int, size: int) -> Mask:
    """The mask of one image.

    Args:
        folder: The batch's.
        start: As its line in the table says.
        size: Likewise.

    Returns:
        uint8 (height, width) of values as in the masks that the model learned from.

    Raises:
        FileError: It is not there, or damaged.
    """
    from PIL import Image

    path = folder / FILE
    content = _content(path, start, size)
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            return np.asarray(image.convert("L"))
    except DECODER_ERRORS as error:
        raise damaged(path, _("it holds no mask where there should be one")) from error


def _content(path: Path, start: int, size: int) -> bytes:
    try:
        with open_regular(path) as file:
            return _part(path, file, start, size)
    except OSError as error:
        raise unreadable(path, error) from error


def _part(path: Path, file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    content = file.read(size)
    if len(content) < size:
        raise damaged(path, _("its end is missing"))
    return content


def taken(rows: pd.DataFrame, anyway: bool = False) -> pd.DataFrame:
    """The images whose masks are taken away.

    Args:
        rows: As from `outlines.described`.
        anyway: Whether also those that are unlike the training data.
    """
    there = rows[rows["mask_bytes"] > 0]
    return there if anyway else there[there["unlike_training"] != 1]


def shortened(rows: pd.DataFrame) -> int:
    """How many masks have a shorter name than their images say, see `mask_name`.

    Args:
        rows: As from `taken`.
    """
    return sum(is_shortened(str(path)) for path in rows["path"])


def shortened_sentence(count: int) -> str:
    """What is said of so many masks with a shortened name."""
    return ngettext(
        "The name of {count:,} image is too long for a mask beside it: the mask's name "
        "is its beginning, ~ and 12 digits that tell it from others.",
        "The names of {count:,} images are too long for masks beside them: the masks' "
        "names are their beginnings, ~ and 12 digits that tell them from others.",
        count,
    )


def write_zip(folder: Path, rows: pd.DataFrame, target: IO[bytes]) -> None:
    """Writes masks into a ZIP file, in the folders of their images.

    Args:
        folder: The batch's.
        rows: As from `taken`.
        target: The file.

    Raises:
        FileError: A mask is not there.
        OSError: The target cannot be written.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in _masks(folder, rows):
            archive.writestr(name, content)  # PNG is compressed already


def write_files(folder: Path, rows: pd.DataFrame, target: Path) -> int:
    """Writes masks as files, each wholly or not, in the folders of their images.

    Args:
        folder: The batch's.
        rows: As from `taken`.
        target: The folder that gets them, or a link to it.

    Returns:
        How many.

    Raises:
        FileError: A mask is not there.
        OSError: The target cannot be written.
    """
    count, target = 0, target.resolve()
    for name, content in _masks(folder, rows):
        path, part = target / name, f"{name}.part"
        if path.parent.resolve().is_relative_to(target):  # else it is refused
            path.parent.mkdir(parents=True, exist_ok=True)
        file = open_for_writing(target, part)
        try:
            with file:
                file.write(content)
            (target / part).replace(path)
        except OSError as error:
            (target / part).unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from error
        count += 1
    return count


def _masks(folder: Path, rows: pd.DataFrame) -> Any:
    path = folder / FILE
    try:
        file = open_regular(path)
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        for row in rows.itertuples():
            size, start = int(row.mask_bytes), int(row.mask_start)  # type: ignore[arg-type]
            yield mask_name(str(row.path)), _part(path, file, start, size)
