"""Pictures from scanners: DICOM and NIfTI, by content, whatever the file is called.

All reading happens in the sandbox; this module neither parses nor decodes, so that it
is light and nothing in a file can harm whoever calls it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from medmodel.core import sandbox
from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import window_values
from medmodel.core.pseudonyms import patient_pseudonym, workspace_key
from medmodel.core.samples import Axis
from medmodel.imaging.windows import Frame, Pixels, Window

Region = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom are outside."""

HEAD = 512
"""Bytes that suffice to recognise every format, NIfTI even when compressed."""
MAX_BYTES = 1_000_000_000

_VALUE_REPRESENTATIONS = b"AE AS AT CS DA DS DT IS LO LT PN SH SQ ST TM UI UL US UN"


@dataclass(frozen=True)
class ReadOptions:
    """What to take from a file, and how to show it.

    Args:
        window: None: the window that the file asks for, else an automatic one.
        frame: DICOM frame or NIfTI volume, from 0.
        axis: How a NIfTI volume is sliced.
        slice_number: NIfTI slice along the axis, from 0; -1 is the middle.
        alike: Whether CT without a given window is seen as soft tissue, whatever
            the file asks for.
    """

    window: Window | None = None
    frame: int = 0
    axis: Axis = "axial"
    slice_number: int = -1
    alike: bool = False


@dataclass(frozen=True)
class Scan:
    """A picture and what its file said about it.

    Args:
        pixels: uint8 (height, width, 1 or 3).
        format: DICOM or NIfTI.
        mode: How the file stores colours: MONOCHROME2, RGB, int16, ...
        frames: Frames of a DICOM file, slices along the axis of a NIfTI volume.
        patient: Stand-in for the patient's number, never the number; empty if the
            file does not say.
        seen: How measured values became grey: "CT as soft tissue", "by its own
            range", ...; empty for colours and where a window was given.
        series: Volumes in a NIfTI file, of which this is from one; else 1.
    """

    pixels: Pixels
    format: str
    mode: str
    frames: int
    patient: str
    seen: str = ""
    series: int = 1


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
class Deidentified:
    """A copy of a DICOM file without whom it shows.

    Args:
        data: The file.
        warnings: Sentences on what may still identify somebody, such as text in the
            picture; empty if nothing is known of.
        regions: Parts of the picture that probably hold text, worth blacking out.
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
    group, element, size = struct.unpack("<HHI", head[:8])
    if group not in (2, 8) or element > 0x20:
        return False
    if head[4:6].isalpha() and head[4:6] in _VALUE_REPRESENTATIONS:
        size = struct.unpack("<H", head[6:8])[0]
    if size % 2 or size > 100:
        return False
    return head[8 + size : 10 + size] in (b"\x02\x00", b"\x08\x00")


def is_nifti(head: bytes) -> bool:
    """Whether a file that begins so is NIfTI, compressed or not, either byte order."""
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, 64)
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


def read_dicom(
    source: bytes | Path, name: str = "", reading: ReadOptions | None = None
) -> Scan:
    """One frame of a DICOM file.

    Raises:
        ImageError: It is no picture, damaged, too large, constant, or of a kind for
            which there is no decoder.
    """
    answer = _ask_dicom(
        "medmodel.imaging.dicom:read", source, name, _dicom_arguments(reading)
    )
    return Scan(
        answer["pixels"],
        "DICOM",
        answer["mode"],
        answer["frames"],
        patient_pseudonym(answer["patient"]),
        answer["seen"],
    )


def read_nifti(
    source: bytes | Path, name: str = "", reading: ReadOptions | None = None
) -> Scan:
    """One slice of a NIfTI volume.

    Raises:
        ImageError: It is damaged, too large or small, a mask, or has no such slice.
    """
    data, name = _content(source, name)
    answer = sandbox.ask(
        "medmodel.imaging.nifti:read", data, name, **_nifti_arguments(reading)
    )
    return Scan(
        answer["pixels"],
        "NIfTI",
        answer["mode"],
        answer["frames"],
        "",
        answer["seen"],
        answer["series"],
    )


def read(
    data: bytes,
    name: str,
    window: str = "auto",
    frame: int = -1,
    axis: Axis = "axial",
) -> Scan:
    """A frame or slice as models see it.

    Args:
        data: The file.
        name: What to call it in messages.
        window: See `config.Preprocessing`.
        frame: DICOM frame or NIfTI slice, from 0; -1: the first frame, the middle
            slice.
        axis: How a NIfTI volume is cut.

    Raises:
        ImageError: As `read_dicom` and `read_nifti`.
    """
    values = window_values(window)
    reading = ReadOptions(
        window=Window(*values) if values else None,
        frame=max(frame, 0),
        alike=window == "auto",
        axis=axis,
    )
    if is_dicom(data[:HEAD]):
        return read_dicom(data, name, reading)
    return read_nifti(data, name, replace(reading, frame=0, slice_number=frame))


def load_frame(
    source: bytes | Path, name: str = "", reading: ReadOptions | None = None
) -> Frame:
    """A frame or slice with the scanner's values, to be seen through other windows.

    Raises:
        ImageError: As `read_dicom` and `read_nifti`.
    """
    data, name = _content(source, name)
    if is_nifti(data[:HEAD]):
        arguments = {**_nifti_arguments(reading), "values": True}
        answer = sandbox.ask("medmodel.imaging.nifti:read", data, name, **arguments)
        del answer["series"]
    else:
        arguments = {**_dicom_arguments(reading), "values": True}
        answer = _ask_dicom("medmodel.imaging.dicom:read", data, name, arguments)
    window = Window(**answer["window"]) if answer["window"] else None
    del answer["patient"], answer["seen"]
    return Frame(**{**answer, "window": window})


def patient_of(source: bytes | Path, name: str = "") -> str:
    """Stand-in for the patient of a DICOM file, without decoding its picture.

    Raises:
        ImageError: The header is damaged.
    """
    return patient_pseudonym(
        _ask_dicom("medmodel.imaging.dicom:identify", source, name)["patient"]
    )


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
        "medmodel.imaging.header_table:rows", source, name, {"reveal": reveal}
    )
    return [HeaderRow(*row) for row in answer["rows"]]


def deidentify(
    source: bytes | Path, name: str = "", black_out: list[Region] | None = None
) -> Deidentified:
    """A copy without whom it shows; dates and UIDs shift alike in all of one's files.

    Args:
        source: The file; it is not changed.
        name: What to call it in messages.
        black_out: Parts of the picture to make black, in all frames. The copy is then
            not compressed.

    Raises:
        ImageError: It cannot be read, or its pixels cannot be blacked out.
    """
    arguments = {"key": workspace_key().hex(), "black_out": black_out or []}
    answer = _ask_dicom(
        "medmodel.imaging.deidentify:deidentify", source, name, arguments
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
        raise ImageError(f"{name} is not a DICOM file.")
    return sandbox.ask(function, data, name, **(arguments or {}))


def _content(source: bytes | Path, name: str) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, name or "The file"
    name = name or source.name
    if source.stat().st_size > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES // 10**6} MB.")
    return source.read_bytes(), name


def _window(reading: ReadOptions | None) -> dict[str, Any] | None:
    return asdict(reading.window) if reading and reading.window else None


def _dicom_arguments(reading: ReadOptions | None) -> dict[str, Any]:
    reading = reading or ReadOptions()
    return {
        "frame": reading.frame,
        "window": _window(reading),
        "alike": reading.alike,
    }


def _nifti_arguments(reading: ReadOptions | None) -> dict[str, Any]:
    reading = reading or ReadOptions()
    return {
        "axis": reading.axis,
        "slice_number": reading.slice_number,
        "volume": reading.frame,
        "window": _window(reading),
    }
