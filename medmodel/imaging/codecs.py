"""The stored values of one DICOM frame, whatever it was compressed with.

pydicom calls the decoders; this module adds what it lacks: a clear sentence for each
way to fail, and JPEG Extended with 12 bits. To be called in the sandbox only, since
some decoders crash on damaged files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
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

Stored = npt.NDArray[Any]

# PS3.6 A.1: JPEG 2000 and high-throughput JPEG 2000.
_JPEG_2000 = ("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")
# PS3.5 8.2.1 and 8.2.3: JPEG and JPEG-LS. Segments that tell the size of the image.
_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81))
_SIZE_MARKERS = (0xC0, 0xC1, 0xC2, 0xC3, 0xF7)

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


def stored_values(dataset: Dataset, name: str, frame: int) -> tuple[Stored, str]:
    """Decodes one frame.

    Args:
        dataset: With pixel data of a size that has been checked.
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
    try:
        if syntax == JPEGExtended12Bit and int(dataset.BitsStored) > 8:
            return _jpeg_extended(dataset, frame), str(
                dataset.PhotometricInterpretation
            )
        if (plain := _plain_values(dataset, syntax, frame)) is not None:
            return plain, str(dataset.PhotometricInterpretation)
        check_frames(dataset, name)
        decoder = _decoder(syntax, name)
        values, description = decoder.as_array(
            dataset, index=frame, raw=True, view_only=True
        )
    except DAMAGED as error:
        raise ImageError(
            f"{name} cannot be read: its pixel data ({_title(syntax)}) is damaged or "
            "incomplete. Export it again from its source."
        ) from error
    return values, str(description["photometric_interpretation"])


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
    if signed and stored < bits:
        return (values << (bits - stored)) >> (bits - stored)
    if not signed and values.max() >> stored:
        return values & values.dtype.type(2**stored - 1)
    return values


def check_variety(stored: npt.NDArray[Any], name: str) -> None:
    """Refuses images of a single value: a decoder that failed, or an empty image.

    Raises:
        ImageError: All pixels are equal.
    """
    flat = stored.reshape(-1, stored.shape[2]) if stored.ndim == 3 else stored.ravel()
    if (flat[::101] == flat[0]).all() and (flat == flat[0]).all():
        raise ImageError(
            f"{name} shows nothing: all pixels have the value "
            f"{', '.join(f'{value:g}' for value in np.atleast_1d(flat[0]))}."
        )


def _decoder(syntax: UID, name: str) -> Any:
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise ImageError(
            f"{name} is encoded as {_title(syntax)}, for which there is no decoder: "
            "export it uncompressed."
        ) from error
    if not decoder.is_available:
        raise ImageError(
            f"{name} is encoded as {_title(syntax)}, which needs the Python package "
            f"{package_for(syntax)}: install it, or export the file uncompressed."
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
        return "an unknown transfer syntax"
    return syntax.name


def _jpeg_extended(dataset: Dataset, frame: int) -> Stored:
    """JPEG Extended (Process 2 and 4) with 12 bits, by GDCM.

    pydicom refuses these, since older GDCM could not read them.

    Returns:
        uint16 (height, width).
    """
    import gdcm

    count = int(dataset.get("NumberOfFrames") or 1)
    coded = get_frame(dataset.PixelData, frame, number_of_frames=count)
    _check_scan(coded)
    height, width = int(dataset.Rows), int(dataset.Columns)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(coded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((width, height, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    kind = gdcm.TransferSyntax.GetTSType(str(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(kind))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    # GDCM hands char* over as text.
    decoded = image.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(decoded, "<u2").reshape(height, width)


def check_frames(dataset: Dataset, name: str) -> None:
    """Refuses JPEG files whose frames are not all of the size that the header says.

    Raises:
        ImageError: One frame has another size.
    """
    count = int(dataset.get("NumberOfFrames") or 1)
    if count == 1 or not transfer_syntax(dataset).startswith(_JPEG):
        return
    size = int(dataset.Rows), int(dataset.Columns)
    frames = generate_frames(dataset.PixelData, number_of_frames=count)
    for number, coded in enumerate(frames, 1):
        start = next((s for m, s in _segments(coded) if m in _SIZE_MARKERS), b"")
        height, width = struct.unpack(">HH", start[1:5]) if len(start) > 5 else size
        if (height, width) != size:
            raise ImageError(
                f"{name} cannot be read: its frame {number} has {width} × {height} "
                f"pixels instead of {size[1]} × {size[0]}."
            )


def _check_scan(coded: bytes) -> None:
    """Raises ValueError where a sequential JPEG has no full scan of one component.

    ITU T.81 B.2.3: a sequential scan goes from coefficient 0 to 63. Decoders differ
    in what they make of others.
    """
    full_scan = b"\x00\x3f"
    for marker, content in _segments(coded):
        if marker == 0xC1 and content[5] != 1:
            raise ValueError("more than one component")
        if marker == 0xDA:
            if content[-3:-1] != full_scan:
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
