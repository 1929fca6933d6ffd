"""NIfTI headers of every kind: extensions, types, slopes, shapes, orientations.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

import gzip
from typing import Any

import nibabel
import numpy as np
import pytest

from medmodel.core.errors import ImageError
from medmodel.imaging import scans
from medmodel.imaging.nifti import header, reading
from tests.imaging.nifti.test_reading import nifti_file, slice_of, volume


def edited(data: bytes, **fields: Any) -> bytes:
    """The file with other fields in its header, which nothing checks."""
    header = nibabel.Nifti1Header(data[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + data[348:]


def extended(*sizes: int, kind: int = 1) -> bytes:
    """A volume whose header has extensions of so many bytes."""
    classes = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}
    image = classes[kind](volume(), np.eye(4))
    for size in sizes:
        content = b"x" * size
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, content))
    return bytes(image.to_bytes())


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize(
    "sizes", [(8,), (600,), (700,), (4000,), (100_000,), (8, 3000, 1), (50,) * 40]
)
@pytest.mark.parametrize("packed", [False, True])
def test_header_extensions_of_any_size(
    kind: int, sizes: tuple[int, ...], packed: bool
) -> None:
    data = extended(*sizes, kind=kind)
    data = gzip.compress(data) if packed else data
    expected = slice_of(nifti_file(volume()), "axial", 8)
    assert (slice_of(data, "axial", 8) == expected).all()


def test_a_damaged_extension_harms_nobody() -> None:
    data = bytearray(extended(4000))
    data[352:356] = b"\xff\xff\xff\x7f"  # its length
    expected = slice_of(nifti_file(volume()), "axial", 8)
    assert (slice_of(bytes(data), "axial", 8) == expected).all()


@pytest.mark.parametrize("offset", [0, 348, 351, np.nan, -5])
def test_an_empty_offset_means_right_behind_the_header(offset: float) -> None:
    data = edited(nifti_file(volume()), vox_offset=offset)
    expected = slice_of(nifti_file(volume()), "axial", 8)
    assert (slice_of(data, "axial", 8) == expected).all()


@pytest.mark.parametrize("cuts", [(1,), (20,), (400, 401), (0, 348, 352, 20_000)])
def test_gzip_of_several_members(cuts: tuple[int, ...]) -> None:
    data = nifti_file(volume())
    edges = [0, *cuts, len(data)]
    members = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    packed = b"".join(gzip.compress(member) for member in members)
    assert scans.is_nifti(packed[:512])
    for trailing in (b"", bytes(512), b"something else"):
        expected = slice_of(data, "axial", 8)
        assert (slice_of(packed + trailing, "axial", 8) == expected).all()
    with pytest.raises(ImageError, match="damaged or incomplete"):
        reading.read(packed[:-2000], "x.nii.gz")


def test_bytes_behind_the_voxels() -> None:
    for data in (nifti_file(volume()) + b"more", gzip.compress(nifti_file(volume()))):
        expected = slice_of(nifti_file(volume()), "axial", 8)
        assert (slice_of(data + b"more", "axial", 8) == expected).all()


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize(
    "dtype",
    ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"],
)
def test_every_type_of_real_numbers(dtype: str, kind: int) -> None:
    values = np.arange(12 * 12 * 10).reshape(12, 12, 10) % 120
    values = values - 60 if dtype[0] in "if" else values
    image_class = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[kind]
    data = bytes(image_class(values.astype(dtype), np.eye(4), dtype=dtype).to_bytes())
    answer = reading.read(data, "x.nii", slice_number=4, values=True)
    assert answer["mode"] == np.dtype(dtype).name
    assert (answer["values"] == values[::-1, ::-1, 4].T).all()


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (0, 0, (1, 0)),
        (0, 5, (1, 0)),  # a slope of 0 means that neither counts
        (np.nan, np.nan, (1, 0)),
        (np.inf, 0, (1, 0)),
        (-2, 7, (-2, 7)),
        (0.5, np.nan, (0.5, 0)),
        (1e-3, -1, (1e-3, -1)),
    ],
)
def test_slope_and_intercept(
    slope: float, intercept: float, expected: tuple[float, float]
) -> None:
    stored = np.arange(12 * 12 * 10, dtype="<i2").reshape(12, 12, 10)
    data = edited(nifti_file(stored), scl_slope=slope, scl_inter=intercept)
    found = slice_of(data, "axial", 4)
    wanted = stored[::-1, ::-1, 4].T * expected[0] + expected[1]
    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "series"),
    [
        ((20, 24, 16, 1), 1),
        ((20, 24, 16, 1, 1), 1),
        ((20, 24, 16, 1, 1, 1, 1), 1),
        ((20, 24, 16, 3), 3),
        ((20, 24, 16, 3, 1), 3),
        ((20, 24, 16, 3, 1, 1), 3),
        ((20, 24), 1),
        ((20, 24, 1), 1),
        ((20, 24, 1, 5), 5),
    ],
)
def test_shapes(shape: tuple[int, ...], series: int) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    data = nifti_file(values)
    volumes = values.reshape(*(*shape, 1)[:3], -1)
    for number in {0, series - 1}:
        answer = reading.read(data, "x.nii", volume=number, slice_number=0, values=True)
        assert answer["series"] == series and answer["frames"] == volumes.shape[2]
        expected = volumes[::-1, ::-1, 0, number].T
        assert (answer["values"] == expected).all()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            nifti_file(np.zeros((20, 24, 16, 1, 3))),
            "each voxel holds 3 values, as in a",
        ),
        (nifti_file(np.zeros((20, 24, 16, 1, 1, 2))), "each voxel holds 2 values"),
        (nifti_file(volume().astype(np.complex64)), "its voxels hold complex numbers"),
        (nifti_file(volume().astype(np.complex128)), "its voxels hold complex numbers"),
        (
            edited(nifti_file(volume()), intent_code=1002),
            "but a segmentation mask: its",
        ),
        (edited(nifti_file(volume()), datatype=1), "its voxels hold single bits"),
        (edited(nifti_file(volume()), datatype=1536), "hold numbers of 128 bits"),
        (edited(nifti_file(volume()), datatype=99), "data of the unknown type 99"),
        (edited(nifti_file(volume()), dim=[1, 9600] + [1] * 6), "a single line"),
        (edited(nifti_file(volume()), dim=[3, 0, 24, 16] + [1] * 4), "is damaged"),
        (edited(nifti_file(volume()), dim=[3, -9, 24, 16] + [1] * 4), "is damaged"),
        (edited(nifti_file(volume()), magic=b""), "only the header of an Analyze pair"),
        (
            nifti_file(np.full_like(volume(), np.inf)),
            "no voxel has a value that is finite",
        ),
    ],
)
def test_what_is_not_offered_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        reading.read(data, "x.nii")
    assert str(caught.value).startswith("x.nii ")


@pytest.mark.parametrize("holes", [[np.nan], [np.inf], [-np.inf], [np.nan, np.inf] * 9])
def test_voxels_without_a_value_are_black(holes: list[float]) -> None:
    values = volume()
    values[3, 4, 8 : 8 + 1] = holes[0]
    values[4, 4 : 4 + len(holes), 8] = holes
    answer = reading.read(nifti_file(values), "x.nii", slice_number=8, values=True)
    expected = np.where(np.isfinite(values), values, np.nan)[::-1, ::-1, 8].T
    assert np.array_equal(answer["values"], expected, equal_nan=True)
    assert (answer["pixels"][..., 0][np.isnan(expected)] == 0).all()
    assert np.isfinite([answer["window"].center, answer["window"].width]).all()


def test_voxels_without_a_value_do_not_bleed_into_widened_slices() -> None:
    values = volume()
    values[:10] = np.nan
    data = nifti_file(values, np.diag([1.0, 2.0, 5.0, 1.0]))
    found = slice_of(data, "coronal", 12)
    assert np.isnan(found[:, 10:]).all() and np.isfinite(found[:, :10]).all()


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
def test_colours(channels: str, order: str) -> None:
    rng = np.random.default_rng(0)
    kind = np.dtype([(channel, "u1") for channel in channels])
    colours = rng.integers(0, 256, (12, 14, 10, len(channels)), np.uint8)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(kind)
    voxels = colours.view(kind)[..., 0]
    data = bytes(nibabel.Nifti1Image(voxels, np.eye(4), header).to_bytes())
    answer = reading.read(data, "x.nii", slice_number=3, values=True)
    expected = colours[::-1, ::-1, 3].swapaxes(0, 1)
    if channels == "RGBA":
        opacity = expected[..., 3:] / 255
        assert np.abs(answer["pixels"] - expected[..., :3] * opacity).max() <= 0.51
    else:
        assert (answer["pixels"] == expected).all()
    assert answer["values"] is None and answer["window"] is None
    assert answer["mode"] == ("rgb24" if channels == "RGB" else "rgba32")


def test_alpha_that_is_empty_says_nothing() -> None:
    kind = np.dtype([(channel, "u1") for channel in "RGBA"])
    voxels = np.zeros((12, 14, 10), kind)
    voxels["R"] = np.arange(12)[:, None, None] * 20
    answer = reading.read(nifti_file(voxels), "x.nii")
    assert answer["pixels"].max() == 220


SPACING = np.diag([-1.0, 2.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "fields",
    [
        {"sform_code": 0, "qform_code": 0},
        {"srow_x": [0, 0, 0, 0], "qform_code": 0},
        {"srow_x": [np.nan, 0, 0, 0], "qform_code": 0},
        {"srow_x": [1, 0, 0, 0], "srow_y": [1, 0, 0, 0], "qform_code": 0},
        {"sform_code": 0, "qform_code": 1, "quatern_b": 5.0},
        {"sform_code": 0, "qform_code": 1, "quatern_b": np.nan},
        {"sform_code": -1, "qform_code": -1},
        {"sform_code": 0, "qform_code": 1, "pixdim": [1, -1, 2, 1, 1, 1, 1, 1]},
    ],
)
def test_an_orientation_that_cannot_be_is_none(fields: dict[str, Any]) -> None:
    """Then the voxel sizes count, and x runs to the left, as everywhere else."""
    data = edited(nifti_file(volume(), SPACING), **fields)
    expected = slice_of(nifti_file(volume(), SPACING), "axial", 8)
    assert expected.shape == (48, 20)
    assert (slice_of(data, "axial", 8) == expected).all()


@pytest.mark.parametrize("size", [0, np.nan, np.inf])
def test_voxel_sizes_that_cannot_be_are_1(size: float) -> None:
    pixdim = [1, 1, size, 1, 1, 1, 1, 1]
    fields: dict[str, Any] = {"sform_code": 0, "qform_code": 0, "pixdim": pixdim}
    found = slice_of(edited(nifti_file(volume(), SPACING), **fields), "axial", 8)
    assert found.shape == (24, 20)


def test_qform_counts_where_there_is_no_sform() -> None:
    image = nibabel.Nifti1Image(volume(), np.eye(4))
    image.set_qform(np.diag([1.0, -1, -1, 1]), 1)
    image.set_sform(None, 0)
    turned = slice_of(bytes(image.to_bytes()), "axial", 7)
    expected = slice_of(nifti_file(volume(), np.diag([1.0, -1, -1, 1])), "axial", 7)
    assert (turned == expected).all()


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_a_volume_of_the_most_bytes(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = nifti_file(volume().astype(kind))
    monkeypatch.setattr(header, "MAX_BYTES", len(data) - 1)
    with pytest.raises(ImageError, match="x.nii is larger than 0 MB: crop the volume"):
        reading.read(data, "x.nii")
    monkeypatch.setattr(header, "MAX_BYTES", len(data))
    assert reading.read(data, "x.nii")["frames"] == 16


# Real files
