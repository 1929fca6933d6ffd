"""DICOM and NIfTI files read in the sandbox: images, headers, de-identified copies.

This module neither parses nor decodes, so that it is light and nothing in a file can
harm whoever calls it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import window_values
from medmodel.core.processes import sandbox
from medmodel.core.pseudonyms import patient_pseudonym, workspace_key
from medmodel.imaging.decoded_image import (
    HEAD,
    MAX_BYTES,
    DecodedImage,
    DecodeOptions,
)
from medmodel.imaging.windows import Window
from medmodel.language import _

Region = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom are outside."""

_VALUE_REPRESENTATIONS = b"AE AS AT CS DA DS DT IS LO LT PN SH SQ ST TM UI UL US UN"


@dataclass(frozen=True)
class HeaderRow:
    """One element of a DICOM header.

    Args:
        tag: `(gggg,eeee)`, with the path to it where it stands in a sequence.
        keyword: Its name.
        value: As text, shortened; None where it is identifying and was not asked for.
        identifying: Whether it may tell who the patient is.
    """

    tag: str
    keyword: str
    value: str | None
    identifying: bool


@dataclass(frozen=True)
class Provenance:
    """How a DICOM image was taken.

    Args:
        day: When; None where its header does not say.
        patient_id: Pseudonym of the patient's number; "" where it has none.
        patient_name: Likewise of the name.
        born: Likewise of the date of birth.
        scanner: Maker, model and serial number; "" where it does not say.
    """

    day: date | None = None
    patient_id: str = ""
    patient_name: str = ""
    born: str = ""
    scanner: str = ""


@dataclass(frozen=True)
class Deidentified:
    """A copy of a DICOM file without whom it shows.

    Args:
        data: The file.
        warnings: Sentences on what may still identify somebody, such as text in the
            image; empty if nothing is known of.
        regions: Parts of the image that probably hold text, worth blacking out.
    """

    data: bytes
    warnings: list[str]
    regions: list[Region]


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM: by its mark, else by its first element.

    Old files have neither preamble nor file meta information; they begin with an
    element of group 0002 or 0008, followed by one of the same group.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16:
        return False
    return _begins_with_element(head, "<") or _begins_with_element(head, ">")


def _begins_with_element(head: bytes, order: str) -> bool:
    """Whether an element of group 0002 or 0008 and another of the same group follow.

    In big endian every element says its value representation (PS3.5 A.3).
    """
    group, element, size = struct.unpack(f"{order}HHI", head[:8])
    if group not in (2, 8) or element > 0x20:
        return False
    if head[4:6].isalpha() and head[4:6] in _VALUE_REPRESENTATIONS:
        size = struct.unpack(f"{order}H", head[6:8])[0]
    elif order == ">":
        return False
    if size % 2 or size > 100:
        return False
    next_group = head[8 + size : 10 + size]
    return next_group in (struct.pack(f"{order}H", 2), struct.pack(f"{order}H", 8))


def is_nifti(head: bytes) -> bool:
    """Whether a file that begins so is NIfTI, compressed or not, either byte order."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = gunzip(head, 64)
        except zlib.error:
            return False
    for order in "<>":
        if len(head) < 42:
            return False
        (size,) = struct.unpack(f"{order}i", head[:4])
        if size == 348:
            return bool(1 <= struct.unpack(f"{order}h", head[40:42])[0] <= 7)
        if size == 540:
            return head[4:7] in (b"n+2", b"ni2")
    return False


def gunzip(data: bytes, size: int) -> bytes:
    """The first bytes that a gzip file holds; fewer where it is cut off.

    A file may be several ones in a row, as parallel compressors write it: RFC 1952 2.2.

    Args:
        data: The file, or its beginning.
        size: How many bytes are wanted.

    Raises:
        zlib.error: It is damaged.
    """
    with_gzip_header = 31
    content = bytearray()
    while len(content) < size and data[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(with_gzip_header)
        content += member.decompress(data, size - len(content))
        data = member.unused_data
    return bytes(content)


def decode_dicom(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One frame of a DICOM file.

    Raises:
        ImageError: It is no image, damaged, too large, constant, or of a kind for
            which there is no decoder.
    """
    return _decode(
        "medmodel.imaging.dicom.reading:read",
        data,
        name,
        options,
        frame=options.frame,
        square_pixels=options.square_pixels,
        ct_as_soft_tissue=options.window == "auto",
    )


def decode_nifti(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One slice of a NIfTI volume.

    Raises:
        ImageError: It is damaged, too large or small, a mask, or has no such slice.
    """
    return _decode(
        "medmodel.imaging.nifti.reading:read",
        data,
        name,
        options,
        axis=options.axis,
        slice_number=options.frame,
        square_pixels=options.square_pixels,
    )


def _decode(
    function: str, data: bytes, name: str, options: DecodeOptions, **arguments: Any
) -> DecodedImage:
    """Calls a decoder in the sandbox; its patient's number becomes a stand-in."""
    fields = sandbox.ask(
        function,
        data,
        name,
        window=window_values(options.window),
        values=options.values,
        **arguments,
    )
    fields["patient"] = patient_pseudonym(fields["patient"])
    fields["window"] = Window(*fields["window"]) if fields["window"] else None
    return DecodedImage(**fields)


def header_rows(
    source: bytes | Path, name: str = "", reveal: bool = False
) -> list[HeaderRow]:
    """The header of a DICOM file, element by element.

    Args:
        source: The file.
        name: What to call it in messages.
        reveal: Whether identifying values are shown. Who asks for that belongs in the
            audit log.

    Raises:
        ImageError: The header is damaged.
    """
    answer = _ask_dicom(
        "medmodel.imaging.privacy.header_table:rows", source, name, {"reveal": reveal}
    )
    return [HeaderRow(*row) for row in answer["rows"]]


def read_provenance(source: bytes | Path, name: str = "") -> Provenance:
    """When, of whom and with which scanner a DICOM image was taken.

    The date is a patient's: to be shown only where the user asks for it.

    Args:
        source: The file.
        name: What to call it in messages.

    Raises:
        ImageError: It is no DICOM file, or its header is damaged.
    """
    answer = _ask_dicom("medmodel.imaging.dicom.provenance:read", source, name)
    return Provenance(
        day=date.fromisoformat(answer["date"]) if answer["date"] else None,
        patient_id=patient_pseudonym(answer["patient_id"]),
        patient_name=patient_pseudonym(answer["patient_name"]),
        born=patient_pseudonym(answer["born"]),
        scanner=answer["scanner"],
    )


def acquisition(source: bytes | Path, name: str = "") -> dict[str, str]:
    """Sex, age, scanner, site and view as a DICOM header has them; see `dicom`.

    An age is one of a person: to be made a band before anybody sees it.

    Args:
        source: The file.
        name: What to call it in messages.

    Raises:
        ImageError: It is no DICOM file, or its header is damaged.
    """
    return _ask_dicom("medmodel.imaging.dicom.acquisition:read", source, name)


def deidentify(
    source: bytes | Path, name: str = "", black_out: list[Region] | None = None
) -> Deidentified:
    """A copy without whom it shows; dates and UIDs shift alike in all of one's files.

    Args:
        source: The file; it is not changed.
        name: What to call it in messages.
        black_out: Parts of the image to make black, in all frames. The copy is then
            not compressed.

    Raises:
        ImageError: It cannot be read, or its pixels cannot be blacked out.
    """
    arguments = {"key": workspace_key().hex(), "black_out": black_out or []}
    answer = _ask_dicom(
        "medmodel.imaging.privacy.deidentify:deidentify", source, name, arguments
    )
    regions: list[Any] = [tuple(region) for region in answer["regions"]]
    return Deidentified(answer["data"], answer["warnings"], regions)


def _ask_dicom(
    function: str,
    source: bytes | Path,
    name: str,
    arguments: dict[str, Any] | None = None,
) -> dict[str, Any]:
    data, name = _content(source, name)
    if not is_dicom(data[:HEAD]):
        raise ImageError(_("{name} is not a DICOM file.", name=name))
    return sandbox.ask(
        function, data, name, seconds=sandbox.PAGE_SECONDS, **(arguments or {})
    )


def _content(source: bytes | Path, name: str) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, name or _("The file")
    name = name or source.name
    if source.stat().st_size > MAX_BYTES:
        raise ImageError(
            _(
                "{name} is larger than {megabytes} MB.",
                name=name,
                megabytes=MAX_BYTES // 10**6,
            )
        )
    return source.read_bytes(), name
