"""A decoded image: pixels, what the file says of them, and a scanner's own values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from medmodel.core.samples import Axis
from medmodel.imaging.windows import Pixels, Values, Window
from medmodel.language import _

HEAD = 512
"""Bytes that suffice to recognise every format, NIfTI even when compressed."""
MAX_BYTES = 1_000_000_000
FRAMES_TEXT = "frames are in the file"
"""What is said in English of a file that lacks frames, in the index too."""


class DecodeOptions(NamedTuple):
    """Which image of a file is meant, and how it becomes pixels.

    Args:
        window: How scans become grey, see `preprocessing.Preprocessing`.
        frame: Frame, page or NIfTI slice, from 0; -1: the first, of DICOM frames the
            first that shows something, of slices the middle.
        axis: How a NIfTI volume is cut.
        side: Squares of so many pixels are wanted in colour: of these, grey that is
            stored as colour stays so, which spares the way there and back.
        values: Whether the scanner's own values are wanted, too.
        square_pixels: Whether a scan whose pixels are not square is widened.
    """

    window: str = "auto"
    frame: int = -1
    axis: Axis = "axial"
    side: int = 0
    values: bool = False
    square_pixels: bool = True


@dataclass(frozen=True)
class DecodedImage:
    """One image of a file as pixels, and what the file says about it.

    Args:
        pixels: uint8 (height, width, 1 or 3), upright; grey that is stored as colour
            has one channel.
        format: PNG, JPEG, JPEG-LS, JPEG2000, JPEG XL, TIFF, BMP, GIF, WEBP, AVIF, DICOM
            or NIfTI.
        mode: How the file stores colours: L, RGB, P, CMYK; RGB, 16 bits; MINISBLACK,
            float32; MONOCHROME2, 12 bits; int16; ...
        frames: Images in the file (frames, pages), of a NIfTI volume slices along the
            axis.
        frame: Which of them this is in a DICOM file, from 0; else -1.
        patient: Stand-in for the patient's number in a DICOM file; else empty.
        seen: How measured values became grey: "CT as soft tissue", "by its own
            range", ...; empty for colours and where a window was given.
        series: Volumes in a NIfTI file, of which this is from the first; else 1.
        modality: CT, MR, US, ...; empty if the file does not say.
        values: If wanted, float32 (height, width) in the scanner's unit, not-a-number
            where there is only padding; None for colours and of up to 8 bits.
        window: What `pixels` was made with; None for colours, for a lookup table, and
            in formats without windows.
        inverted: Whether large values are dark (MONOCHROME1).
        many_bits: Whether it is grey of more than 8 bits in a format without windows:
            `pixels` show the middle 99 % of its values.
        missing_frames: Frames of which a DICOM file's header tells, but which are not
            whole in the file; `frames` does not count them.
    """

    pixels: Pixels
    format: str
    mode: str
    frames: int
    frame: int = -1
    patient: str = ""
    seen: str = ""
    series: int = 1
    modality: str = ""
    values: Values | None = None
    window: Window | None = None
    inverted: bool = False
    missing_frames: int = 0
    many_bits: bool = False

    @property
    def frames_text(self) -> str:
        """How many frames are there, where some are missing; else empty."""
        return frames_text(self.frames, self.missing_frames)


def frames_text(frames: int, missing: int) -> str:
    """How many frames are in a file, where some are missing; else empty."""
    if not missing:
        return ""
    return _(
        "{frames:,} of {total:,} frames are in the file",
        frames=frames,
        total=frames + missing,
    )
