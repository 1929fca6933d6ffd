"""NIfTI volumes: orientation by markers, refusals, real files."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from medmodel.core.errors import ImageError
from medmodel.core.samples import Axis
from medmodel.imaging import images, nifti, scans
from medmodel.imaging.windows import Window

RealData = Callable[[str], Path]
# Positions in a volume of 20 x 24 x 16 voxels whose axes run right, forward, up.
RIGHT, FRONT, TOP = (18, 12, 8), (10, 22, 8), (10, 12, 14)


def volume() -> npt.NDArray[np.float32]:
    """Smooth, with one bright voxel at the right, two in front, three at the top."""
    grid = np.indices((20, 24, 16)).sum(axis=0)
    found = grid.astype(np.float32)
    found[RIGHT], found[FRONT], found[TOP] = 1000, 2000, 3000
    return found


def nifti_file(
    values: npt.NDArray[Any], affine: npt.NDArray[Any] | None = None, kind: int = 1
) -> bytes:
    classes = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}
    image = classes[kind](values, np.eye(4) if affine is None else affine)
    return bytes(image.to_bytes())


def slice_of(data: bytes, axis: Axis, number: int) -> npt.NDArray[np.float32]:
    answer = nifti.read(data, "x.nii", axis=axis, slice_number=number, values=True)
    values: npt.NDArray[np.float32] = answer["values"]
    return values


def place(picture: npt.NDArray[np.float32], value: float) -> tuple[int, int]:
    row, column = np.argwhere(picture == value)[0]
    return int(row), int(column)


def test_axial_shows_right_on_the_left_and_front_up() -> None:
    picture = slice_of(nifti_file(volume()), "axial", 8)
    assert picture.shape == (24, 20)
    assert place(picture, 1000) == (23 - 12, 19 - 18)
    assert place(picture, 2000) == (23 - 22, 19 - 10)


def test_coronal_shows_right_on_the_left_and_head_up() -> None:
    picture = slice_of(nifti_file(volume()), "coronal", 12)
    assert picture.shape == (16, 20)
    assert place(picture, 1000) == (15 - 8, 19 - 18)
    assert place(picture, 3000) == (15 - 14, 19 - 10)


def test_sagittal_shows_front_on_the_left_and_head_up() -> None:
    picture = slice_of(nifti_file(volume()), "sagittal", 10)
    assert picture.shape == (16, 24)
    assert place(picture, 2000) == (15 - 8, 23 - 22)
    assert place(picture, 3000) == (15 - 14, 23 - 12)


@pytest.mark.parametrize("order", ["LAS", "LPI", "PSR", "SAR", "AIL"])
def test_the_picture_does_not_depend_on_how_the_volume_is_stored(order: str) -> None:
    canonical = nibabel.Nifti1Image(volume(), np.eye(4))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(canonical.affine),
        nibabel.orientations.axcodes2ornt(tuple(order)),
    )
    turned = canonical.as_reoriented(turn)
    assert nibabel.aff2axcodes(turned.affine) == tuple(order)
    for axis in nifti.AXES:
        expected = slice_of(nifti_file(volume()), axis, 8)
        assert (slice_of(bytes(turned.to_bytes()), axis, 8) == expected).all()


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i2", ">i2", "<f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_byte_orders_types_and_compression(kind: int, dtype: str, packed: bool) -> None:
    if dtype.startswith(">"):
        classes = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}
        header = classes[kind].header_class(endianness=">")
        header.set_data_dtype(dtype[1:])
        image = classes[kind](volume().astype(dtype), np.eye(4), header)
        data = bytes(image.to_bytes())
    else:
        data = nifti_file(volume().astype(dtype), kind=kind)
    data = gzip.compress(data) if packed else data
    assert scans.is_nifti(data[:512])
    assert (
        slice_of(data, "axial", 8) == slice_of(nifti_file(volume()), "axial", 8)
    ).all()


def test_coarse_slices_are_widened_to_true_proportions() -> None:
    data = nifti_file(volume(), np.diag([1.0, 2.0, 5.0, 1.0]))
    # 20 × 24 × 16 voxels; each slice is widened along the longer side of its voxels.
    assert slice_of(data, "axial", 8).shape == (2 * 24, 20)
    assert slice_of(data, "coronal", 8).shape == (5 * 16, 20)
    assert slice_of(data, "sagittal", 8).shape == (5 * 16 // 2, 24)


def test_middle_slice_window_and_count() -> None:
    answer = nifti.read(nifti_file(volume()), "x.nii")
    assert answer["frames"] == 16 and answer["patient"] == ""
    again = nifti.read(nifti_file(volume()), "x.nii", slice_number=8)
    assert (answer["pixels"] == again["pixels"]).all()
    # All slices of a volume are seen through one window.
    other = nifti.read(nifti_file(volume()), "x.nii", slice_number=1)
    assert other["window"] == answer["window"]
    chosen = Window(20, 10, "LINEAR")
    assert nifti.read(nifti_file(volume()), "x.nii", window=chosen)["window"] == chosen


def test_a_series_of_volumes() -> None:
    series = np.stack([volume(), volume() + 5], axis=-1)
    first = nifti.read(nifti_file(series), "x.nii", values=True)["values"]
    found = nifti.read(nifti_file(series), "x.nii", volume=1, values=True)
    second, count = found["values"], found["series"]
    assert count == series.shape[3] == 2
    assert (second == first + 5).all()
    with pytest.raises(ImageError, match="x.nii has no volume 3: it has 2"):
        nifti.read(nifti_file(series), "x.nii", volume=2)


def test_scale_of_the_header_is_applied() -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(volume() / 4, np.eye(4), header)
    found = slice_of(bytes(image.to_bytes()), "axial", 8)
    expected = slice_of(nifti_file(volume()), "axial", 8) / 4
    assert np.abs(found - expected).max() < 0.02  # 3000 / 4 in 16 bits


def pair_header() -> bytes:
    data = bytearray(nifti_file(volume()))
    data[344:348] = b"ni1\0"
    return bytes(data[:352])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (nifti_file(volume() * np.nan), "x.nii shows nothing: no voxel has a value th"),
        (nifti_file(volume() * 0 + 3), "x.nii shows nothing: all voxels have the val"),
        (nifti_file((volume() > 20).astype(np.uint8)), "x.nii looks like a segmentat"),
        (nifti_file(np.zeros((4, 4, 4, 1, 3))), "x.nii is no picture: each voxel hold"),
        (nifti_file(volume()[:5, :5]), "x.nii is too small for a picture: its axial "),
        (nifti_file(volume())[:-9], "x.nii cannot be read: this NIfTI file is damage"),
        (nifti_file(volume())[:200], "x.nii cannot be read: this NIfTI file is damag"),
        (gzip.compress(nifti_file(volume()))[:-999], "x.nii cannot be read: this NI"),
        (pair_header(), "x.nii is only the header of a NIfTI pair: save the volume a"),
    ],
)
def test_refusals_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError) as caught:
        nifti.read(data, "x.nii")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_refused_from_its_header() -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    data = gzip.compress(header.binaryblock + bytes(10_000_000))
    with pytest.raises(ImageError, match="x.nii is larger than 1000 MB"):
        nifti.read(data, "x.nii")


def test_only_as_much_is_decompressed_as_the_header_says() -> None:
    assert len(scans.gunzip(gzip.compress(bytes(10_000_000)), 1024)) == 1024


@pytest.mark.parametrize(
    ("levels", "step", "mask"),
    [(5, 1.0, True), (5, 0.5, False), (16, 1, True), (17, 1, False)],
)
def test_few_whole_numbers_are_a_mask(levels: int, step: float, mask: bool) -> None:
    values = (volume() % levels * step).astype(np.float32)
    assert len(np.unique(values)) == levels
    if mask:
        with pytest.raises(ImageError, match=f"it has only {levels} different values"):
            nifti.read(nifti_file(values), "x.nii")
    else:
        assert nifti.read(nifti_file(values), "x.nii")["pixels"].max() == 255


def test_a_large_volume_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    size = volume().nbytes
    for limit, count in ((size - 1, 0), (size, 1)):
        monkeypatch.setattr(nifti, "KEPT_BYTES", limit)
        nifti._latest.clear()
        nifti.read(nifti_file(volume()), "x.nii")
        assert len(nifti._latest) == count


def test_no_such_slice() -> None:
    with pytest.raises(ImageError, match="x.nii has no axial slice 17 of 16"):
        nifti.read(nifti_file(volume()), "x.nii", slice_number=16)


# Headers as they are met


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
        nifti.read(packed[:-2000], "x.nii.gz")


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
    answer = nifti.read(data, "x.nii", slice_number=4, values=True)
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
        answer = nifti.read(data, "x.nii", volume=number, slice_number=0, values=True)
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
        nifti.read(data, "x.nii")
    assert str(caught.value).startswith("x.nii ")


@pytest.mark.parametrize("holes", [[np.nan], [np.inf], [-np.inf], [np.nan, np.inf] * 9])
def test_voxels_without_a_value_are_black(holes: list[float]) -> None:
    values = volume()
    values[3, 4, 8 : 8 + 1] = holes[0]
    values[4, 4 : 4 + len(holes), 8] = holes
    answer = nifti.read(nifti_file(values), "x.nii", slice_number=8, values=True)
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
    answer = nifti.read(data, "x.nii", slice_number=3, values=True)
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
    answer = nifti.read(nifti_file(voxels), "x.nii")
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


# Real files


def test_all_good_files_have_the_shape_of_the_list(real_data: RealData) -> None:
    folder = real_data("nifti")
    with (folder / "MANIFEST.csv").open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["file"].startswith("ok/")]
    assert len(rows) == 14
    for row in rows:
        frame = images.decode(folder / row["file"], window="file", values=True)
        low, high = (float(n) for n in row["range"].split(".."))
        assert frame.values is not None
        assert low - 0.01 <= frame.values.min() < frame.values.max() <= high + 1
        sides = [int(n) for n in row["shape"].split("x")[:3]]
        assert frame.frames in sides
        assert frame.mode == row["dtype"].replace(">f4", "float32").replace(
            ">i2", "int16"
        )


def test_letters_in_a_volume_tell_right_from_left(real_data: RealData) -> None:
    # avg152T1_LR has the letters R and L written into its slices.
    folder = real_data("nifti") / "ok"
    first, *others = [
        images.decode(p).pixels[..., 0] for p in sorted(folder.glob("avg152T1_LR*"))
    ]
    assert len(others) == 2
    assert all((first == other).all() for other in others)
    white = first == 255
    columns = np.flatnonzero(white.any(axis=0))
    middle = first.shape[1] // 2
    left, right = columns[columns < middle], columns[columns > middle]
    # Only the L has a foot: more of its last row is white than of the R's two legs.
    bottom = np.flatnonzero(white.any(axis=1))[-1]
    assert white[bottom, right].mean() > white[bottom, left].mean()


WITHOUT_SOME_VALUES = {"mtr.nii.gz", "resampled_anat_moved.nii"}


def test_real_volumes_some_of_whose_voxels_have_no_value(real_data: RealData) -> None:
    for name in WITHOUT_SOME_VALUES:
        decoded = images.decode(real_data("nifti") / "broken" / name, values=True)
        assert decoded.values is not None and not np.isinf(decoded.values).any()
        assert decoded.pixels.std() > 40
        assert (decoded.pixels[np.isnan(decoded.values)] == 0).all()


@pytest.mark.parametrize("kind", ["broken", "masks_not_images"])
def test_bad_files_get_one_sentence(real_data: RealData, kind: str) -> None:
    files = sorted((real_data("nifti") / kind).iterdir())
    assert len(files) == {"broken": 7, "masks_not_images": 2}[kind]
    for path in files:
        if path.name in WITHOUT_SOME_VALUES:
            continue
        with pytest.raises(ImageError) as caught:
            images.decode(path, window="file")
        text = str(caught.value)
        assert text.startswith(path.name) and text.endswith("."), text
        assert len(text) < 200 and "\n" not in text, text


def test_a_window_in_hounsfield_units() -> None:
    values = volume() * 50 - 1000
    frame = images.decode(nifti_file(values), window="40/80", values=True)
    assert frame.window == Window(40, 80)
