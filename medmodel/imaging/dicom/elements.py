"""Elements of a DICOM header that say how one frame is shown.

They are read as they are met, not as they should be: empty is absent, the first of
several numbers is taken, and what single frames say in functional groups (PS3.3
C.7.6.16) counts before what all of them, and the file as a whole, say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from medmodel.imaging.scaling import MOST_OBLONG
from medmodel.imaging.windows import Window

_SPACINGS = (
    # Element, and the functional group in which it stands for single frames.
    ("PixelSpacing", "PixelMeasuresSequence"),
    ("ImagerPixelSpacing", "FramePixelDataPropertiesSequence"),
    ("NominalScannedPixelSpacing", ""),
    ("PixelAspectRatio", ""),
)
_PADDING = {"i": "", "u": "", "f4": "Float", "f8": "DoubleFloat"}


class DamagedElement(ValueError):
    """An element holds no number where there must be one; says its keyword alone."""


def optional_numbers(dataset: Dataset, keyword: str) -> list[float | None]:
    """The numbers of an element in their places, None where one is empty.

    Raises:
        DamagedElement: It holds something else.
    """
    try:
        value: Any = dataset.get(keyword)
        several = hasattr(value, "__iter__") and not isinstance(value, str | bytes)
        return [_number(part) for part in (value if several else [value])]
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedElement(keyword) from error


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """The numbers of an element; empty where it is absent or empty.

    Raises:
        DamagedElement: It holds something else.
    """
    return [n for n in optional_numbers(dataset, keyword) if n is not None]


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first number of an element; None where it is absent or empty.

    Raises:
        DamagedElement: It holds something else.
    """
    return next(iter(numbers(dataset, keyword)), None)


def text(dataset: Dataset, keyword: str) -> str:
    """The first text of an element in capitals; empty where it is absent or empty."""
    value: Any = dataset.get(keyword)
    if hasattr(value, "__iter__") and not isinstance(value, str):
        value = next(iter(value), None)
    return str(value or "").strip().upper()


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence that hold anything.

    Raises:
        DamagedElement: It is no sequence.
    """
    try:
        return [item for item in dataset.get(keyword) or [] if len(item)]
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedElement(keyword) from error


def levels(dataset: Dataset, frame: int, group: str) -> list[Dataset]:
    """Where elements of a functional group may stand, what counts first in front.

    The groups of the frame, those shared by all frames, the file: PS3.3 C.7.6.16.1.

    Args:
        dataset: The file.
        frame: From 0.
        group: Keyword of the group's sequence; empty if there is none.
    """
    by_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    groups = [*by_frame[frame : frame + 1], *shared[:1]] if group else []
    return [*(item for place in groups for item in items(place, group)), dataset]


def rescale(dataset: Dataset, frame: int) -> tuple[float, float] | None:
    """Slope and intercept of a frame, PS3.3 C.11.1.1.2; None if there are none.

    A slope of 0, which would make all values equal, is none.

    Raises:
        DamagedElement: One of them is no number.
    """
    for level in levels(dataset, frame, "PixelValueTransformationSequence"):
        slope = number(level, "RescaleSlope")
        intercept = number(level, "RescaleIntercept")
        if slope is not None or intercept is not None:
            return slope or 1.0, intercept or 0.0
    return None


def file_window(header: Dataset) -> Window | None:
    """The first window asked for that is valid; None if there is none.

    PS3.3 C.11.2.1.2: width at least 1 for LINEAR, above 0 otherwise.

    Args:
        header: The file, or an item of its functional groups.
    """
    shape: Any = text(header, "VOILUTFunction")
    if shape not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        shape = "LINEAR"
    try:
        centers = optional_numbers(header, "WindowCenter")
        widths = optional_numbers(header, "WindowWidth")
    except DamagedElement:
        return None  # the image is shown by its own range
    for center, width in zip(centers, widths, strict=False):
        if center is None or width is None:
            continue
        if width >= 1 or (width > 0 and shape != "LINEAR"):
            return Window(center, width, shape)
    return None


def pixel_size(dataset: Dataset, frame: int) -> tuple[float, float]:
    """Height and width of a pixel, in any unit; (1, 1) where the file does not say.

    PS3.3 10.7.1.1 (Pixel Spacing: between rows, between columns) and C.7.6.3.1.7
    (Pixel Aspect Ratio: vertical, horizontal). What cannot be is as if not said.
    """
    for keyword, group in _SPACINGS:
        if size := stated_size(levels(dataset, frame, group), keyword):
            return size
    return 1.0, 1.0


def stated_size(places: Iterable[Dataset], keyword: str) -> tuple[float, float] | None:
    """Height and width above 0, from the first of the places that states them well."""
    for place in places:
        try:
            sizes = numbers(place, keyword)
        except DamagedElement:
            continue
        if len(sizes) == 2 and min(sizes) > 0:
            height, width = sizes
            if 1 / MOST_OBLONG <= height / width <= MOST_OBLONG:
                return height, width
    return None


def padding_mask(
    stored: npt.NDArray[Any], dataset: Dataset
) -> npt.NDArray[np.bool_] | None:
    """Which values only pad a round image, PS3.3 C.7.5.1.1.2; None if none do.

    Args:
        stored: Values as stored, any shape.
        dataset: The file.
    """
    kind = stored.dtype.str[1:] if stored.dtype.kind == "f" else stored.dtype.kind
    keyword = f"{_PADDING[kind]}PixelPadding"
    try:
        value = number(dataset, f"{keyword}Value")
        limit = number(dataset, f"{keyword}RangeLimit")
    except DamagedElement:
        return None
    if value is None:
        return None
    ends = [value if end is None else end for end in (value, limit)]
    if stored.dtype.kind in "iu":
        used = int(number(dataset, "BitsStored") or 8 * stored.itemsize)
        ends = [_as_stored(int(end), stored.dtype, used) for end in ends]
    return np.asarray((stored >= min(ends)) & (stored <= max(ends)))


def _as_stored(value: int, kind: np.dtype[Any], used: int) -> int:
    """A number written as signed or unsigned, as the pixels are.

    Args:
        value: As written.
        kind: Type of the pixels.
        used: Bits Stored.
    """
    value %= 2 ** (8 * kind.itemsize)
    if kind.kind == "i":
        for bits in (used, 8 * kind.itemsize):
            if 2 ** (bits - 1) <= value < 2**bits:
                return int(value - 2**bits)
    return value


def _number(part: Any) -> float | None:
    if isinstance(part, str):
        part = part.strip("\0 ").replace(",", ".")
    if part is None or part == "" or part == b"":
        return None
    value = float(part)
    return value if math.isfinite(value) else None
