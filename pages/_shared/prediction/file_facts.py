"""What a caption says of an image's file, in the language of whoever looks."""

from __future__ import annotations

from dataclasses import dataclass

from medmodel.imaging.decoded_image import frames_text
from medmodel.imaging.untrusted import OpenedImage
from medmodel.language import _


@dataclass(frozen=True)
class FileFacts:
    """Size and format of an image's file.

    Args:
        width: Of the whole image, in pixels.
        height: Likewise.
        format: As of `DecodedImage`.
        volumes: In a NIfTI file; else 1.
        frames: Frames that are in the file.
        missing_frames: Those of which a DICOM header tells, but which are not.
    """

    width: int
    height: int
    format: str
    volumes: int = 1
    frames: int = 1
    missing_frames: int = 0

    @classmethod
    def of(cls, opened: OpenedImage) -> FileFacts:
        """Those of a file that was read."""
        decoded = opened.decoded
        return cls(
            opened.width,
            opened.height,
            decoded.format,
            decoded.series,
            decoded.frames,
            decoded.missing_frames,
        )

    @property
    def text(self) -> str:
        """Size and format in words, and whether frames are missing."""
        size = {"width": self.width, "height": self.height}
        if not self.missing_frames:
            return _("{width} × {height} pixels, {format}", **size, format=self._kind)
        return _(
            "{width} × {height} pixels, {format}, {frames}",
            **size,
            format=self._kind,
            frames=frames_text(self.frames, self.missing_frames),
        )

    @property
    def _kind(self) -> str:
        if self.volumes == 1:
            return self.format
        return _(
            "{format}, the first of {volumes:,} volumes",
            format=self.format,
            volumes=self.volumes,
        )
