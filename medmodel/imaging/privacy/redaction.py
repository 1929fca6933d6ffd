"""Parts of a DICOM image made black, where text may be burned in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from medmodel.core.errors import ImageError
from medmodel.imaging.codecs import check_frames, stored_values, transfer_syntax
from medmodel.imaging.dicom.display import to_rgb
from medmodel.imaging.dicom.frames import keep_whole_frames
from medmodel.imaging.dicom.lookup_tables import palette_colours
from medmodel.imaging.dicom.reading import check_image
from medmodel.language import _

MAX_BYTES = 500_000_000
"""All frames uncompressed, which is how the copy is written."""


def text_regions(dataset: Dataset) -> list[list[int]]:
    """Where text probably is: around the regions of an ultrasound image.

    PS3.3 C.8.5.5 names the rectangles that hold ultrasound; names and dates stand
    outside.

    Returns:
        (left, top, right, bottom) in pixels of bands above, below, left and right of
        all regions; empty if the file names none.
    """
    regions = dataset.get("SequenceOfUltrasoundRegions")
    if not regions or "Rows" not in dataset:
        return []
    height, width = int(dataset.Rows), int(dataset.Columns)
    left = min(int(r.RegionLocationMinX0) for r in regions)
    top = min(int(r.RegionLocationMinY0) for r in regions)
    right = max(int(r.RegionLocationMaxX1) for r in regions) + 1
    bottom = max(int(r.RegionLocationMaxY1) for r in regions) + 1
    bands = [
        [0, 0, width, top],
        [0, bottom, width, height],
        [0, top, left, bottom],
        [right, top, width, bottom],
    ]
    return [b for b in bands if b[2] > b[0] and b[3] > b[1]]


def black_out_regions(dataset: Dataset, name: str, regions: list[list[int]]) -> None:
    """Makes regions black in all frames; the dataset is then uncompressed.

    Raises:
        ImageError: A region lies outside, the image is too large, or it cannot be
            decoded.
    """
    check_image(dataset, name)
    if "PixelData" not in dataset:
        raise ImageError(
            _(
                "{name} holds numbers with decimals, in which nothing can be "
                "blacked out.",
                name=name,
            )
        )
    frames = keep_whole_frames(dataset)
    check_frames(dataset, name)
    height, width = int(dataset.Rows), int(dataset.Columns)
    for left, top, right, bottom in regions:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ImageError(
                _(
                    "The region from ({left}, {top}) to ({right}, {bottom}) does not "
                    "lie within the {width} × {height} pixels of {name}.",
                    left=left,
                    top=top,
                    right=right,
                    bottom=bottom,
                    width=width,
                    height=height,
                    name=name,
                )
            )
    size = height * width * frames * int(dataset.SamplesPerPixel)
    if size * max(1, int(dataset.BitsAllocated) // 8) > MAX_BYTES:
        raise ImageError(
            _(
                "{name} is too large to black out regions: more than {megabytes} "
                "MB uncompressed.",
                name=name,
                megabytes=MAX_BYTES // 10**6,
            )
        )
    images = []
    for frame in range(frames):
        values, photometric = stored_values(dataset, name, frame)
        if photometric.startswith("YBR"):
            values, photometric = to_rgb(values, dataset, photometric, name), "RGB"
        images.append(values)
    stack = np.stack(images)
    black = _black(stack, dataset, photometric)
    for left, top, right, bottom in regions:
        stack[:, top:bottom, left:right] = black
    _put(dataset, stack, photometric)


def _black(stack: npt.NDArray[Any], dataset: Dataset, photometric: str) -> Any:
    """The stored value that shows as black."""
    if photometric == "MONOCHROME1":
        return stack.max()
    if photometric == "MONOCHROME2":
        return stack.min()
    if photometric == "PALETTE COLOR":
        entries = np.arange(int(stack.max()) + 1, dtype=stack.dtype).reshape(1, -1)
        colours = palette_colours(entries, dataset)[0].astype(np.int64)
        return colours.sum(axis=1).argmin()
    return 0


def _put(dataset: Dataset, stack: npt.NDArray[Any], photometric: str) -> None:
    bytes_per_value = stack.dtype.itemsize
    # pydicom writes a file in the byte order in which it was read.
    big = transfer_syntax(dataset) == ExplicitVRBigEndian
    stack = stack.astype(stack.dtype.newbyteorder(">" if big else "<"))
    content = stack.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OW" if bytes_per_value > 1 else "OB"
    dataset["PixelData"].is_undefined_length = False
    dataset.BitsAllocated = 8 * bytes_per_value
    dataset.BitsStored = min(int(dataset.BitsStored), 8 * bytes_per_value)
    dataset.HighBit = int(dataset.BitsStored) - 1
    dataset.PhotometricInterpretation = photometric
    if stack.ndim == 4:
        dataset.PlanarConfiguration = 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)
    if not big:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
