"""The directories (pages) of a TIFF and what each says of itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile
from tifffile import COMPRESSION, PHOTOMETRIC

Samples = npt.NDArray[Any]

_SUBFILE_TYPE, _PHOTOMETRIC, _SUBSAMPLING = 254, 262, 530
_JPEG = (
    COMPRESSION.OJPEG,
    COMPRESSION.JPEG,
    COMPRESSION.JPEG_LOSSY,
    COMPRESSION.ALT_JPEG,
)
_DECODED_AS_RGB = (
    *_JPEG,
    COMPRESSION.WEBP,
    COMPRESSION.JPEGXL,
    COMPRESSION.JPEGXL_DNG,
)
"""Their decoders make RGB of YCbCr."""


class Directory(NamedTuple):
    """Where a page is in the file, its number, and its NewSubfileType."""

    number: int
    offset: int
    subfile_type: int


def readable_directories(data: bytes) -> tuple[list[Directory], bool]:
    """The pages, and whether the list of further ones leads out of the file.

    Raises:
        struct.error: The first does.
    """
    directories: list[Directory] = []
    try:
        for directory in _directories(data):
            directories.append(directory)
    except struct.error:
        if not directories:
            raise
        return directories, True
    return directories, False


def _directories(data: bytes) -> Iterator[Directory]:
    """Where the pages are, and what each is, in the order of the file.

    Only so much is read of each as is needed: there may be hundreds of thousands.

    Raises:
        struct.error: The list leads out of the file.
    """
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    pointer = struct.Struct(f"{order}{'Q' if is_big else 'L'}")
    # How many entries, and the number of the first, of which they are in order.
    start = struct.Struct(f"{order}{'QH' if is_big else 'HH'}")
    subfile_type = struct.Struct(f"{order}L")
    entry, value_at = (20, 20) if is_big else (12, 10)
    seen = set[int]()
    (offset,) = pointer.unpack_from(data, 8 if is_big else 4)
    while offset and offset not in seen:
        seen.add(offset)
        count, first = start.unpack_from(data, offset)
        is_written = first == _SUBFILE_TYPE
        value = subfile_type.unpack_from(data, offset + value_at) if is_written else [0]
        yield Directory(len(seen) - 1, offset, value[0])
        (offset,) = pointer.unpack_from(data, offset + start.size - 2 + count * entry)


def page_of(file: Any, directory: Directory) -> Any:
    """The page of a directory, without a look at those before it.

    Where it does not say what its samples are, they are what libtiff takes them for.
    """
    file.filehandle.seek(directory.offset)
    page = tifffile.TiffPage(file, directory.number)
    if _PHOTOMETRIC not in page.tags and page.compression not in _DECODED_AS_RGB:
        is_grey = page.samplesperpixel < 3
        page.photometric = PHOTOMETRIC.MINISBLACK if is_grey else PHOTOMETRIC.RGB
    if page.compression not in _JPEG:  # tifffile takes 2 and 2 for said
        page.subsampling = subsampling(page)
    return page


def count_planes(file: Any) -> int:
    """How many images a single directory stands for."""
    page = file.pages.first
    if page.imagedepth > 1:
        return int(page.imagedepth)
    if not (file.is_imagej or file.is_shaped or file.is_stk) or not page.is_contiguous:
        return 1
    size = int(np.prod(page.shape))
    return max(1, int(np.prod(file.series[0].shape)) // size)


def is_rgb(page: Any) -> bool:
    """Whether what the decoder returns is RGB, whatever the file holds."""
    return page.photometric == PHOTOMETRIC.RGB or page.compression in _DECODED_AS_RGB


def subsampling(page: Any) -> tuple[int, int]:
    """Of how many pixels across and down one difference of colour is stored.

    By default two and two (section 21), but who writes nothing may mean one and one:
    the length tells.
    """
    is_image = page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS  # enlarged already
    if page.photometric != PHOTOMETRIC.YCBCR or is_rgb(page) or is_image:
        return 1, 1
    is_short = sum(page.databytecounts) < 3 * page.imagewidth * page.imagelength
    plain = page.compression == COMPRESSION.NONE
    across, down = tag_of(page, _SUBSAMPLING, (2, 2) if plain and is_short else (1, 1))
    return int(across), int(down)


def tag_of(page: Any, code: int, default: Any) -> Any:
    """Value of a tag of a page; the default where it has none."""
    return page.tags.valueof(code, default)
