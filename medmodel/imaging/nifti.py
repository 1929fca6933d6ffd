"""NIfTI volumes to images: one slice, the patient upright, right side on the left.

To be called in the sandbox (`scans` does so), since compressed files may grow beyond
all memory.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling

from medmodel.core.errors import ImageError
from medmodel.core.samples import AXES, Axis
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.measurement import nifti_spacing
from medmodel.imaging.measurement.spacing import Calibration
from medmodel.imaging.scaling import isotropic, isotropic_size
from medmodel.imaging.scans import gunzip
from medmodel.imaging.windows import Pixels, Window, percentile_window, show
from medmodel.language import N_, _

MAX_BYTES = 1_000_000_000
"""Size of a volume, told from its header before it is decompressed as a whole."""
KEPT_BYTES = 150_000_000
"""Size of a volume in memory up to which it is kept for its next slice."""
SMALLEST_SIDE = 8
MASK_VALUES = 16
"""A volume of whole numbers with so few different values is a mask."""

_HEADERS = {
    # Length of a header, as its first four bytes say it -> what reads it.
    348: nibabel.Nifti1Header,
    540: nibabel.Nifti2Header,
}
_PAIR = (b"ni1", b"ni2")
_LABELS = 1002
"""NIFTI_INTENT_LABEL: voxels are numbers of regions, of which there may be many."""
_COLOURS = {128: "rgb24", 2304: "rgba32"}
_NOT_OFFERED = {
    # https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/datatype.html
    1: N_("single bits"),
    32: N_("complex numbers"),
    1536: N_("numbers of 128 bits"),
    1792: N_("complex numbers"),
    2048: N_("complex numbers"),
}


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


class _Facts(NamedTuple):
    """What a header says.

    Args:
        header: As nibabel reads it; nothing in it has been checked.
        shape: Voxels along x, y and z.
        series: Volumes in the file: points in time, directions of diffusion, echoes.
        offset: Of the first voxel, in bytes.
        mode: Type of the voxels.
        affine: (4, 4), from voxels to mm (RAS+).
    """

    header: Any
    shape: tuple[int, int, int]
    series: int
    offset: int
    mode: str
    affine: npt.NDArray[Any]

    @property
    def zooms(self) -> npt.NDArray[Any]:
        """Size of a voxel in mm along the axes of the patient: x, y, z."""
        turned = nibabel.orientations.inv_ornt_aff(_turn(self.affine), self.shape)
        return np.asarray(voxel_sizes(self.affine @ turned))


Volume = npt.NDArray[Any]
"""float32 (x, y, z), or colours as uint8 (x, y, z, 3)."""

_latest: dict[bytes, tuple[Volume, Window | None, _Facts]] = {}
"""The volume cut last, by a hash of its file: a volume's slices come in a row."""


def _opened(
    data: bytes, name: str, volume: int
) -> tuple[Volume, Window | None, _Facts]:
    """A volume ready to be cut, and the window in which it is shown; colours have none.

    Its axes run right, forward and up (RAS+).
    """
    key = hashlib.blake2b(data, digest_size=16).digest() + volume.to_bytes(8, "little")
    if key in _latest:
        return _latest[key]
    _latest.clear()
    try:
        facts = _facts(data, name)
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
        facts = _facts(data, name, labels=True)
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


def canonical_grid(
    data: bytes, name: str
) -> tuple[npt.NDArray[np.float64], tuple[int, int, int]]:
    """The grid of a volume whose axes run right, forward and up (RAS+).

    Args:
        data: The file, compressed or not.
        name: For messages.

    Returns:
        The affine (4, 4) from voxels to mm, and the voxels along x, y and z.

    Raises:
        ImageError: It is damaged, or of a kind that is not offered.
    """
    try:
        facts = _facts(data, name)
    except ImageError:
        raise
    except Exception as error:
        raise _damaged(name) from error
    turn = _turn(facts.affine)
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


def _facts(data: bytes, name: str, labels: bool = False) -> _Facts:
    """Reads the header, and nothing behind it: extensions may be of any length.

    Args:
        data: The file, compressed or not.
        name: For messages.
        labels: Whether a segmentation is wanted, which else is refused.

    Raises:
        ImageError: It is of a kind that is not offered.
        ValueError: It is damaged.
    """
    header = _header(data)
    _refuse_other_kinds(header, name, labels)
    code = int(header["datatype"])
    dimensions = int(header["dim"][0])
    sizes = [int(size) for size in header["dim"][1 : dimensions + 1]]
    if not 1 <= dimensions <= 7 or min(sizes) < 1:
        raise ValueError("a size below 1")
    columns, rows, slices = (*sizes[:3], 1, 1)[:3]
    if dimensions < 2:
        raise ImageError(
            _("{name} is no image: it holds a single line of values.", name=name)
        )
    if math.prod(sizes[4:]) > 1:
        raise ImageError(
            _(
                "{name} is no image: each voxel holds {values} values, as in a "
                "vector field. Save one of them as a volume.",
                name=name,
                values=math.prod(sizes[4:]),
            )
        )
    mode = _COLOURS.get(code) or header.get_data_dtype().newbyteorder("=").name
    offset = _offset(header)
    if offset + math.prod(sizes) * header.get_data_dtype().itemsize > MAX_BYTES:
        raise ImageError(
            _(
                "{name} is larger than {megabytes} MB: crop the volume.",
                name=name,
                megabytes=MAX_BYTES // 10**6,
            )
        )
    shape = columns, rows, slices
    affine = _affine(header)
    return _Facts(header, shape, math.prod(sizes[3:4]), offset, mode, affine)


def _refuse_other_kinds(header: Any, name: str, labels: bool) -> None:
    """Raises an `ImageError` for what is no image: half a pair, a mask, odd voxels."""
    magic = bytes(header["magic"]).rstrip(b"\0")[:3]
    if magic in _PAIR or not magic:
        if not magic:
            raise ImageError(
                _(
                    "{name} is only the header of an Analyze pair: save the volume as "
                    "one .nii file.",
                    name=name,
                )
            )
        raise ImageError(
            _(
                "{name} is only the header of a NIfTI pair: put its .img file beside "
                "it in a data set, or save the volume as one .nii file.",
                name=name,
            )
        )
    if int(header["intent_code"]) == _LABELS and not labels:
        raise ImageError(
            _(
                "{name} is no image but a segmentation mask: its header says that "
                "it holds labels.",
                name=name,
            )
        )
    code = int(header["datatype"])
    if code in _NOT_OFFERED or not _is_offered(code):
        kind = _("data of the unknown type {code}", code=code)
        if code in _NOT_OFFERED:
            kind = _(_NOT_OFFERED[code])
        raise ImageError(
            _(
                "{name} is no image: its voxels hold {kind}. Save it with real "
                "numbers of 64 bits at most.",
                name=name,
                kind=kind,
            )
        )


def _header(data: bytes) -> Any:
    start = _part(data, max(_HEADERS))
    for order in "<>":
        (length,) = struct.unpack(f"{order}i", start[:4])
        if length in _HEADERS:
            return _HEADERS[length](start[:length], order, check=False)
    raise ValueError("no header")


def _is_offered(code: int) -> bool:
    try:
        return bool(np.dtype(nibabel.nifti1.data_type_codes.dtype[code]).itemsize)
    except KeyError:
        return False


def _offset(header: Any) -> int:
    """Where voxels begin; some writers leave that empty."""
    first = int(header["sizeof_hdr"]) + 4
    offset = float(header["vox_offset"])
    return int(offset) if math.isfinite(offset) and offset >= first else first


def _affine(header: Any) -> npt.NDArray[Any]:
    """From voxels to mm: the first of sform, qform and voxel sizes that is possible."""
    for affine in (_sform(header), _qform(header)):
        if affine is not None:
            return affine
    zooms = np.abs(np.asarray(header["pixdim"][1:4], np.float64))
    zooms[~np.isfinite(zooms) | (zooms == 0)] = 1
    # Right and left are not told: as is usual without either, x runs to the left.
    return np.diag([-zooms[0], zooms[1], zooms[2], 1])


def _sform(header: Any) -> npt.NDArray[Any] | None:
    """None where it is not used, or is not possible."""
    if int(header["sform_code"]) <= 0:
        return None
    sform = np.asarray(header.get_sform())
    return sform if _is_possible(sform) else None


def _qform(header: Any) -> npt.NDArray[Any] | None:
    """None where it is not used, or is not possible."""
    if int(header["qform_code"]) <= 0:
        return None
    try:
        qform = np.asarray(header.get_qform())
    except (ValueError, ArithmeticError, HeaderDataError):
        return None
    return qform if _is_possible(qform) else None


def _is_possible(affine: npt.NDArray[Any]) -> bool:
    turn = affine[:3, :3]
    if not np.isfinite(turn).all() or np.linalg.matrix_rank(turn) < 3:
        return False
    return not np.isnan(nibabel.io_orientation(affine)).any()


def _part(data: bytes, size: int) -> bytes:
    """The first bytes of a file as it is before compression."""
    return gunzip(data, size) if data[:2] == b"\x1f\x8b" else data[:size]


def _voxels(data: bytes, name: str, facts: _Facts, volume: int) -> Volume:
    """One volume as it is stored, scaled by the header's slope and intercept.

    Raises:
        ValueError: The file ends too soon.
    """
    kind, count = facts.header.get_data_dtype(), math.prod(facts.shape)
    first = facts.offset + volume * count * kind.itemsize
    end = facts.offset + facts.series * count * kind.itemsize
    whole = _part(data, end)
    if len(whole) < end:
        raise ValueError("truncated")
    stored = np.frombuffer(whole, kind, count, first).reshape(facts.shape, order="F")
    if facts.mode in _COLOURS.values():
        return _colours(stored)
    slope, intercept = (float(facts.header[f"scl_{n}"]) for n in ("slope", "inter"))
    if slope and math.isfinite(slope):
        intercept = intercept if math.isfinite(intercept) else 0.0
        stored = apply_read_scaling(stored, slope, intercept)
    with np.errstate(over="ignore"):
        values = stored.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
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


def _turned(voxels: Volume, facts: _Facts) -> Volume:
    turn = _turn(facts.affine)
    return np.asarray(nibabel.orientations.apply_orientation(voxels, turn))


def _turn(affine: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(nibabel.io_orientation(affine))


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
    height, width = _pixel_size(zooms, axis)
    if axis == "axial":
        plane = volume[::-1, ::-1, at]
    elif axis == "coronal":
        plane = volume[::-1, at, ::-1]
    else:
        plane = volume[at, ::-1, ::-1]
    return plane.swapaxes(0, 1), height, width


def _pixel_size(zooms: npt.NDArray[Any], axis: str) -> tuple[float, float]:
    """Height and width of a pixel of a slice."""
    x, y, z = (float(zoom) for zoom in zooms)
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[axis]


def slice_calibration(data: bytes, name: str, axis: Axis) -> Calibration:
    """How large the pixels of a slice are, before it is widened.

    Raises:
        ImageError: It is damaged, or of a kind that is not offered.
    """
    header, zooms = (facts := _facts(data, name)).header, facts.zooms
    size = _pixel_size(zooms, axis)
    return nifti_spacing.calibration(header, _sform(header), _qform(header), size)
