"""NIfTI volumes to images: one slice, the patient upright, right side on the left.

To be called in the sandbox (`scans` does so), since compressed files may grow beyond
all memory.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import OrientationError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from PIL import Image

from medmodel.core.errors import DECODER_ERRORS, ImageError
from medmodel.core.samples import AXES, Axis
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.windows import Values, Window, percentile_window, show

MAX_BYTES = 1_000_000_000
"""Size of a volume, told from its header before it is decompressed as a whole."""
KEPT_BYTES = 150_000_000
"""Size of a volume in memory up to which it is kept for its next slice."""
SMALLEST_SIDE = 8
MASK_VALUES = 16
"""A volume of whole numbers with so few different values is a mask."""
HEADER = 1024
"""Bytes with which both versions of the header are complete."""

_DAMAGED = (
    *DECODER_ERRORS,
    ImageFileError,
    HeaderDataError,
    OrientationError,
    WrapStructError,
)


def read(
    data: bytes,
    name: str,
    axis: Axis = "axial",
    slice_number: int = -1,
    volume: int = 0,
    window: Sequence[Any] | None = None,
    values: bool = False,
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

    Returns:
        The fields of `DecodedImage`.

    Raises:
        ImageError: It is damaged, too large or small, a mask, or has no such slice.
    """
    opened = _opened(data, name, volume)
    volume_values = opened.values
    chosen = Window(*window) if window else opened.window
    position = AXES.index(axis)
    count = volume_values.shape[2 - position]
    if not -1 <= slice_number < count:
        raise ImageError(f"{name} has no {axis} slice {slice_number + 1} of {count}.")
    at = count // 2 if slice_number == -1 else slice_number
    plane = _isotropic(*_slice(volume_values, opened.zooms, axis, at))
    if min(plane.shape) < SMALLEST_SIDE:
        raise ImageError(
            f"{name} is too small for a picture: its {axis} slices have "
            f"{plane.shape[1]} × {plane.shape[0]} pixels."
        )
    image = DecodedImage(
        pixels=show(plane, chosen, inverted=False),
        format="NIfTI",
        mode=opened.mode,
        frames=count,
        seen="" if window else "by its own range",
        series=opened.series,
        values=plane if values else None,
        window=chosen,
    )
    return vars(image)


class _Opened(NamedTuple):
    """A volume ready to be cut: float32 (x, y, z), voxel sizes in mm, its window.

    Of a series of volumes it is one; `series` is how many there are.
    """

    values: Values
    zooms: npt.NDArray[Any]
    window: Window
    mode: str
    series: int


_latest: dict[bytes, _Opened] = {}
"""The volume cut last, by a hash of its file: a volume's slices come in a row."""


def _opened(data: bytes, name: str, volume: int) -> _Opened:
    key = hashlib.blake2b(data, digest_size=16).digest() + volume.to_bytes(8, "little")
    if key in _latest:
        return _latest[key]
    _latest.clear()
    image = _open(data, name)
    values = _volume(image, volume, name)
    _check_values(values, name)
    zooms = voxel_sizes(nibabel.as_closest_canonical(image).affine)
    mode = image.get_data_dtype().newbyteorder("=").name
    opened = _Opened(values, zooms, percentile_window(values), mode, _series(image))
    if values.nbytes <= KEPT_BYTES:
        _latest[key] = opened
    return opened


def _open(data: bytes, name: str) -> Any:
    """The image with its header checked and its bytes all there."""
    try:
        compressed = data[:2] == b"\x1f\x8b"
        head = _decompress(data, HEADER) if compressed else data[:HEADER]
        kind = nibabel.Nifti1Image
        if struct.unpack("<i", head[:4])[0] in (540, 0x1C020000):
            kind = nibabel.Nifti2Image
        header = kind.header_class.from_fileobj(io.BytesIO(head))
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        end = int(header.get_data_offset()) + int(np.prod(shape, dtype=object)) * (
            dtype.itemsize
        )
        if bytes(header["magic"]).rstrip(b"\0") in (b"ni1", b"ni2"):
            raise ImageError(
                f"{name} is only the header of a NIfTI pair: save the volume as one "
                ".nii file."
            )
        if dtype.kind not in "iuf" or len(shape) not in (2, 3, 4):
            raise ImageError(
                f"{name} is no picture: it holds {len(shape)}-dimensional data of "
                f"type {dtype.newbyteorder('=').name}."
            )
        if end > MAX_BYTES:
            raise ImageError(
                f"{name} is larger than {MAX_BYTES // 10**6} MB: crop the volume."
            )
        whole = _decompress(data, end) if compressed else data
        if len(whole) < end:
            raise ValueError("truncated")
        return kind.from_bytes(whole)
    except _DAMAGED as error:
        raise ImageError(
            f"{name} cannot be read: this NIfTI file is damaged or incomplete. "
            "Save it again from its source."
        ) from error


def _decompress(data: bytes, size: int) -> bytes:
    """The first `size` bytes of a gzip file; fewer where it is cut off."""
    with_gzip_header = 31
    return zlib.decompressobj(with_gzip_header).decompress(data, size)


def _volume(image: Any, volume: int, name: str) -> Values:
    """One volume, turned so that its axes run right, forward and up (RAS+).

    Returns:
        float32 (x, y, z), scaled by the header's slope and intercept.
    """
    if not 0 <= volume < _series(image):
        raise ImageError(f"{name} has no volume {volume + 1}: it has {_series(image)}.")
    try:
        array = np.asarray(
            image.dataobj[..., volume] if len(image.shape) == 4 else (image.dataobj)
        )
        if array.ndim == 2:
            array = array[..., None]
        turned = nibabel.orientations.apply_orientation(
            array.astype(np.float32), nibabel.io_orientation(image.affine)
        )
    except _DAMAGED as error:
        raise ImageError(
            f"{name} cannot be read: its orientation is not valid. Save it again "
            "from its source."
        ) from error
    return np.asarray(turned, np.float32)


def _series(image: Any) -> int:
    """Volumes in the file: points in time, directions of diffusion, echoes."""
    return int(image.shape[3]) if len(image.shape) == 4 else 1


def _check_values(values: Values, name: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        raise ImageError(
            f"{name} has voxels without a value (not a number or infinite): "
            f"{np.count_nonzero(~finite):,} of {values.size:,}. Replace them first."
        )
    if values.min() == values.max():
        raise ImageError(
            f"{name} shows nothing: all voxels have the value {values.flat[0]:g}."
        )
    sample = np.unique(values.ravel()[:: max(1, values.size // 100_000)])
    if len(sample) > MASK_VALUES or not (sample == sample.round()).all():
        return
    different = np.unique(values)
    if len(different) <= MASK_VALUES:
        raise ImageError(
            f"{name} looks like a segmentation mask, not a picture: it has only "
            f"{len(different)} different values."
        )


def _slice(
    values: Values, zooms: npt.NDArray[Any], axis: str, at: int
) -> tuple[Values, float, float]:
    """A slice as on a viewing station, and the height and width of its pixels.

    The patient's right is on the left of the image; front or head is up.
    """
    x, y, z = (float(zoom) for zoom in zooms)
    if axis == "axial":
        return values[::-1, ::-1, at].T, y, x
    if axis == "coronal":
        return values[::-1, at, ::-1].T, z, x
    return values[at, ::-1, ::-1].T, z, y


def _isotropic(plane: Values, height: float, width: float) -> Values:
    """Widens the image along its coarser side, so that lengths look right."""
    plane = np.ascontiguousarray(plane)
    fine = min(height, width)
    if not (np.isfinite([height, width]).all() and fine > 0):
        return plane
    rows, columns = plane.shape
    size = round(columns * width / fine), round(rows * height / fine)
    if size == (columns, rows) or max(size) > 8192:
        return plane
    image = Image.fromarray(plane)
    return np.array(image.resize(size, Image.Resampling.BILINEAR))
