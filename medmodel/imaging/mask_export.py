"""Masks as files: PNG, NIfTI on the grid of the source, DICOM Segmentation (SEG)."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from medmodel.core.processes import sandbox
from medmodel.core.samples import AXES
from medmodel.imaging import untrusted
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.mask_values import Mask
from medmodel.imaging.untrusted import DataFile

_NIFTI = "medmodel.imaging.mask_export:read_nifti_mask"
_SEG = "medmodel.imaging.dicom.segmentation:read_segmentation_file"


LONGEST_NAME = 230
"""Bytes of a mask's file name; file systems take 255, temporary names are longer."""


def mask_name(image: str) -> str:
    """What the mask of an image is called; a name that is too long is shortened.

    Args:
        image: The image's path or name; its folders stay.

    Returns:
        The same with `_mask.png` behind it. Of a name that would be longer than
        `LONGEST_NAME`, the end is replaced by ~ and 12 hexadecimal digits of its
        BLAKE2b hash: names that differ at their ends stay apart.
    """
    above, slash, name = image.rpartition("/")
    ending = "_mask.png"
    encoded = name.encode("utf-8", "surrogateescape")
    if len(encoded) + len(ending) > LONGEST_NAME:
        digest = hashlib.blake2b(encoded, digest_size=6).hexdigest()
        kept = encoded[: LONGEST_NAME - len(ending) - len(digest) - 1]
        name = f"{kept.decode('utf-8', 'ignore')}~{digest}"
    return f"{above}{slash}{name}{ending}"


def is_shortened(image: str) -> bool:
    """Whether the name of an image's mask is not all of the image's own."""
    return mask_name(image) != f"{image}_mask.png"


def png_mask(mask: Mask) -> bytes:
    """A grey PNG whose values are those of the mask."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return buffer.getvalue()


def nifti_mask(mask: Mask, spacing: tuple[float, float] | None) -> bytes:
    """A compressed NIfTI volume of one slice, for an image that is no volume.

    Args:
        mask: (height, width).
        spacing: Height and width of a pixel in mm; None: unknown, written as 1.
    """
    import nibabel

    height, width = spacing or (1.0, 1.0)
    affine = np.diag([width, height, 1.0, 1.0])
    volume = nibabel.Nifti1Image(mask.T[::-1, ::-1, None], affine)
    if spacing:
        volume.header.set_xyzt_units("mm")
    return _compressed(volume.to_bytes())


def nifti_mask_of_volume(
    mask: Mask, source: DataFile | bytes, name: str, options: DecodeOptions
) -> bytes:
    """A compressed NIfTI volume on the grid of its source; other slices are empty.

    Args:
        mask: (height, width) of the slice as it is shown.
        source: The source: a file of a data set, or a file's content.
        name: What to call it in messages.
        options: Which slice the mask is of.

    Raises:
        ImageError: The source cannot be read.
        DataError: Likewise.
    """
    answer = untrusted.ask(
        _NIFTI, source, name, mask=packed(mask), options=options._asdict()
    )
    return bytes(answer["file"])


def dicom_segmentation(
    mask: Mask,
    names: Mapping[int, str],
    source: DataFile | bytes,
    name: str,
    options: DecodeOptions,
    algorithm: Sequence[str],
) -> bytes:
    """A DICOM SEG object that refers to its source and holds its patient and study.

    Args:
        mask: (height, width) of class values of the image as it is shown.
        names: Class value -> label of its segment.
        source: The DICOM source: a file of a data set, or a file's content.
        name: What to call it in messages.
        options: Which frame the mask is of.
        algorithm: Name and version of the model.

    Raises:
        ImageError: The source cannot be read, or lacks what the standard asks for.
        DataError: Likewise.
    """
    answer = untrusted.ask(
        _SEG,
        source,
        name,
        sandbox.SECONDS,  # the first one loads the library
        mask=packed(mask),
        names=[[value, label] for value, label in names.items()],
        options=options._asdict(),
        algorithm=list(algorithm),
    )
    return bytes(answer["file"])


def packed(mask: Mask) -> list[Any]:
    """A mask as JSON can hold it."""
    text = base64.b64encode(zlib.compress(mask.tobytes())).decode()
    return [list(mask.shape), text]


def unpacked(fields: Sequence[Any]) -> Mask:
    """The inverse of `packed`."""
    content = zlib.decompress(base64.b64decode(fields[1]))
    return np.frombuffer(content, np.uint8).reshape(fields[0])


def resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    """A mask at another size; no value is interpolated."""
    rows = (np.arange(shape[0]) + 0.5) * mask.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * mask.shape[1] / shape[1]
    return mask[rows.astype(int)][:, columns.astype(int)]


def read_nifti_mask(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    mask: Sequence[Any],
    options: dict[str, Any],
) -> dict[str, Any]:
    """What the sandbox runs for `nifti_mask_of_volume`."""
    import nibabel

    from medmodel.imaging.nifti import reading

    data, chosen = untrusted.content(data, file, options)
    affine, shape = reading.canonical_grid(data, name)
    volume = np.zeros(shape, np.uint8)
    count = shape[2 - AXES.index(chosen.axis)]
    at = count // 2 if chosen.frame < 0 else chosen.frame
    plane = _plane(volume, chosen.axis, at)
    plane[:] = resized(unpacked(mask), (plane.shape[0], plane.shape[1]))
    written = nibabel.Nifti1Image(volume, affine)
    written.header.set_xyzt_units("mm")
    return {"file": _compressed(written.to_bytes())}


def _plane(volume: Mask, axis: str, at: int) -> Mask:
    """A slice as it is shown, a view into the volume; see `nifti.reading`."""
    if axis == "axial":
        view = volume[::-1, ::-1, at]
    elif axis == "coronal":
        view = volume[::-1, at, ::-1]
    else:
        view = volume[at, ::-1, ::-1]
    return view.swapaxes(0, 1)


def _compressed(content: bytes) -> bytes:
    import gzip

    return gzip.compress(content, mtime=0)
