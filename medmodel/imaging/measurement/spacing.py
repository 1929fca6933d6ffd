"""How large a pixel is, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from medmodel.imaging.measurement.shapes import PixelSize, Shape, length

Source = Literal[
    "none",
    "pixel spacing",
    "uncalibrated",
    "detector",
    "magnification",
    "ultrasound",
    "outside",
    "affine",
    "voxel size",
    "disagreement",
    "hand",
]
"""Who says how large a pixel is.

* none: nobody.
* pixel spacing: DICOM Pixel Spacing, of the patient.
* uncalibrated: the same in a projection that does not say how it was calibrated.
* detector: in the plane of the detector; the shadow is larger than the patient.
* magnification: the same, divided by the file's estimate of the magnification.
* ultrasound: a calibrated region of an ultrasound image.
* outside: such an image, beside its regions or in several of them.
* affine: NIfTI sform or qform.
* voxel size: a NIfTI header with neither.
* disagreement: a NIfTI header that contradicts itself.
* hand: a length that the user knows.
"""


@dataclass(frozen=True)
class Spacing:
    """Size of a pixel.

    Args:
        source: Who says so.
        size: In mm; where it is not known in mm, relative to the width of a pixel.
        in_mm: Whether it is in mm.
    """

    source: Source = "none"
    size: PixelSize = PixelSize(1.0, 1.0)
    in_mm: bool = False


@dataclass(frozen=True)
class Region:
    """A calibrated part of an ultrasound image, PS3.3 C.8.5.5.

    Args:
        box: Left, top, right and bottom in pixels; right and bottom are outside.
        size: Of its pixels in mm.
        high_priority: Whether it lies above the regions that it overlaps.
    """

    box: tuple[int, int, int, int]
    size: PixelSize
    high_priority: bool = True

    def holds(self, shape: Shape) -> bool:
        """Whether all points of a shape lie in it."""
        left, top, right, bottom = self.box
        return all(left <= x <= right and top <= y <= bottom for x, y in shape.points)


@dataclass(frozen=True)
class Calibration:
    """What a file says of the size of its pixels.

    Args:
        whole: Of the whole image.
        regions: Of parts of it.
    """

    whole: Spacing = field(default_factory=Spacing)
    regions: tuple[Region, ...] = ()

    def of(self, shape: Shape) -> Spacing:
        """What counts for a shape; regions that contradict each other count nothing."""
        regions = [region for region in self.regions if region.holds(shape)]
        above = [region for region in regions if region.high_priority]
        sizes = {region.size for region in above or regions}
        if len(sizes) != 1:
            return self.whole
        return Spacing("ultrasound", sizes.pop(), in_mm=True)

    def by_hand(self, line: Shape, millimetres: float) -> Calibration:
        """What follows from the length of a line that the user knows, for all of it."""
        size = self.of(line).size
        factor = millimetres / length(line, size)
        size = PixelSize(size.row * factor, size.column * factor)
        return Calibration(Spacing("hand", size, in_mm=True))
