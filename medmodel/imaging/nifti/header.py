"""Header of a NIfTI file: what it holds, and where its voxels lie in the patient.

Reference: https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields
"""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

import nibabel
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes
from nibabel.spatialimages import HeaderDataError

from medmodel.core.errors import ImageError
from medmodel.core.samples import Axis
from medmodel.imaging.measurement import nifti_spacing
from medmodel.imaging.measurement.spacing import Calibration
from medmodel.imaging.scans import gunzip
from medmodel.language import N_, _

MAX_BYTES = 1_000_000_000
"""Size of a volume, told from its header before it is decompressed as a whole."""
_HEADERS = {
    # Length of a header, as its first four bytes say it -> what reads it.
    348: nibabel.Nifti1Header,
    540: nibabel.Nifti2Header,
}
_PAIR = (b"ni1", b"ni2")
_LABELS = 1002
"""NIFTI_INTENT_LABEL: voxels are numbers of regions, of which there may be many."""
COLOURS = {128: "rgb24", 2304: "rgba32"}
_NOT_OFFERED = {
    # https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/datatype.html
    1: N_("single bits"),
    32: N_("complex numbers"),
    1536: N_("numbers of 128 bits"),
    1792: N_("complex numbers"),
    2048: N_("complex numbers"),
}


class NiftiHeader(NamedTuple):
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
        turned = nibabel.orientations.inv_ornt_aff(orientation(self.affine), self.shape)
        return np.asarray(voxel_sizes(self.affine @ turned))


def read_header(data: bytes, name: str, labels: bool = False) -> NiftiHeader:
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
    mode = COLOURS.get(code) or header.get_data_dtype().newbyteorder("=").name
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
    return NiftiHeader(header, shape, math.prod(sizes[3:4]), offset, mode, affine)


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
    start = first_bytes(data, max(_HEADERS))
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


def first_bytes(data: bytes, size: int) -> bytes:
    """The first bytes of a file as it is before compression."""
    return gunzip(data, size) if data[:2] == b"\x1f\x8b" else data[:size]


def orientation(affine: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Which axis of the patient each axis of the voxels is, (3, 2), as in nibabel."""
    return np.asarray(nibabel.io_orientation(affine))


def pixel_size(zooms: npt.NDArray[Any], axis: str) -> tuple[float, float]:
    """Height and width of a pixel of a slice."""
    x, y, z = (float(zoom) for zoom in zooms)
    return {"axial": (y, x), "coronal": (z, x), "sagittal": (z, y)}[axis]


def slice_calibration(data: bytes, name: str, axis: Axis) -> Calibration:
    """How large the pixels of a slice are, before it is widened.

    Raises:
        ImageError: It is damaged, or of a kind that is not offered.
    """
    header, zooms = (facts := read_header(data, name)).header, facts.zooms
    size = pixel_size(zooms, axis)
    return nifti_spacing.calibration(header, _sform(header), _qform(header), size)
