"""Segmentation masks: the class value of every pixel of a PNG, TIFF or NIfTI file.

0 is the background. Values are taken as they are stored: a palette's numbers, not its
colours, unless a palette of greys puts another one than black first. Read in the
sandbox, as every file that somebody else wrote.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Fit
from medmodel.core.processes import sandbox
from medmodel.core.samples import Axis
from medmodel.imaging import scans
from medmodel.imaging.channels import upright
from medmodel.imaging.decoded_image import HEAD
from medmodel.imaging.images import model_input_area
from medmodel.imaging.raster import ORIENTATION, check_size, damage_named
from medmodel.language import _

Mask = npt.NDArray[np.uint8]
"""(height, width) of class values, 0 for the background."""
MOST_VALUES = 32
"""Different values of one mask; more are shades, not classes."""
_NEARLY = 32
"""Grey levels from black or white up to which a pixel counts as that."""
_MOSTLY = 0.9
"""Share of pixels that are nearly black or white in a mask saved with loss."""
_FEWEST_SHADES = 3
"""Levels between black and white from which on these may be shades of soft edges."""
_WHITE = 65535
"""Of 16 bits."""
_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "JPEG", "WEBP", "PPM")
_BEGINNINGS = (
    *(b"\x89PNG", b"II", b"MM", b"BM", b"GIF", b"\xff\xd8", b"RIFF"),
    *(b"P1", b"P2", b"P4", b"P5"),
)
"""Of files in these formats; what begins otherwise is none of them, damaged or not."""
_SEGMENTS = "medmodel.imaging.dicom.segmentation:segment_numbers"
_LOSSY = ("JPEG", "MPO", "WEBP")


def decode_mask(
    data: bytes, name: str, axis: Axis = "axial", slice_number: int = -1
) -> Mask:
    """The class values of a mask.

    A black and white mask that was saved with loss, as JPEG does, or with soft edges is
    cut at half of white. What is transparent is background.

    Args:
        data: The file.
        name: For messages.
        axis: Along which a NIfTI volume is cut.
        slice_number: From 0, or the page of a TIFF; -1 is the middle of a volume, the
            first page.

    Returns:
        uint8 (height, width).

    Raises:
        ImageError: It is no mask, damaged, or too large.
    """
    answer = sandbox.ask(
        f"{__name__}:read", data, name, axis=axis, slice_number=slice_number
    )
    return np.asarray(answer["values"])


def read(data: bytes, name: str, axis: Axis, slice_number: int) -> dict[str, Any]:
    """What the sandbox runs: `values`, see `decode_mask`."""
    stored: npt.NDArray[Any]
    if scans.is_nifti(data[:HEAD]):
        # In the sandbox alone: it is slow to load.
        from medmodel.imaging.nifti import reading

        stored, exact = reading.read_labels(data, name, axis, slice_number), True
    elif scans.is_dicom(data[:HEAD]):
        read_segments = sandbox.function_named(_SEGMENTS)  # likewise
        stored, exact = read_segments(data, name, slice_number), True
    else:
        stored, exact = _raster_values(data, name, max(slice_number, 0))
    return {"values": class_values(stored, name, exact)}


def class_values(stored: npt.NDArray[Any], name: str, exact: bool = True) -> Mask:
    """Stored numbers as class values.

    Args:
        stored: (height, width) of any number type.
        name: For messages.
        exact: Whether the file keeps values as they were, which JPEG does not.

    Raises:
        ImageError: They are no whole numbers from 0 to 255, or too many different.
    """
    different = np.unique(stored)
    black_and_white = len(different) == 2 and different[0] == 0 and different[1] > 255
    if black_and_white or different.tolist() == [_WHITE]:
        # Black and white with more than 8 bits, or all of it white.
        stored = np.where(stored, 255, 0)
        different = np.unique(stored)
    whole = np.isfinite(different).all() and (different == different.round()).all()
    if not whole or different[0] < 0 or different[-1] > 255:
        raise ImageError(
            _(
                "{name} is no mask: its pixels must hold whole numbers from 0 "
                "(background) to 255, one for each class.",
                name=name,
            )
        )
    values = stored.astype(np.uint8)
    soft = _has_soft_edges(values, different)
    if exact and len(different) <= MOST_VALUES and not soft:
        return values
    sides = (values <= _NEARLY) | (values >= 255 - _NEARLY)
    if soft or sides.mean() >= _MOSTLY:
        return np.where(values >= 128, 255, 0).astype(np.uint8)
    raise ImageError(
        _(
            "{name} is no mask that can be trained: it holds {count} different values, "
            "at most {most} can be classes. A mask has one value for each class; save "
            "it as PNG, not as JPEG.",
            name=name,
            count=len(different),
            most=MOST_VALUES,
        )
    )


def _has_soft_edges(values: Mask, different: npt.NDArray[Any]) -> bool:
    """Whether shades between black and white lie on edges alone.

    As of a black and white mask that was drawn smoothly or made smaller: of nearly
    every shade one neighbour is darker and one brighter, which no area of a class is.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    shades = np.count_nonzero((different > 0) & (different < 255))
    if different[0] != 0 or different[-1] != 255 or shades < _FEWEST_SHADES:
        return False
    between = (values > 0) & (values < 255)
    sloping = (minimum_filter(values, 3) < values) & (
        values < maximum_filter(values, 3)
    )
    return bool(sloping[between].mean() >= _MOSTLY)


def _raster_values(data: bytes, name: str, page: int) -> tuple[npt.NDArray[Any], bool]:
    """(height, width) as stored, the numbers of a palette; and whether these are exact.

    Raises:
        ImageError: It is damaged, too large, of colours, or has no such page.
    """
    if not data.startswith(_BEGINNINGS):
        raise ImageError(
            _(
                "{name} cannot be read as a mask: save it as PNG, TIFF, BMP, GIF, "
                "NIfTI or DICOM SEG.",
                name=name,
            )
        )
    with damage_named(name), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        count = getattr(image, "n_frames", 1)
        if page >= count:
            raise ImageError(
                _(
                    "{name} has no page {number}: it has {count}.",
                    name=name,
                    number=page + 1,
                    count=count,
                )
            )
        image.seek(page)
        check_size(*image.size, name)
        exact = image.format not in _LOSSY
        # The fourth of four inks is black, no transparency.
        shown = image.convert("RGB") if image.mode == "CMYK" else image
        stored = np.asarray(shown)
        if image.mode == "P":
            stored = _palette_values(stored, image.getpalette("RGB") or [])
        # As its image is; only now: Pillow turns a TIFF while it reads it.
        stored = upright(stored, image.getexif().get(ORIENTATION, 1))
    if stored.ndim == 2:
        return stored, exact
    colours = _visible(stored)
    if (colours != colours[..., :1]).any():
        raise ImageError(
            _(
                "{name} is no mask that can be read: its classes are colours. Save it "
                "with one number for each class: 0 for the background, 1, 2 and so on.",
                name=name,
            )
        )
    return colours[..., 0], exact


def _palette_values(
    numbers: npt.NDArray[np.uint8], palette: list[int]
) -> npt.NDArray[np.uint8]:
    """The numbers of a palette's colours, or its greys.

    Programs that count colours number them in any order: where all are grey, black is
    among them and not the first, it is the greys that tell the background.
    """
    used = np.unique(numbers)
    colours = np.array(palette, np.uint8).reshape(-1, 3)
    if used[-1] >= len(colours):
        return numbers
    grey = (colours[used] == colours[used][:, :1]).all()
    black = used[(colours[used] == 0).all(axis=1)]
    if not grey or not len(black) or 0 in black:
        return numbers
    return np.asarray(colours[:, 0][numbers])


def _visible(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(height, width, 1 or 3) without alpha, black where only some is transparent.

    Where that leaves nothing, what is not transparent is white: black was drawn on a
    transparent ground.
    """
    if stored.shape[2] not in (2, 4):
        return stored
    colours, opaque = stored[..., :-1], stored[..., -1:] > 0
    if opaque.all() or not opaque.any():
        return colours
    shown = np.where(opaque, colours, 0)
    return shown if shown.any() else np.where(opaque, 255, colours * 0)


def class_map(
    scores: npt.NDArray[np.float32], shape: tuple[int, int], fit: Fit
) -> Mask:
    """The likeliest class of every pixel of an image, from what a model says.

    Scores are interpolated between the model's pixels, bilinearly, before the largest
    is taken; what the model does not see is background.

    Args:
        scores: (side, side, classes) of the square that the model sees.
        shape: Height and width of the image in pixels.
        fit: How the image became that square.

    Returns:
        uint8 (height, width) of class numbers.
    """
    height, width = shape
    side = len(scores)
    left, top, across, down = model_input_area(width, height, side, fit)
    rows, inside_rows = _places(height, top, down, side)
    columns, inside_columns = _places(width, left, across, side)
    tall = _interpolated(scores, *rows)
    classes = np.empty(shape, np.uint8)
    for start in range(0, height, 256):  # memory of a strip at a time
        strip = tall[start : start + 256].swapaxes(0, 1)
        seen = _interpolated(strip, *columns).swapaxes(0, 1)
        classes[start : start + 256] = seen.argmax(axis=-1)
    return np.where(inside_rows[:, None] & inside_columns, classes, 0).astype(np.uint8)


_Steps = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""Places before and after a point, and how far it is from the first to the second."""


def _places(
    length: int, start: float, extent: float, side: int
) -> tuple[_Steps, npt.NDArray[np.bool_]]:
    """Where the pixels of an image lie among those of a model; whether inside."""
    at = (np.arange(length) + 0.5 - start) / extent * side
    inside = (at >= 0) & (at <= side)
    centred = (at - 0.5).clip(0, side - 1)
    before = np.floor(centred).astype(np.int64)
    after = np.minimum(before + 1, side - 1)
    return (before, after, (centred - before).astype(np.float32)), inside


def _interpolated(
    values: npt.NDArray[np.float32],
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    share: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Along the first axis."""
    weight = share[:, None, None]
    return values[before] * (1 - weight) + values[after] * weight


def fitted_mask(mask: Mask, side: int, fit: Fit) -> Mask:
    """A mask as `images.prepare_image` fits its image; no value is interpolated.

    Args:
        mask: (height, width).
        side: Of the square, in pixels.
        fit: How images become square.

    Returns:
        uint8 (side, side); background where an image is padded.
    """
    height, width = mask.shape
    left, top, across, down = model_input_area(width, height, side, fit)
    steps = (np.arange(side) + 0.5) / side
    columns = np.floor(left + steps * across).astype(int)
    rows = np.floor(top + steps * down).astype(int)
    inside = (rows[:, None] >= 0) & (rows[:, None] < height)
    inside = inside & (columns >= 0) & (columns < width)
    taken = mask[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    return np.where(inside, taken, 0).astype(np.uint8)
