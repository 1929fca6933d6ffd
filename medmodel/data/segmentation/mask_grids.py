"""Whether NIfTI masks lie where their image lies: the grids of both are compared.

A mask is laid on its image voxel by voxel. One that was saved with another affine, as
from an array without its header, would come to lie elsewhere, or mirrored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import images, scans
from medmodel.imaging.decoded_image import HEAD
from medmodel.language import _

_GRID = "medmodel.imaging.nifti.reading:read_grid"


@dataclass(frozen=True)
class _Grid:
    """Voxels along x, y and z, and the affine (4, 4) from them to mm."""

    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]

    @property
    def corners(self) -> npt.NDArray[np.float64]:
        """(8, 3) outer corners in mm."""
        ends = itertools.product(*((-0.5, size - 0.5) for size in self.shape))
        return np.array(list(ends)) @ self.affine[:3, :3].T + self.affine[:3, 3]

    @property
    def smallest_side(self) -> float:
        """Of a voxel in mm."""
        return float(np.linalg.norm(self.affine[:3, :3], axis=0).min())


def grid_problem(folder: Path, image: str, masks: Sequence[str]) -> str:
    """Why a mask lies elsewhere than its image, in one sentence.

    "" where all lie there to half a voxel, where either is no NIfTI file, and where one
    cannot be read, which whoever reads it says.

    Args:
        folder: The data set's folder.
        image: Path of the image, relative to it.
        masks: Paths of its masks.
    """
    try:
        grid = _grid_of(folder, image)
        for path in masks if grid is not None else ():
            other = _grid_of(folder, path)
            if grid is None or other is None:
                continue
            if problem := _difference(grid, other, Path(path).name):
                return problem
    except (ImageError, OSError):
        return ""
    return ""


def _difference(image: _Grid, mask: _Grid, name: str) -> str:
    if image.shape != mask.shape:
        return _(
            "{mask} has {mask_voxels} voxels, its image {voxels}: resample the mask to "
            "the grid of its image.",
            mask=name,
            mask_voxels=" × ".join(map(str, mask.shape)),
            voxels=" × ".join(map(str, image.shape)),
        )
    if np.array_equal(image.affine, mask.affine, equal_nan=True):
        return ""
    if not (np.isfinite(image.affine).all() and np.isfinite(mask.affine).all()):
        return _(
            "Where {mask} lies is not known: its header (affine) or that of its image "
            "holds what is no number. Save the mask with the image's affine.",
            mask=name,
        )
    apart = float(np.linalg.norm(image.corners - mask.corners, axis=1).max())
    if apart <= image.smallest_side / 2:
        return ""
    return _(
        "{mask} lies up to {apart:.1f} mm from its image: their headers (affine) "
        "differ. Resample the mask to the grid of its image, or save it with the "
        "image's affine.",
        mask=name,
        apart=apart,
    )


def _grid_of(folder: Path, path: str) -> _Grid | None:
    content = images.read_data_file(folder, path)
    if not scans.is_nifti(content[:HEAD]):
        return None
    answer = sandbox.ask(_GRID, content, Path(path).name)
    return _Grid(tuple(answer["shape"]), np.array(answer["affine"]))
