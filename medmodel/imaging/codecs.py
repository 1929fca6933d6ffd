"""The stored values of one DICOM frame, whatever it was compressed with.

pydicom calls the decoders; what it lacks or refuses is read by imagecodecs, and each
way to fail has a clear sentence. To be called in the sandbox only, since some decoders
crash on damaged files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames, get_frame
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    RLELossless,
)

from medmodel.core.errors import DECODER_ERRORS, ImageError
from medmodel.imaging.dicom.elements import DamagedElement, number, text
from medmodel.language import _

Stored = npt.NDArray[Any]

# PS3.6 A.1: JPEG 2000 and high-throughput JPEG 2000.
_JPEG_2000 = ("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")
# PS3.5 8.2.1 and 8.2.3: JPEG and JPEG-LS. Segments that tell the size of the image.
_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81))
_SIZE_MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xF7)

_OF_IMAGECODECS = {
    # PS3.6 A.1; transfer syntax -> decoder. JPEG-LS of 6 and 7 bits and JPEG of 12 bits
    # are refused by others; JPEG XL and JPEG in several scans (53, 55) have no other.
    **{f"1.2.840.10008.1.2.4.{n}": "jpeg8" for n in (50, 51, 53, 55, 57, 70)},
    **{f"1.2.840.10008.1.2.4.{n}": "jpegls" for n in (80, 81)},
    **{f"1.2.840.10008.1.2.4.{n}": "jpeg2k" for n in (90, 91)},
    **{f"1.2.840.10008.1.2.4.{n}": "jpegxl" for n in (110, 111, 112)},
    **{f"1.2.840.10008.1.2.4.{n}": "htj2k" for n in (201, 202, 203)},
}
_TITLES = {
    # Younger than pydicom's own list.
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}
_YBR = "YBR"
_EXTENDED_SEQUENTIAL = 0xC1
_JFIF, _ADOBE = 0xE0, 0xEE
"""Segments of a JPEG that tell what its colours are."""

DAMAGED = (*DECODER_ERRORS, BytesLengthException, InvalidDicomError)
"""What pydicom and its decoders are known to raise on damaged files."""


def transfer_syntax(dataset: Dataset) -> UID:
    """How the file is encoded; files without file meta information are guessed.

    PS3.5 10.1 makes Implicit VR Little Endian the default.
    """
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return UID(str(named))
    implicit, little = dataset.original_encoding
    if implicit or implicit is None:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def complete_header(dataset: Dataset) -> None:
    """Fills in what an element that is empty, missing or impossible must have said.

    Raises:
        DamagedElement: There is no size, or no number where one must be.
    """
    photometric = text(dataset, "PhotometricInterpretation")
    colour = bool(photometric) and photometric.startswith(("RGB", _YBR))
    samples = int(number(dataset, "SamplesPerPixel") or (3 if colour else 1))
    facts: dict[str, Any] = {
        "PhotometricInterpretation": photometric
        or ("RGB" if samples == 3 else "MONOCHROME2"),
        "SamplesPerPixel": samples,
    }
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        if (value := number(dataset, keyword)) is None:
            raise DamagedElement(keyword)
        facts[keyword] = int(value)
    allocated = facts["BitsAllocated"]
    used = int(number(dataset, "BitsStored") or 0)
    used = facts["BitsStored"] = used if 0 < used <= allocated else allocated
    high = number(dataset, "HighBit")
    valid = high is not None and used <= high + 1 <= allocated
    facts["HighBit"] = int(high or 0) if valid else used - 1
    facts["PixelRepresentation"] = int(number(dataset, "PixelRepresentation") == 1)
    if samples > 1:
        facts["PlanarConfiguration"] = int(number(dataset, "PlanarConfiguration") == 1)
    for keyword, fact in facts.items():
        if dataset.get(keyword) != fact:
            # A new element: the old one may be that of other files, too.
            tag = tag_for_keyword(keyword) or 0
            dataset.add_new(tag, dictionary_VR(tag), fact)


def stored_values(dataset: Dataset, name: str, frame: int) -> tuple[Stored, str]:
    """Decodes one frame.

    Args:
        dataset: With a header that is complete and of a size that has been checked.
        name: For messages.
        frame: From 0.

    Returns:
        Values as stored, (height, width) or (height, width, 3), and their photometric
        interpretation, which decoders may have changed (JPEG 2000 becomes RGB).

    Raises:
        ImageError: There is no decoder, or the pixel data is damaged.
    """
    syntax = transfer_syntax(dataset)
    dataset.file_meta.TransferSyntaxUID = syntax
    if is_native(syntax) and _is_encapsulated(dataset):
        raise ImageError(
            _(
                "{name} cannot be read: its pixel data is compressed, while its "
                "header says {transfer_syntax}. Export it again from its source.",
                name=name,
                transfer_syntax=_title(syntax),
            )
        )
    try:
        if (plain := _plain_values(dataset, syntax, frame)) is not None:
            return plain, str(dataset.PhotometricInterpretation)
        return _decoded(dataset, syntax, name, frame)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(
            _(
                "{name} cannot be read: its pixel data ({transfer_syntax}) is "
                "damaged or incomplete. Export it again from its source.",
                name=name,
                transfer_syntax=_title(syntax),
            )
        ) from error


def is_native(syntax: UID) -> bool:
    """Whether pixel data is written as it is, not in items: PS3.5 A.4."""
    return syntax.is_transfer_syntax and not syntax.is_encapsulated


def _is_encapsulated(dataset: Dataset) -> bool:
    """Whether pixel data is written in items of its own: PS3.5 A.4."""
    return "PixelData" in dataset and dataset["PixelData"].is_undefined_length


def _decoded(
    dataset: Dataset, syntax: UID, name: str, frame: int
) -> tuple[Stored, str]:
    """By the decoders of pydicom, else by imagecodecs."""
    codec = _OF_IMAGECODECS.get(syntax)
    if codec and (syntax in _TITLES or _has_more_than_8_bits(dataset, syntax)):
        return _by_imagecodecs(dataset, codec, frame)
    if is_native(syntax):
        return _native(dataset, syntax, frame)
    try:
        decoder = _decoder(syntax, name)
        values, description = decoder.as_array(
            dataset, index=frame, raw=True, view_only=True
        )
    except Exception:
        if codec is None:
            raise
        return _by_imagecodecs(dataset, codec, frame)
    return _signed(values, dataset), str(description["photometric_interpretation"])


def _signed(values: Stored, dataset: Dataset) -> Stored:
    """Signed values that were compressed as if they were not, which some codecs ask."""
    used, unused = int(dataset.BitsStored), 8 * values.itemsize - dataset.BitsStored
    if dataset.PixelRepresentation == 0 or unused <= 0 or values.min() < 0:
        return values
    if not 2 ** (used - 1) <= values.max() < 2**used:
        return values
    return (values.view(values.dtype.str.replace("u", "i")) << unused) >> unused


def _has_more_than_8_bits(dataset: Dataset, syntax: UID) -> bool:
    return syntax == JPEGExtended12Bit and int(dataset.BitsStored) > 8


def _native(dataset: Dataset, syntax: UID, frame: int) -> tuple[Stored, str]:
    """Pixel data that is not compressed, but of big endian, colour, a bit, floats."""
    photometric = str(dataset.PhotometricInterpretation)
    options: dict[str, Any] = {"raw": True, "view_only": True}
    options["correct_unused_bits"] = False  # that of another high bit comes before
    halved = photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")
    if halved:
        pixels = dataset.Rows * dataset.Columns * int(dataset.get("NumberOfFrames", 1))
        whole = len(dataset.PixelData) >= 3 * pixels * dataset.BitsAllocated // 8
        # Where every pixel has colours of its own, only the name is wrong.
        options["photometric_interpretation"] = "YBR_FULL" if whole else "YBR_FULL_422"
    values, _ = get_decoder(syntax).as_array(dataset, index=frame, **options)
    if values.dtype.kind in "iu" and dataset.BitsAllocated > 1:
        values = _lowest_bits(values, dataset)
    return values, photometric


def _plain_values(dataset: Dataset, syntax: UID, frame: int) -> Stored | None:
    """Grey that is not compressed, which needs no decoder; None if it is otherwise.

    PS3.5 8.1.1: a value lies in the lowest bits of its cell, the others say nothing.

    Returns:
        A view of the file, (height, width), where that is possible.
    """
    bits, stored = dataset.get("BitsAllocated"), dataset.get("BitsStored")
    if (
        syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
        or dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2")
        or dataset.SamplesPerPixel != 1
        or dataset.get("PixelRepresentation") not in (0, 1)
        or (bits not in (8, 16) or not isinstance(stored, int))
        or not (0 < stored <= bits and isinstance(dataset.get("PixelData"), bytes))
    ):
        return None
    shape = int(dataset.Rows), int(dataset.Columns)
    signed, count = dataset.PixelRepresentation == 1, shape[0] * shape[1]
    size, frames = count * bits // 8, int(dataset.get("NumberOfFrames") or 1)
    if len(dataset.PixelData) < frames * size:
        return None  # pydicom will refuse it
    kind = f"<{'i' if signed else 'u'}{bits // 8}"
    values = np.frombuffer(dataset.PixelData, kind, count, frame * size).reshape(shape)
    return _lowest_bits(values, dataset)


def _lowest_bits(values: Stored, dataset: Dataset) -> Stored:
    """Values without the bits of their cells that say nothing: PS3.5 8.1.1.

    In old files they lie in the upper bits, as High Bit then says. Where that is said,
    but the upper bits are empty and the lowest are not, it is a mistake.
    """
    used, cell = int(dataset.BitsStored), 8 * values.itemsize
    below = int(dataset.HighBit) + 1 - used
    if below:
        cells = values.view(values.dtype.str.replace("i", "u"))
        if not ((cells & (2**below - 1)).any() and not (cells >> used).any()):
            values = values >> below
    if values.dtype.kind == "i" and used < cell:
        return (values << (cell - used)) >> (cell - used)
    if values.dtype.kind == "u" and used < cell and values.max() >> used:
        return values & values.dtype.type(2**used - 1)
    return values


def is_constant(values: npt.NDArray[Any]) -> bool:
    """Whether all pixels are equal: a decoder that failed, or an empty image.

    Args:
        values: (height, width), (height, width, channels) or (pixels, channels).
    """
    if not values.size:
        return True
    flat = values.reshape(-1, values.shape[-1]) if values.ndim == 3 else values.ravel()
    return bool((flat[::101] == flat[0]).all() and (flat == flat[0]).all())


def _decoder(syntax: UID, name: str) -> Any:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise ImageError(
            _(
                "{name} is encoded as {transfer_syntax}, for which there is no "
                "decoder: export it uncompressed.",
                name=name,
                transfer_syntax=_title(syntax),
            )
        ) from error
    if not decoder.is_available:
        raise ImageError(
            _(
                "{name} is encoded as {transfer_syntax}, which needs the Python "
                "package {package}: install it, or export the file uncompressed.",
                name=name,
                transfer_syntax=_title(syntax),
                package=package_for(syntax),
            )
        )
    return decoder


def package_for(syntax: UID) -> str:
    """The package that decodes a compressed transfer syntax."""
    if syntax.startswith(_JPEG_2000):
        return "pylibjpeg-openjpeg"
    return "pylibjpeg-rle" if syntax == RLELossless else "python-gdcm"


def _title(syntax: UID) -> str:
    """Name of a transfer syntax; a private or unknown one is told by its number."""
    if not syntax.is_valid:
        return _("an unknown transfer syntax")
    return _TITLES.get(syntax, syntax.name)


def _by_imagecodecs(dataset: Dataset, codec: str, frame: int) -> tuple[Stored, str]:
    """One frame by imagecodecs.

    Raises:
        ValueError: What was decoded is not of the size or type that the header says.
    """
    import imagecodecs

    coded = _coded_frame(dataset, frame)
    photometric, options = str(dataset.PhotometricInterpretation), {}
    if codec == "jpeg8":
        _check_scan(coded)
    if codec in ("jpeg8", "jpegxl") and dataset.SamplesPerPixel == 3:
        if codec == "jpeg8":
            options = {"outcolorspace": "rgb"} | _colour_space(coded, photometric)
        photometric = "RGB"
    elif photometric.startswith(_YBR) and codec in ("jpeg2k", "htj2k"):
        photometric = "RGB"
    values: Stored = getattr(imagecodecs, f"{codec}_decode")(coded, **options)
    size = int(dataset.Rows), int(dataset.Columns)
    samples = int(dataset.SamplesPerPixel)
    if values.shape not in ((*size, samples), size if samples == 1 else ()):
        raise ValueError("decoded to another size")
    if values.dtype.kind not in "iu" or values.itemsize > 2:
        raise ValueError("decoded to another type")
    values = values.reshape(size if samples == 1 else (*size, samples))
    if dataset.PixelRepresentation == 1 and values.dtype.kind == "u":
        values = values.view(values.dtype.str.replace("u", "i"))
    return _signed(values, dataset), photometric


def _coded_frame(dataset: Dataset, frame: int) -> bytes:
    offsets = dataset.get("ExtendedOffsetTable")
    lengths = dataset.get("ExtendedOffsetTableLengths")
    return get_frame(
        dataset.PixelData,
        frame,
        number_of_frames=int(dataset.get("NumberOfFrames", 1)),
        extended_offsets=(offsets, lengths) if offsets and lengths else None,
    )


def _colour_space(coded: bytes, photometric: str) -> dict[str, str]:
    """Colours of a JPEG: its own marker says which, else the DICOM header."""
    markers = dict(_segments(coded))
    if _JFIF in markers or markers.get(_ADOBE, b"").startswith(b"Adobe"):
        return {}
    return {"colorspace": "ycbcr" if photometric.startswith(_YBR) else "rgb"}


def check_frames(dataset: Dataset, name: str) -> None:
    """Refuses JPEG files whose frames are not all of the size that the header says.

    Raises:
        ImageError: One frame has another size.
    """
    count = int(dataset.get("NumberOfFrames") or 1)
    if transfer_syntax(dataset) not in _JPEG:
        return
    size = int(dataset.Rows), int(dataset.Columns)
    frames = generate_frames(dataset.PixelData, number_of_frames=count)
    for frame, coded in enumerate(frames, 1):
        start = next((s for m, s in _segments(coded) if m in _SIZE_MARKERS), b"")
        height, width = struct.unpack(">HH", start[1:5]) if len(start) > 5 else size
        if (height, width) != size:
            raise ImageError(
                _(
                    "{name} cannot be read: its frame {frame} has {width} × {height} "
                    "pixels instead of {columns} × {rows}.",
                    name=name,
                    frame=frame,
                    width=width,
                    height=height,
                    columns=size[1],
                    rows=size[0],
                )
            )


def _check_scan(coded: bytes) -> None:
    """Raises ValueError where a JPEG has no scan, or a sequential one no full scan.

    ITU T.81 B.2.3: a sequential scan goes from coefficient 0 to 63. Decoders differ
    in what they make of others.
    """
    full_scan, sequential = b"\x00\x3f", False
    for marker, content in _segments(coded):
        sequential = sequential or marker == _EXTENDED_SEQUENTIAL
        if marker == 0xDA:
            if sequential and content[-3:-1] != full_scan:
                raise ValueError("incomplete scan")
            return
    raise ValueError("no scan")


def _segments(coded: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of a JPEG's segments up to the first scan: ITU T.81 B.1.1."""
    at = 2
    while at + 4 <= len(coded) and coded[at] == 0xFF:
        marker, length = coded[at + 1], int.from_bytes(coded[at + 2 : at + 4], "big")
        yield marker, coded[at + 4 : at + 2 + length]
        if marker == 0xDA:
            return
        at += 2 + length
