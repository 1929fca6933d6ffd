"""NIfTI volumes: orientation by markers, refusals, real files.

Drawn scans of every kind: test_scan_variants.
"""

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
from medmodel.imaging import images, scans
from medmodel.imaging.nifti import reading
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
    answer = reading.read(data, "x.nii", axis=axis, slice_number=number, values=True)
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
    for axis in reading.AXES:
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
    answer = reading.read(nifti_file(volume()), "x.nii")
    assert answer["frames"] == 16 and answer["patient"] == ""
    again = reading.read(nifti_file(volume()), "x.nii", slice_number=8)
    assert (answer["pixels"] == again["pixels"]).all()
    # All slices of a volume are seen through one window.
    other = reading.read(nifti_file(volume()), "x.nii", slice_number=1)
    assert other["window"] == answer["window"]
    chosen = Window(20, 10, "LINEAR")
    assert (
        reading.read(nifti_file(volume()), "x.nii", window=chosen)["window"] == chosen
    )


def test_a_series_of_volumes() -> None:
    series = np.stack([volume(), volume() + 5], axis=-1)
    first = reading.read(nifti_file(series), "x.nii", values=True)["values"]
    found = reading.read(nifti_file(series), "x.nii", volume=1, values=True)
    second, count = found["values"], found["series"]
    assert count == series.shape[3] == 2
    assert (second == first + 5).all()
    with pytest.raises(ImageError, match="x.nii has no volume 3: it has 2"):
        reading.read(nifti_file(series), "x.nii", volume=2)


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
        (nifti_file(np.zeros((4, 4, 4, 1, 3))), "x.nii is no image: each voxel hold"),
        (nifti_file(volume()[:5, :5]), "x.nii is too small for an image: its axial "),
        (nifti_file(volume())[:-9], "x.nii cannot be read: this NIfTI file is damage"),
        (nifti_file(volume())[:200], "x.nii cannot be read: this NIfTI file is damag"),
        (gzip.compress(nifti_file(volume()))[:-999], "x.nii cannot be read: this NI"),
        (pair_header(), "x.nii is only the header of a NIfTI pair: put its .img file"),
    ],
)
def test_refusals_are_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError) as caught:
        reading.read(data, "x.nii")
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_refused_from_its_header() -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((30_000, 30_000, 30_000))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    data = gzip.compress(header.binaryblock + bytes(10_000_000))
    with pytest.raises(ImageError, match="x.nii is larger than 1000 MB"):
        reading.read(data, "x.nii")


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
            reading.read(nifti_file(values), "x.nii")
    else:
        assert reading.read(nifti_file(values), "x.nii")["pixels"].max() == 255


def test_a_large_volume_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    size = volume().nbytes
    for limit, count in ((size - 1, 0), (size, 1)):
        monkeypatch.setattr(reading, "KEPT_BYTES", limit)
        reading._latest.clear()
        reading.read(nifti_file(volume()), "x.nii")
        assert len(reading._latest) == count


def test_no_such_slice() -> None:
    with pytest.raises(ImageError, match="x.nii has no axial slice 17 of 16"):
        reading.read(nifti_file(volume()), "x.nii", slice_number=16)


# Headers as they are met


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


def test_a_slice_is_one_of_those_that_there_are() -> None:
    assert reading._slice_at(-1, 5, "axial", "v.nii") == 2
    assert reading._slice_at(-1, 1, "axial", "v.nii") == 0
    assert reading._slice_at(4, 5, "axial", "v.nii") == 4
    for number, count in ((5, 5), (-2, 5), (-1, 0), (0, 0)):
        with pytest.raises(ImageError, match="has no axial slice"):
            reading._slice_at(number, count, "axial", "v.nii")


@pytest.mark.parametrize("factor", [1e300, 1e-310])
def test_values_beyond_32_bits_are_said_to_be_so(factor: float) -> None:
    data = nifti_file(volume().astype(np.float64) * factor)
    with pytest.raises(ImageError, match="too large or too small for"):
        reading.read(data, "x.nii")


def test_infinite_values_are_no_values_too_large() -> None:
    values = volume().astype(np.float64)
    values[0] = np.inf
    assert reading.read(nifti_file(values), "x.nii")["frames"] == 16
