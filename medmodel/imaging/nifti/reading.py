"""NIfTI volumes to images: one slice, the patient upright, right side on the left.

To be called in the sandbox (`scans` does so), since compressed files may grow beyond
all memory.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.volumeutils import apply_read_scaling

from medmodel.core.errors import ImageError
from medmodel.core.samples import AXES, Axis
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.nifti.header import (
    COLOURS,
    NiftiHeader,
    first_bytes,
    orientation,
    pixel_size,
    read_header,
)
from medmodel.imaging.scaling import isotropic, isotropic_size
from medmodel.imaging.windows import Pixels, Window, percentile_window, show
from medmodel.language import _

KEPT_BYTES = 150_000_000
"""Size of a volume in memory up to which it is kept for its next slice."""
SMALLEST_SIDE = 8
MASK_VALUES = 16
"""A volume of whole numbers with so few different values is a mask."""


def read(
    data: bytes,
    name: str,
    axis: Axis = "axial",
    slice_number: int = -1,
    volume: int = 0,
    window: Sequence[Any] | None = None,
    values: bool = False,
    square_pixels: bool = True,
) -> dict[str, Any]:
    """Decodes one slice.

    Args:
        data: The file, compressed or not.
        name: For messages.
        axis: `axial` seen from the feet, `coronal` from the front, `sagittal` from
            the patient's left.
        slice_number: From 0 at the feet, the back or the left; -1 is the middle.
        volume: From 0, where the file holds a series of volumes.
        window: Arguments of `Window`; None: the 0.5th to 99.5th percentile of the
            volume, the same for all of its slices.
        values: Whether the answer includes `values`.
        square_pixels: Whether a slice is widened whose pixels are not square.

    Returns:
        The fields of `DecodedImage`.

    Raises:
        ImageError: It is damaged, too large or small, a mask, or has no such slice.
    """
    volume_values, window_of_volume, facts = _opened(data, name, volume)
    chosen = Window(*window) if window and window_of_volume else window_of_volume
    position = AXES.index(axis)
    count = volume_values.shape[2 - position]
    at = _slice_at(slice_number, count, axis, name)
    plane, height, width = _slice(volume_values, facts.zooms, axis, at)
    stored = np.ascontiguousarray(plane)
    plane = isotropic(stored, height, width)
    if min(plane.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(
            _(
                "{name} is too small for an image: its {axis_word} slices have {width} "
                "× {height} pixels.",
                name=name,
                axis_word=_(axis),
                width=plane.shape[1],
                height=plane.shape[0],
            )
        )
    plane = plane if square_pixels else stored
    colour = chosen is None
    image = DecodedImage(
        pixels=show(plane, chosen, inverted=False) if chosen else plane,
        format="NIfTI",
        mode=facts.mode,
        frames=count,
        seen="" if window or colour else _("by its own range"),
        series=facts.series,
        values=plane if values and not colour else None,
        window=chosen,
    )
    return vars(image)


Volume = npt.NDArray[Any]
"""float32 (x, y, z), or colours as uint8 (x, y, z, 3)."""

_latest: dict[bytes, tuple[Volume, Window | None, NiftiHeader]] = {}
"""The volume cut last, by a hash of its file: a volume's slices come in a row."""


def _opened(
    data: bytes, name: str, volume: int
) -> tuple[Volume, Window | None, NiftiHeader]:
    """A volume ready to be cut, and the window in which it is shown; colours have none.

    Its axes run right, forward and up (RAS+).
    """
    key = hashlib.blake2b(data, digest_size=16).digest() + volume.to_bytes(8, "little")
    if key in _latest:
        return _latest[key]
    _latest.clear()
    try:
        facts = read_header(data, name)
        if not 0 <= volume < facts.series:
            raise ImageError(
                _(
                    "{name} has no volume {number}: it has {volumes}.",
                    name=name,
                    number=volume + 1,
                    volumes=facts.series,
                )
            )
        voxels = _turned(_voxels(data, name, facts, volume), facts)
        window = None
        if voxels.dtype == np.float32:
            _check_values(voxels, name)
            window = percentile_window(voxels)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(name) from error
    opened = voxels, window, facts
    if voxels.nbytes <= KEPT_BYTES:
        _latest[key] = opened
    return opened


def read_labels(
    data: bytes, name: str, axis: Axis = "axial", slice_number: int = -1
) -> npt.NDArray[np.float32]:
    """One slice of a segmentation, turned and widened as `read` does with an image.

    Args:
        data: The file, compressed or not.
        name: For messages.
        axis: As `read`.
        slice_number: As `read`.

    Returns:
        float32 (height, width): the value of each voxel, none of them interpolated.

    Raises:
        ImageError: It is damaged, too large, or has no such slice.
    """
    try:
        facts = read_header(data, name, labels=True)
        volume = _turned(_voxels(data, name, facts, 0), facts)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(name) from error
    count = volume.shape[2 - AXES.index(axis)]
    at = _slice_at(slice_number, count if volume.ndim == 3 else 0, axis, name)
    plane, height, width = _slice(volume, facts.zooms, axis, at)
    rows, columns = plane.shape
    across, down = isotropic_size(rows, columns, height, width)
    nearest_row = ((np.arange(down) + 0.5) * rows / down).astype(int)
    nearest_column = ((np.arange(across) + 0.5) * columns / across).astype(int)
    return np.ascontiguousarray(plane[nearest_row][:, nearest_column])


def read_grid(data: bytes, name: str) -> dict[str, Any]:
    """What the sandbox runs to compare grids: `affine` and `shape`, of masks, too."""
    affine, shape = canonical_grid(data, name, labels=True)
    return {"affine": affine.tolist(), "shape": list(shape)}


def canonical_grid(
    data: bytes, name: str, labels: bool = False
) -> tuple[npt.NDArray[np.float64], tuple[int, int, int]]:
    """The grid of a volume whose axes run right, forward and up (RAS+).

    Args:
        data: The file, compressed or not.
        name: For messages.
        labels: Whether it may be a segmentation.

    Returns:
        The affine (4, 4) from voxels to mm, and the voxels along x, y and z.

    Raises:
        ImageError: It is damaged, or of a kind that is not offered.
    """
    try:
        facts = read_header(data, name, labels)
    except ImageError:
        raise
    except Exception as error:
        raise _damaged(name) from error
    turn = orientation(facts.affine)
    turned = nibabel.orientations.inv_ornt_aff(turn, facts.shape)
    sizes = [0, 0, 0]
    for axis, size in enumerate(facts.shape):
        sizes[int(turn[axis, 0])] = size
    return np.asarray(facts.affine @ turned), (sizes[0], sizes[1], sizes[2])


def _damaged(name: str) -> ImageError:
    return ImageError(
        _(
            "{name} cannot be read: this NIfTI file is damaged or incomplete. "
            "Save it again from its source.",
            name=name,
        )
    )


def _voxels(data: bytes, name: str, facts: NiftiHeader, volume: int) -> Volume:
    """One volume as it is stored, scaled by the header's slope and intercept.

    Raises:
        ValueError: The file ends too soon.
    """
    kind, count = facts.header.get_data_dtype(), math.prod(facts.shape)
    first = facts.offset + volume * count * kind.itemsize
    end = facts.offset + facts.series * count * kind.itemsize
    whole = first_bytes(data, end)
    if len(whole) < end:
        raise ValueError("truncated")
    stored = np.frombuffer(whole, kind, count, first).reshape(facts.shape, order="F")
    if facts.mode in COLOURS.values():
        return _colours(stored)
    slope, intercept = (float(facts.header[f"scl_{n}"]) for n in ("slope", "inter"))
    if slope and math.isfinite(slope):
        intercept = intercept if math.isfinite(intercept) else 0.0
        stored = apply_read_scaling(stored, slope, intercept)
    with np.errstate(over="ignore", under="ignore"):
        values = stored.astype(np.float32)
    finite = np.isfinite(values)
    if np.isfinite(stored[~finite]).any() or (not values.any() and stored.any()):
        raise ImageError(
            _(
                "{name} cannot be shown: its values are too large or too small for "
                "numbers of 32 bits. Save them in another unit.",
                name=name,
            )
        )
    values[~finite] = np.nan
    return values


def _colours(stored: npt.NDArray[Any]) -> Pixels:
    """RGB on black where it is transparent.

    Alpha that is 0 everywhere says nothing: some writers leave it empty.
    """
    colours = np.stack([stored[channel] for channel in "RGB"], axis=-1)
    if "A" not in (stored.dtype.names or ()) or not stored["A"].any():
        return colours
    opacity = stored["A"][..., None].astype(np.float32) / 255
    return np.asarray((colours * opacity).round(), np.uint8)


def _turned(voxels: Volume, facts: NiftiHeader) -> Volume:
    turn = orientation(facts.affine)
    return np.asarray(nibabel.orientations.apply_orientation(voxels, turn))


def _check_values(values: Volume, name: str) -> None:
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ImageError(
            _("{name} shows nothing: no voxel has a value that is finite.", name=name)
        )
    if finite.min() == finite.max():
        raise ImageError(
            _(
                "{name} shows nothing: all voxels have the value {value:g}.",
                name=name,
                value=finite[0],
            )
        )
    sample = np.unique(finite[:: max(1, finite.size // 100_000)])
    if len(sample) > MASK_VALUES or not (sample == sample.round()).all():
        return
    different = np.unique(finite)
    if len(different) <= MASK_VALUES:
        raise ImageError(
            _(
                "{name} looks like a segmentation mask, not an image: it has only "
                "{count} different values.",
                name=name,
                count=len(different),
            )
        )


def _slice_at(slice_number: int, count: int, axis: Axis, name: str) -> int:
    """Position of a slice of so many; -1 asks for the middle one.

    Raises:
        ImageError: There is no such slice.
    """
    if count < 1 or not -1 <= slice_number < count:
        raise ImageError(
            _(
                "{name} has no {axis_word} slice {number} of {count}.",
                name=name,
                axis_word=_(axis),
                number=slice_number + 1,
                count=count,
            )
        )
    return count // 2 if slice_number == -1 else slice_number


def _slice(
    volume: Volume, zooms: npt.NDArray[Any], axis: str, at: int
) -> tuple[Volume, float, float]:
    """A slice as on a viewing station, and the height and width of its pixels.

    The patient's right is on the left of the image; front or head is up.
    """
    height, width = pixel_size(zooms, axis)
    if axis == "axial":
        plane = volume[::-1, ::-1, at]
    elif axis == "coronal":
        plane = volume[::-1, at, ::-1]
    else:
        plane = volume[at, ::-1, ::-1]
    return plane.swapaxes(0, 1), height, width
