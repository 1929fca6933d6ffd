"""DICOM pixel pipeline: one frame of a file to 8 bits, step by step as PS3.3 says.

modality LUT or rescale -> VOI LUT or window -> inversion -> colour. To be called in
the sandbox (`scans` does so), since damaged files may crash decoders.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, convert_color_space
from pydicom.uid import UID

from medmodel.core.errors import ImageError
from medmodel.imaging.codecs import DAMAGED, check_variety, stored_values
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.dicom_header import (
    image_elements,
    keep_elements,
    kept_elements,
)
from medmodel.imaging.lut import lookup_table
from medmodel.imaging.windows import (
    WINDOWS,
    Pixels,
    Values,
    Window,
    default_window,
    percentile_window,
    show,
)

MAX_PIXELS = 100_000_000
"""Pixels of one frame, told from the header before anything is decoded."""

_NO_PICTURES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation mask",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation mask",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose grid",
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
    "1.2.840.10008.1.3.10": "a DICOMDIR, a list of other files",
}
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2")
_MODALITY_KEYWORDS = ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept")
_VOI_KEYWORDS = ("VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction")


def read(
    data: bytes,
    name: str,
    frame: int = 0,
    window: Sequence[Any] | None = None,
    values: bool = False,
    ct_as_soft_tissue: bool = False,
) -> dict[str, Any]:
    """Decodes one frame.

    Args:
        data: The file.
        name: For messages.
        frame: From 0.
        window: Arguments of `Window`; None: the file's own, or an automatic one.
        values: Whether the answer includes `values`.
        ct_as_soft_tissue: Whether CT is shown so, whatever window the file asks for.

    Returns:
        The fields of `DecodedImage`; `patient` is in clear.

    Raises:
        ImageError: It is no image, damaged, too large, constant, or of a kind for
            which there is no decoder.
    """
    with warnings.catch_warnings():
        # pydicom warns of oddities that do not change the image.
        warnings.simplefilter("ignore")
        dataset = kept_elements(data) or image_elements(data) or parse(data, name)
        frames = check_image(dataset, name)
        if frames > 1:
            keep_elements(data, dataset)
        if not 0 <= frame < frames:
            raise ImageError(f"{name} has no frame {frame + 1}: it has {frames}.")
        stored, photometric = stored_values(dataset, name, frame)
        check_variety(stored, name)
        try:
            modality = _modality(dataset)
            asks = not (ct_as_soft_tissue and modality == "CT")
            header = frame_header(dataset, frame, windows=asks)
            if photometric not in _GREY:
                shown = _Shown(to_rgb(stored, dataset, photometric))
            else:
                wanted = Window(*window) if window else None
                shown = _show_grey(dataset, header, stored, photometric, wanted, values)
            bits = int(dataset.get("BitsStored") or 8)
            image = DecodedImage(
                pixels=shown.pixels,
                format="DICOM",
                mode=photometric if bits == 8 else f"{photometric}, {bits} bits",
                frames=frames,
                patient=patient(dataset),
                seen="" if window else shown.seen,
                modality=modality,
                values=shown.values if values else None,
                window=shown.window,
                inverted=photometric == "MONOCHROME1",
            )
        except DAMAGED as error:
            raise _damaged(name) from error
    return vars(image)


def parse(data: bytes, name: str) -> FileDataset:
    """The elements of a file, with or without preamble and file meta information.

    Raises:
        ImageError: It is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(data), force=True)
    except DAMAGED as error:
        raise _damaged(name) from error


def check_image(dataset: Dataset, name: str) -> int:
    """Refuses what is no image or too large; returns the number of frames.

    Raises:
        ImageError: For one of these reasons.
    """
    try:
        kind = _NO_PICTURES.get(str(dataset.get("SOPClassUID", ""))) or (
            _NO_PICTURES.get(str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
        )
        if kind:
            raise ImageError(f"{name} is no picture but {kind}.")
        if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
            raise ImageError(
                f"{name} is a DICOM file without a picture{_class_name(dataset)}."
            )
        height, width = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
    except DAMAGED as error:
        raise _damaged(name) from error
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels: "
            "scale it down before."
        )
    if height < 1 or width < 1 or frames < 1:
        raise ImageError(f"{name} has no pixels.")
    if samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise ImageError(
            f"{name} stores {samples} samples of {bits} bits per pixel, which cannot "
            "be shown: export it as grey or RGB."
        )
    return frames


class _Shown(NamedTuple):
    """Pixels, the values that they show, through which window, and why that one.

    Colours have pixels only.
    """

    pixels: Pixels
    values: Values | None = None
    window: Window | None = None
    seen: str = ""


def _show_grey(
    dataset: Dataset,
    header: Dataset,
    stored: npt.NDArray[Any],
    photometric: str,
    chosen: Window | None,
    all_values: bool,
) -> _Shown:
    """A frame's grey levels; the values are those of all pixels only if wanted."""
    table = None if all_values else lookup_table(stored, lambda v: _padding(v, dataset))
    counts = table.counts if table else None
    values = to_modality(table.values if table else stored, dataset, header)
    inverted = photometric == "MONOCHROME1"
    modality, seen = _modality(dataset), "as the file asks"
    window: Window | None
    if chosen is None and (grey := voi_lookup(values, header)) is not None:
        window = None
        pixels = show(grey, Window(127.5, 255, "LINEAR_EXACT"), inverted)
    else:
        window = asked = chosen or own_window(header)
        if window is None:
            intercept = header.get("RescaleIntercept")
            window = default_window(values, modality, intercept, counts)
        pixels = show(values, window, inverted)
        if chosen is None and (pixels == pixels.flat[0]).all():
            # The file's own window lies beside all values.
            asked, window = None, percentile_window(values, counts=counts)
            pixels = show(values, window, inverted)
        if asked is None:
            soft = window == WINDOWS["soft tissue"]
            seen = "as soft tissue" if soft else "by its own range"
    pixels = table.image(pixels) if table else pixels
    return _Shown(pixels, values, window, "CT " * (modality == "CT") + seen)


def _modality(dataset: Dataset) -> str:
    modality = str(dataset.get("Modality") or "")
    return modality if modality.isalnum() and len(modality) <= 16 else ""


def frame_header(dataset: Dataset, frame: int, windows: bool = True) -> Dataset:
    """The elements of one frame's lookup tables, from wherever they stand.

    In enhanced multi-frame files they stand in functional groups, those of the frame
    before those of all frames: PS3.3 C.7.6.16.2.9 and C.7.6.16.2.10.

    Args:
        dataset: The file.
        frame: From 0.
        windows: Whether the windows and VOI LUTs that the file asks for are among them.
    """
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    by_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if windows and not shared and not by_frame:
        return dataset
    header = Dataset()
    for keyword in _MODALITY_KEYWORDS + _VOI_KEYWORDS * windows:
        if keyword in dataset:
            header[keyword] = dataset[keyword]
    sequences = ["PixelValueTransformationSequence", *["FrameVOILUTSequence"] * windows]
    for group in [*shared[:1], *by_frame[frame : frame + 1]]:
        for keyword in sequences:
            for item in (group.get(keyword) or [])[:1]:
                header.update(item)
    return header


def to_modality(stored: npt.NDArray[Any], dataset: Dataset, header: Dataset) -> Values:
    """Stored values to the scanner's unit: Hounsfield units in CT.

    PS3.3 C.11.1: by the modality LUT, or value × Rescale Slope + Rescale Intercept.
    Padding around a round image becomes not-a-number (PS3.3 C.7.5.1.1.2).

    Returns:
        float32 (height, width).
    """
    header.file_meta = dataset.file_meta
    if header.get("ModalityLUTSequence") or stored.dtype.itemsize > 2:
        values = apply_modality_lut(stored, header).astype(np.float32)
    else:
        # The same in 32 bits, which hold all of these values exactly.
        values = stored.astype(np.float32)
        if "RescaleSlope" in header and "RescaleIntercept" in header:
            values *= np.float32(header.RescaleSlope)
            values += np.float32(header.RescaleIntercept)
    padding = _padding(stored, dataset)
    if padding is not None and padding.any() and not padding.all():
        values[padding] = np.nan
    return values


def _padding(
    stored: npt.NDArray[Any], dataset: Dataset
) -> npt.NDArray[np.bool_] | None:
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    last = last if isinstance(last, int) else value
    low, high = min(value, last), max(value, last)
    return np.asarray((stored >= low) & (stored <= high))


def voi_lookup(values: Values, header: Dataset) -> Values | None:
    """The image by the file's VOI LUT, 0 to 255; None if there is none.

    PS3.3 C.11.2.1.1: the table's first entry stands for values up to the first one
    mapped, the last for all beyond.
    """
    tables = header.get("VOILUTSequence")
    if not tables:
        return None
    count, first, bits = (int(n) for n in tables[0].LUTDescriptor)
    entries = tables[0].LUTData
    if isinstance(entries, bytes):
        order = "<" if header.file_meta.TransferSyntaxUID.is_little_endian else ">"
        wide = len(entries) >= 2 * (count or 2**16)
        entries = np.frombuffer(entries, f"{order}u2" if wide else "u1")
    table = np.asarray(entries, np.float32)[: count or 2**16]
    if first > 2**15 and np.nanmin(values) < 0:
        first -= 2**16  # written as unsigned though values are signed
    position = np.nan_to_num(values - first).clip(0, len(table) - 1).astype(np.intp)
    shown = table[position] * (255 / np.float32(max(2**bits - 1, 1)))
    shown[np.isnan(values)] = np.nan
    return shown


def own_window(header: Dataset) -> Window | None:
    """The first window that the file asks for; None if there is none that is valid.

    PS3.3 C.11.2.1.2: width at least 1 for LINEAR, above 0 otherwise.
    """
    centers, widths = header.get("WindowCenter"), header.get("WindowWidth")
    if centers in (None, "") or widths in (None, ""):
        return None
    center = float(np.atleast_1d(np.asarray(centers, np.float64))[0])
    width = float(np.atleast_1d(np.asarray(widths, np.float64))[0])
    shape = str(header.get("VOILUTFunction") or "LINEAR")
    if shape not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        shape = "LINEAR"
    if not (np.isfinite(center) and 0 < width < np.inf):
        return None
    if shape == "LINEAR" and width < 1:
        return None
    return Window(center, width, shape)  # type: ignore[arg-type]


def to_rgb(stored: npt.NDArray[Any], dataset: Dataset, photometric: str) -> Pixels:
    """Palette colours and YBR to RGB of 8 bits.

    PS3.3 C.7.6.3.1.2 (YBR_FULL, YBR_FULL_422) and C.7.9 (palette).

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: The photometric interpretation is none of these.
    """
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        # Tables of 16 bits whose entries use 8 only exist, too: PS3.3 C.7.6.3.1.5.
        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        if stored.dtype != np.uint8 and stored.max() < 256:
            bits = 8
    else:
        bits = int(dataset.BitsStored)
        if photometric in ("YBR_FULL", "YBR_FULL_422"):
            stored = convert_color_space(stored, photometric, "RGB")
        elif photometric != "RGB":
            raise ValueError(f"colours as {photometric}")
    if stored.dtype == np.uint8:
        return np.ascontiguousarray(stored)
    scaled = stored.astype(np.float32) * (255 / np.float32(2**bits - 1))
    return scaled.clip(0, 255).round().astype(np.uint8)


def patient(dataset: Dataset) -> str:
    """Whom the image shows, in clear; empty if the file does not say.

    The same number may be another person in another hospital, so the issuer counts.
    """
    number = str(dataset.get("PatientID") or "").strip()
    if not number:
        return ""
    return f"{str(dataset.get('IssuerOfPatientID') or '').strip()}|{number}"


def _class_name(dataset: Dataset) -> str:
    """What kind of file it is; nothing else of a header goes into a message."""
    kind = UID(str(dataset.get("SOPClassUID") or ""))
    named = kind.is_valid and not kind.is_private and kind.name != kind
    return f" ({kind.name})" if named else ""


def _damaged(name: str) -> ImageError:
    return ImageError(
        f"{name} cannot be read: its DICOM header is damaged or incomplete. "
        "Export it again from its source."
    )
