"""Opens the files of a data set and describes their samples, one table row each.

Runs in the pool of processes, so it imports little.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medmodel.core import samples
from medmodel.core.errors import ImageError, os_reason
from medmodel.core.regular_files import open_data_file
from medmodel.core.samples import Part, Slicing
from medmodel.data import image_stats, layout
from medmodel.data.index_table import SampleRow
from medmodel.data.layout import FileEntry
from medmodel.data.layouts.listing import IMAGE_SUFFIXES
from medmodel.data.segmentation.mask_files import mask_problem
from medmodel.data.segmentation.mask_grids import grid_problem
from medmodel.imaging import channels, images
from medmodel.imaging.decoded_image import HEAD, DecodedImage
from medmodel.imaging.nifti import pair as nifti_pair
from medmodel.language import SOURCE, _, speaking

NOT_AN_IMAGE = "-" + layout.NOT_AN_IMAGE


def describe_files(
    files: Sequence[Sequence[Any]], folder: str, slicing: dict[str, Any]
) -> list[list[SampleRow]]:
    """The table rows of each file's samples.

    Args:
        files: Each as a `FileEntry`.
        folder: The data set's folder.
        slicing: Fields of `Slicing`.
    """
    choice = Slicing(**slicing)
    root = Path(folder)
    entries = [FileEntry(*file) for file in files]
    return [_with_masks(root, f, _describe(root, f, choice)) for f in entries]


def _with_masks(
    folder: Path, file: FileEntry, rows: list[SampleRow]
) -> list[SampleRow]:
    """The same rows; those whose masks cannot be used say why."""
    if not file.masks:
        return rows
    apart = ""
    if not all(row.error for row in rows):
        apart = grid_problem(folder, samples.file_of(file.path), file.masks)
    return [
        row
        if row.error
        else row._replace(
            error=apart
            or mask_problem(folder, row.path, file.masks, (row.height, row.width))
        )
        for row in rows
    ]


def without_image(file: FileEntry, reason: str) -> SampleRow:
    """The row of a file that cannot be read, or that is left out."""
    return SampleRow(*file[:5], patient=file.patient, error=reason)


def _describe(folder: Path, file: FileEntry, slicing: Slicing) -> list[SampleRow]:
    """The samples of one file; one that says why where there is none."""
    relative = samples.file_of(file.path)
    name = relative.rpartition("/")[2]
    try:
        if nifti_pair.is_voxels(name):
            content = images.read_data_file(folder, relative)
        else:
            with open_data_file(folder, relative) as opened:
                reader = images.find_reader(os.pread(opened.fileno(), HEAD, 0))
                if reader is None and not name.lower().endswith(IMAGE_SUFFIXES):
                    return [without_image(file, NOT_AN_IMAGE)]
                images.check_bytes(os.fstat(opened.fileno()).st_size, name)
                content = opened.read()
        decoded = images.decode(content, name, axis=slicing.axis)
        parts = slicing.parts(decoded.format, decoded.frames)
        if parts == [None]:
            return [_row(file, decoded, content)]
        return _describe_parts(file, content, parts, slicing)
    except ImageError as error:
        reason = str(error)
    except OSError as error:
        reason = _(
            "{name} cannot be opened: {reason}.", name=name, reason=os_reason(error)
        )
    return [without_image(file, reason)]


def _describe_parts(
    file: FileEntry, content: bytes, parts: Sequence[Part | None], slicing: Slicing
) -> list[SampleRow]:
    """Each image of a file that shows something.

    Raises:
        ImageError: None does.
    """
    rows = []
    error: ImageError | None = None
    for part in parts:
        sample = file._replace(path=samples.join(samples.file_of(file.path), part))
        frame = part.number if part else -1
        name = sample.path.rpartition("/")[2]
        try:
            decoded = images.decode(content, name, frame=frame, axis=slicing.axis)
        except ImageError as refused:  # such as a frame of a single value
            error = refused
            continue
        rows.append(_row(sample, decoded))
    if not rows and error is not None:
        raise error
    least = 0.0
    if slicing.only_shown and rows[0].format == "NIfTI":
        least = samples.EMPTY * max(row.spread for row in rows)
    return [row for row in rows if row.spread >= least]


def _row(file: FileEntry, decoded: DecodedImage, content: bytes = b"") -> SampleRow:
    """What folder or table say of a sample, and what its image says.

    A table's patient counts before the header's.
    """
    height, width, _ = decoded.pixels.shape
    pixels = channels.single_channel(decoded.pixels)
    return SampleRow(
        *file[:5],
        format=decoded.format,
        mode=decoded.mode,
        width=width,
        height=height,
        digest=images.pixel_digest(pixels),
        patient=file.patient or decoded.patient,
        frames=decoded.frames,
        seen=_seen(decoded),
        series=decoded.series,
        **image_stats.measure(content, pixels, decoded.format),
    )


def _seen(decoded: DecodedImage) -> str:
    """How values became grey, and whether frames are missing; kept in English."""
    with speaking(SOURCE):
        if not (decoded.seen and decoded.missing_frames):
            return decoded.seen or decoded.frames_text
        return _(
            "{how}, {frames:,} of {total:,} frames are in the file",
            how=decoded.seen,
            frames=decoded.frames,
            total=decoded.frames + decoded.missing_frames,
        )
