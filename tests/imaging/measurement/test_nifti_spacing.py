"""How large NIfTI voxels are, and where the header contradicts itself."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import pytest

from medmodel.core.samples import Axis
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.imaging.measurement.spacing import Spacing
from medmodel.imaging.nifti.header import slice_calibration

SIZES = (2.0, 3.0, 5.0)
AFFINE = np.diag([*SIZES, 1.0])


def volume(
    affine: Any = AFFINE, kind: type[Any] = nibabel.Nifti1Image
) -> nibabel.Nifti1Image:
    values = np.arange(16 * 18 * 20, dtype=np.float32).reshape(16, 18, 20)
    return kind(values, affine)


def spacing(image: nibabel.Nifti1Image, axis: Axis = "axial", **fields: Any) -> Spacing:
    """Of the image, whose header is changed behind nibabel's back."""
    content = bytearray(image.to_bytes())
    header = type(image.header)(bytes(content[: image.header.sizeof_hdr]))
    for name, value in fields.items():
        if name == "pixdim":
            header["pixdim"][1:4] = value
        else:
            header[name] = value
    content[: image.header.sizeof_hdr] = header.binaryblock
    return slice_calibration(bytes(content), "v.nii", axis).whole


@pytest.mark.parametrize(
    ("axis", "size"),
    [("axial", (3, 2)), ("coronal", (5, 2)), ("sagittal", (5, 3))],
)
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_each_plane_has_its_own_pixels(
    axis: Axis, size: tuple[float, float], kind: type[Any]
) -> None:
    expected = Spacing("affine", PixelSize(*size), in_mm=True)
    assert spacing(volume(kind=kind), axis) == expected


def test_axes_in_another_order() -> None:
    # Voxels run along z, x, y: their sizes in that order are 5, 2 and 3.
    turned = np.zeros((4, 4))
    turned[2, 0], turned[0, 1], turned[1, 2], turned[3, 3] = 5, 2, 3, 1
    assert spacing(volume(turned)).size == PixelSize(3, 2)


@pytest.mark.parametrize(("unit", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001)])
def test_the_unit_of_length(unit: int, factor: float) -> None:
    expected = PixelSize(3 * factor, 2 * factor)
    # Seconds stand in the other bits.
    assert spacing(volume(), xyzt_units=unit + 8).size == pytest.approx(expected)


def both(sform: Any, qform: Any) -> nibabel.Nifti1Image:
    image = volume()
    image.set_qform(qform, code=1)
    image.set_sform(sform, code=1)
    return image


def turned_by(degrees: float) -> Any:
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ AFFINE


def test_forms_that_agree_are_believed() -> None:
    assert spacing(both(AFFINE, AFFINE)).in_mm
    # Another origin, and what is lost by quaternions of 32 bits, change no length.
    moved = turned_by(20)
    moved[:3, 3] = 7
    assert spacing(both(moved, turned_by(20))).source == "affine"
    # Of 5 mm a per cent is 0.05.
    rounded = np.diag([2.04, 3.0, 5.0, 1.0])
    assert spacing(both(rounded, AFFINE)).source == "affine"


@pytest.mark.parametrize(
    "sform",
    [
        np.diag([1.0, 1.0, 1.0, 1.0]),
        np.diag([2.1, 3.0, 5.0, 1.0]),
        np.diag([-2.0, 3.0, 5.0, 1.0]),
        turned_by(10),
    ],
)
def test_forms_that_disagree_are_withheld(sform: Any) -> None:
    found = spacing(both(sform, AFFINE))
    assert (found.source, found.in_mm) == ("disagreement", False)


def test_one_form_alone_must_agree_with_the_voxel_sizes() -> None:
    alone: dict[str, Any] = {"qform_code": 0}
    assert spacing(volume(), **alone).source == "affine"
    assert spacing(volume(), **alone, pixdim=1).source == "disagreement"
    # Zeros were not written.
    assert spacing(volume(), **alone, pixdim=0).source == "affine"
    assert spacing(volume(), **alone, pixdim=np.nan).source == "affine"


def test_oblique_axes_are_withheld() -> None:
    sheared = AFFINE.copy()
    sheared[0, 1] = 1.0
    assert spacing(volume(sheared), qform_code=0).source == "disagreement"


def test_without_a_form_the_voxel_sizes_count_where_they_were_filled_in() -> None:
    none: dict[str, Any] = {"qform_code": 0, "sform_code": 0}
    expected = Spacing("voxel size", PixelSize(3, 2), in_mm=True)
    assert spacing(volume(), **none) == expected
    assert spacing(volume(), **none, pixdim=1) == Spacing()


def test_a_form_that_cannot_be_is_none() -> None:
    image = both(AFFINE, AFFINE)
    assert spacing(image, srow_x=0).source == "affine"
