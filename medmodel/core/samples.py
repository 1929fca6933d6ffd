"""Samples of a file: slices of a volume or frames, their choice and their names.

The name of a sample is the path of its file, followed by the slice or frame where it is
not the one that the file stands for by itself: `a/vol.nii.gz#axial=12`,
`a/echo.dcm#frame=3`, `a/stack.tif#frame=2`, counted from 1 as people do. A file that is
really called so gets `#whole` behind its name: no two samples share a name, and each
name says one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medmodel.language import N_, _

Axis = Literal["axial", "coronal", "sagittal"]
Kind = Literal["axial", "coronal", "sagittal", "frame"]
AXES: tuple[Axis, ...] = ("axial", "coronal", "sagittal")
WHOLE = "#whole"
MARGIN = 0.1
"""Part of a volume at either end, nearly empty as a rule, that is left out."""
EMPTY = 0.1
"""A slice whose grey levels spread less than so much of the widest's shows nothing."""

_PART = re.compile(
    r"(.*[^/])#(axial|coronal|sagittal|frame)=([1-9][0-9]{0,5})", re.DOTALL
)


class Part(NamedTuple):
    """One image of a file: a slice or a frame.

    Args:
        kind: Along which axis a volume is cut, or that it is a frame.
        number: From 0.
    """

    kind: Kind
    number: int


def join(file: str, part: Part | None = None) -> str:
    """The name of a sample.

    Args:
        file: Path of the file.
        part: Its slice or frame; None: the file as a whole.
    """
    if part is not None:
        return f"{file}#{part.kind}={part.number + 1}"
    return file if split(file) == (file, None) else file + WHOLE


def split(name: str) -> tuple[str, Part | None]:
    """The path of a sample's file and what is meant of it; the inverse of `join`."""
    if name.endswith(WHOLE) and name[: -len(WHOLE)].rpartition("/")[2]:
        return name.removesuffix(WHOLE), None
    match = _PART.fullmatch(name)
    if match is None:
        return name, None
    kind: Any = match[2]
    return match[1], Part(kind, int(match[3]) - 1)


def patient_stand_in(name: str) -> str:
    """The file of a slice or frame, which is a patient where nobody tells; else ""."""
    file, part = split(name)
    return file if part else ""


def file_of(name: str) -> str:
    """The path of a sample's file."""
    return split(name)[0]


def located(path: Path) -> tuple[Path, Part | None]:
    """The same as `split` for a whole path."""
    if "#" not in path.name:
        return path, None
    name, part = split(path.name)
    return path.with_name(name), part


def axis_of(names: Iterable[str]) -> Axis:
    """Along which axis the volumes among these samples are cut."""
    for name in names:
        part = split(name)[1]
        if part is not None and part.kind != "frame":
            return part.kind
    return "axial"


def frame_of(names: Iterable[str]) -> int:
    """The frame that these samples are of, from 0; the first where they differ."""
    parts = (split(name)[1] for name in names)
    numbers = {part.number for part in parts if part and part.kind == "frame"}
    return numbers.pop() if len(numbers) == 1 else 0


@dataclass(frozen=True)
class Slicing:
    """Which images of volumes and of files with several frames are samples.

    Args:
        slices: Of a volume: `"middle"` alone, `"every"` `step`-th of the central part
            (`MARGIN` is left out at either end), or `"all"` that show something.
        axis: How volumes are cut.
        step: For `"every"`, 1 or more.
        frames: Of a file with several frames or pages (DICOM, TIFF, GIF, WebP, PNG):
            `"one"`, or `"every"` `frame_step`-th.
        frame: For `"one"`, from 1; where there are fewer, the last.
        frame_step: For `"every"`, 1 or more.
    """

    slices: Literal["middle", "every", "all"] = "middle"
    axis: Axis = "axial"
    step: int = 5
    frames: Literal["one", "every"] = "one"
    frame: int = 1
    frame_step: int = 5

    def parts(self, file_format: str, count: int) -> list[Part | None]:
        """The samples of a file; None is the file as a whole.

        Args:
            file_format: As in `DecodedImage`.
            count: Its frames or pages, or slices along `axis`.
        """
        if file_format == "NIfTI":
            return self._slices(count)
        if count < 2:
            return [None]
        if self.frames == "every":
            return [Part("frame", n) for n in every(count, self.frame_step)]
        number = min(self.frame, count) - 1
        return [Part("frame", number) if number else None]

    def _slices(self, count: int) -> list[Part | None]:
        if self.slices == "middle":
            return [None if self.axis == "axial" else Part(self.axis, count // 2)]
        if self.slices == "all":
            return [Part(self.axis, n) for n in range(count)]
        edge = int(count * MARGIN)
        inside = every(count - 2 * edge, self.step)
        return [Part(self.axis, edge + n) for n in inside]

    @property
    def only_shown(self) -> bool:
        """Whether slices of a volume that show nothing are left out."""
        return self.slices == "all"

    def words(self) -> str:
        """The choice in words, as a sentence without its full stop."""
        axis = _(self.axis)
        slices = _("all {axis_word} slices that show something", axis_word=axis)
        if self.slices == "middle":
            slices = _("the middle {axis_word} slice", axis_word=axis)
        elif self.slices == "every":
            slices = _(
                "{every} {axis_word} slice of the central part",
                every=_every(self.step),
                axis_word=axis,
            )
        return _(
            "Of volumes {slices}, of several frames or pages {frames}",
            slices=slices,
            frames=self._frame_words(),
        )

    def _frame_words(self) -> str:
        if self.frames == "every" and self.frame_step == 1:
            return _("all")
        if self.frames == "every":
            return _every(self.frame_step)
        if self.frame == 1:
            return _("the first, of DICOM files the first that is not blank")
        return _("number {number}", number=self.frame)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def every(count: int, step: int) -> list[int]:
    """Every `step`-th of `count`, from 0, beginning in the middle of the first `step`.

    There is always one: with few, the middle.
    """
    if count <= step:
        return [count // 2]
    return list(range(step // 2, count, step))


def _every(step: int) -> str:
    if step == 1:
        return _("every")
    endings = {1: N_("every {number}st"), 2: N_("every {number}nd")}
    endings[3] = N_("every {number}rd")
    tens = step % 100 in (11, 12, 13)
    text = N_("every {number}th") if tens else endings.get(step % 10)
    return _(text or N_("every {number}th"), number=step)
