"""A frame's stored values to grey levels or colours of 8 bits, PS3.3 C.11.

modality LUT or rescale -> square pixels -> VOI LUT or window -> inversion -> colour.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space

from medmodel.core.errors import ImageError
from medmodel.imaging.channels import to_grey_levels
from medmodel.imaging.codecs import (
    is_constant,
)
from medmodel.imaging.dicom.elements import (
    file_window,
    levels,
    number,
    padding_mask,
    rescale,
)
from medmodel.imaging.dicom.lookup_tables import (
    LookupTable,
    modality_table,
    palette_colours,
    supplemental_colours_from,
    through_table,
    voi_tables,
)
from medmodel.imaging.lut import lookup_table
from medmodel.imaging.scaling import isotropic
from medmodel.imaging.windows import (
    WINDOWS,
    Pixels,
    Values,
    Window,
    default_window,
    show,
)
from medmodel.language import N_, _

GREY = ("MONOCHROME1", "MONOCHROME2")
OF_JPEG_2000 = ("YBR_ICT", "YBR_RCT")
"""Its decoder makes RGB of them; in other encodings they mean nothing."""
COLOURS = (
    "PALETTE COLOR",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_PARTIAL_422",
    *OF_JPEG_2000,
)
OF_3_SAMPLES = COLOURS[1:]
_NOT_OFFERED = ("ARGB", "CMYK", "HSV", "YBR_PARTIAL_420", "XYB")
"""What else PS3.3 C.7.6.3.1.2 names: whatever else stands there may tell a patient."""
_OWN_RANGE = N_("by its own range")
_FULL_RANGE = N_("by the full range of its bits")
_OF_CT = (
    N_("CT as the file asks"),
    N_("CT as soft tissue"),
    N_("CT by its own range"),
    N_("CT by the full range of its bits"),
)
"""What is said of CT, for the translations."""
_WHOLE_RANGE = Window(127.5, 255, "LINEAR_EXACT")


def not_offered(name: str, photometric: str) -> ImageError:
    """The refusal of a photometric interpretation that cannot be shown."""
    kind = photometric if photometric in (*COLOURS, *_NOT_OFFERED) else "unknown"
    return ImageError(
        _(
            "{name} cannot be shown: its photometric interpretation is {kind}. "
            "Export it as grey or RGB.",
            name=name,
            kind=kind,
        )
    )


class Frame(NamedTuple):
    """A frame: its file, its number from 0, its stored values as `codecs` has them.

    `size` is that of a pixel, (height, width) in any unit.
    """

    dataset: Dataset
    frame: int
    stored: npt.NDArray[Any]
    photometric: str
    size: tuple[float, float]
    name: str


class Shown(NamedTuple):
    """Pixels, the values that they show, through which window, and why that one.

    Colours have pixels only.
    """

    pixels: Pixels
    values: Values | None = None
    window: Window | None = None
    seen: str = ""


def show_frame(
    frame: Frame, chosen: Window | None, all_values: bool, ct_as_soft_tissue: bool
) -> Shown:
    """Grey levels or colours, with square pixels.

    Raises:
        ImageError: There is no conversion to RGB, or nothing is shown.
    """
    if frame.photometric in OF_JPEG_2000:
        raise not_offered(frame.name, frame.photometric)
    first = supplemental_colours_from(frame.dataset)
    if frame.photometric in GREY and first is None:
        return _show_grey(frame, chosen, all_values, ct_as_soft_tissue)
    if frame.photometric in GREY:
        pixels = _with_supplemental_colours(frame, first or 0)
    else:
        pixels = to_rgb(frame.stored, frame.dataset, frame.photometric, frame.name)
    return Shown(isotropic(pixels, *frame.size))


def _show_grey(
    grey: Frame, chosen: Window | None, all_values: bool, ct_as_soft_tissue: bool
) -> Shown:
    """A frame's grey levels; the values are those of all pixels only if wanted."""
    dataset, stored = grey.dataset, grey.stored
    every_pixel = all_values or grey.size[0] != grey.size[1]
    table = (
        None
        if every_pixel
        else lookup_table(stored, lambda v: padding_mask(v, dataset))
    )
    measured = to_modality(table.values if table else stored, dataset, grey.frame)
    _check_variety(measured, grey.name)
    modality, inverted = modality_of(dataset), grey.photometric == "MONOCHROME1"
    values = isotropic(measured, *grey.size) if every_pixel else measured
    views: list[Window | LookupTable] = [chosen] if chosen else []
    if not chosen and not (ct_as_soft_tissue and modality == "CT"):
        views = file_views(dataset, grey.frame)
    for view in views:
        pixels, window, seen = *_through(values, view, inverted), _("as the file asks")
        if chosen or not is_constant(pixels[np.isfinite(values)]):
            break
    else:  # none, or they lie beside all values
        intercept = (rescale(dataset, grey.frame) or (1.0, 0.0))[1]
        counts = table.counts if table else None
        window = default_window(measured, modality, intercept, counts)
        full = None if views else _full_range(grey)
        seen = _(_OWN_RANGE)
        if window == WINDOWS["soft tissue"]:
            seen = _("as soft tissue")
        elif full is not None:
            window, seen = full, _(_FULL_RANGE)
        pixels = show(values, window, inverted)
    pixels = table.image(pixels) if table else pixels
    return Shown(pixels, values, window, "CT " * (modality == "CT") + seen)


def _full_range(grey: Frame) -> Window | None:
    """The window of all values that so few bits can hold, as in any 8-bit image.

    Without a VOI LUT or window, nothing says that less than the stored range is to be
    shown: PS3.3 C.11.2. Of more bits most are unused, as a rule. None for more than 8
    bits, for what lies beside them, and where a table makes the values.
    """
    stored, bits = grey.stored, int(grey.dataset.BitsStored)
    if bits > 8 or stored.dtype.kind not in "iu" or modality_table(grey.dataset):
        return None
    half = 2 ** (bits - 1)
    signed = int(number(grey.dataset, "PixelRepresentation") or 0) == 1
    low, high = (-half, half - 1) if signed else (0, 2 * half - 1)
    if stored.min() < low or stored.max() > high:
        return None
    slope, intercept = rescale(grey.dataset, grey.frame) or (1.0, 0.0)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return Window(sum(ends) / 2, ends[1] - ends[0], "LINEAR_EXACT")


def _with_supplemental_colours(grey: Frame, first: int) -> Pixels:
    """Grey levels, and from a stored value on the colours of a palette.

    PS3.3 C.7.6.19 and C.8.16.2.1.1.1: Supplemental Palette Color Lookup Table.

    Returns:
        uint8 (height, width, 3).
    """
    pixels, coloured = palette_colours(grey.stored, grey.dataset), grey.stored >= first
    if coloured.all():
        return pixels
    plain = np.where(coloured, grey.stored[~coloured].min(), grey.stored)
    levels = np.zeros((*plain.shape, 1), np.uint8)
    if not is_constant(plain):
        plain_frame = grey._replace(stored=plain, size=(1.0, 1.0))
        levels = _show_grey(plain_frame, None, False, False).pixels
    return np.where(coloured[..., None], pixels, levels)


def _through(
    values: Values, view: Window | LookupTable, inverted: bool
) -> tuple[Pixels, Window | None]:
    if isinstance(view, Window):
        return show(values, view, inverted), view
    return show(through_table(values, view), _WHOLE_RANGE, inverted), None


def file_views(dataset: Dataset, frame: int) -> list[Window | LookupTable]:
    """The VOI LUTs and windows that a file asks for, what counts first in front.

    PS3.3 C.11.2 and, for frames, C.7.6.16.2.10.
    """
    views: list[Window | LookupTable] = []
    for level in levels(dataset, frame, "FrameVOILUTSequence"):
        views += voi_tables(level, dataset)
        window = file_window(level)
        views += [window] if window else []
    return views


def modality_of(dataset: Dataset) -> str:
    """Its Modality, such as CT; empty where it is none: it may tell a patient."""
    modality = str(dataset.get("Modality") or "")
    return modality if modality.isalnum() and len(modality) <= 16 else ""


def to_modality(stored: npt.NDArray[Any], dataset: Dataset, frame: int) -> Values:
    """Stored values to the scanner's unit: Hounsfield units in CT.

    PS3.3 C.11.1: by the modality LUT, or value × Rescale Slope + Rescale Intercept.
    Padding around a round image becomes not-a-number (PS3.3 C.7.5.1.1.2), as does what
    is not finite.

    Returns:
        float32 (height, width).
    """
    table, scale = modality_table(dataset), rescale(dataset, frame)
    padding = padding_mask(stored, dataset)
    if padding is not None and (padding.all() or not padding.any()):
        padding = None
    if table is not None:
        inside = stored if padding is None else stored[~padding]
        values = table.entries_of(stored, inside).astype(np.float32)
    else:
        # 32 bits hold all values of 16 exactly.
        wide = np.float64 if stored.dtype.itemsize > 2 else np.float32
        scaled: npt.NDArray[Any] = stored.astype(wide)
        if scale is not None:
            scaled *= wide(scale[0])
            scaled += wide(scale[1])
        with np.errstate(over="ignore"):
            values = scaled.astype(np.float32)
    if stored.dtype.kind == "f":
        values[~np.isfinite(values)] = np.nan
    if padding is not None:
        values[padding] = np.nan
    return values


def _check_variety(values: Values, name: str) -> None:
    """Raises `ImageError` where values do not differ, or none is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ImageError(
            _("{name} shows nothing: no pixel has a value that is finite.", name=name)
        )
    if finite.min() == finite.max():
        raise ImageError(
            _(
                "{name} shows nothing: without padding, and rescaled as it asks, "
                "all pixels have the value {value:g}.",
                name=name,
                value=finite[0],
            )
        )


def to_rgb(
    stored: npt.NDArray[Any], dataset: Dataset, photometric: str, name: str
) -> Pixels:
    """Palette colours and YBR to RGB of 8 bits.

    PS3.3 C.7.6.3.1.2 (YBR_FULL, YBR_FULL_422, YBR_PARTIAL_422). RGB of more bits is
    shown by its own range, as in all other formats.

    Returns:
        uint8 (height, width, 3).

    """
    if photometric == "PALETTE COLOR":
        return palette_colours(stored, dataset)
    if photometric == "RGB":
        return to_grey_levels(stored, int(dataset.BitsStored), name)
    if stored.dtype != np.uint8 or int(dataset.BitsStored) < 8:
        scale = np.float32(255) / np.float32(2 ** int(dataset.BitsStored) - 1)
        stored = (stored * scale).clip(0, 255).round().astype(np.uint8)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        stored = convert_color_space(stored, photometric, "RGB")
    else:
        stored = _from_partial_range(stored)
    return np.ascontiguousarray(stored)


def _from_partial_range(stored: Pixels) -> Pixels:
    """Colours of video, whose luminance runs from 16 to 235, to RGB: ITU-R BT.601."""
    luminance, blue, red = (stored[..., n].astype(np.float32) for n in range(3))
    luminance = (luminance - 16) * np.float32(255 / 219)
    blue, red = ((c - 128) * np.float32(255 / 224) for c in (blue, red))
    colours = np.stack(
        [
            luminance + 1.402 * red,
            luminance - 0.344136 * blue - 0.714136 * red,
            luminance + 1.772 * blue,
        ],
        axis=-1,
    )
    return colours.clip(0, 255).round().astype(np.uint8)
