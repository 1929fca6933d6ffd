"""How large the voxels of a NIfTI volume are, by its affine.

https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.imaging.measurement.spacing import Calibration, Spacing

_MILLIMETRES = {1: 1000.0, 3: 0.001}
"""Code of a unit of length (xyzt_units) -> mm; all others are taken for mm."""
_TOLERANCE = 0.01
"""Of the largest voxel size: rounding of quaternions stays far below."""

Affine = npt.NDArray[np.float64]


def calibration(
    header: Any, sform: Affine | None, qform: Affine | None, pixel: tuple[float, float]
) -> Calibration:
    """Size of a slice's pixels in mm; withheld where the header contradicts itself.

    Args:
        header: As nibabel reads it.
        sform: (4, 4); None where it is not used or is not possible.
        qform: Likewise.
        pixel: Height and width of a pixel as the slice was cut, in the header's unit.
    """
    row, column = pixel
    unknown = PixelSize(row / column, 1.0)
    affines = [affine for affine in (sform, qform) if affine is not None]
    if any(_contradicts(affine, header) for affine in affines) or (
        sform is not None and qform is not None and not _alike(sform, qform)
    ):
        return Calibration(Spacing("disagreement", unknown))
    if not affines and (np.asarray(header["pixdim"][1:4]) == 1).all():
        return Calibration(Spacing(size=unknown))  # as a header is before it is filled
    factor = _MILLIMETRES.get(int(header["xyzt_units"]) % 8, 1.0)
    size = PixelSize(row * factor, column * factor)
    source: Any = "affine" if affines else "voxel size"
    return Calibration(Spacing(source, size, in_mm=True))


def _contradicts(affine: Affine, header: Any) -> bool:
    """Whether its axes are oblique to each other, or other voxel sizes are written."""
    axes = affine[:3, :3]
    sizes = np.sqrt((axes**2).sum(axis=0))
    angles = (axes / sizes).T @ (axes / sizes) - np.eye(3)
    if abs(angles).max() > _TOLERANCE:
        return True
    written = abs(np.asarray(header["pixdim"][1:4], np.float64))
    dimensions = min(max(int(header["dim"][0]), 1), 3)
    both = zip(sizes[:dimensions], written[:dimensions], strict=True)
    # A voxel size that is 0 or none was not written.
    return any(
        abs(one - other) > _TOLERANCE * sizes.max()
        for one, other in both
        if np.isfinite(other) and other
    )


def _alike(sform: Affine, qform: Affine) -> bool:
    """Whether both put the volume the same way, wherever its origin is."""
    largest = np.sqrt((sform[:3, :3] ** 2).sum(axis=0)).max()
    difference = abs(sform[:3, :3] - qform[:3, :3]).max()
    return bool(difference <= _TOLERANCE * largest)
