"""NIfTI volumes in two files are the same as in one."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medmodel.core.errors import ImageError
from medmodel.data import datasets, layout
from medmodel.imaging import images
from medmodel.imaging.nifti import pair as nifti_pair

SHAPE = (16, 12, 9)


def volume() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 30, SHAPE).astype(np.float32)


def write_pair(
    folder: Path, name: str = "x", kind: str = "1", order: str = "<", packed: str = ""
) -> Path:
    """Writes a pair; `packed` names which of "h" and "i" are compressed."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = nibabel.Nifti1Pair if kind == "1" else nibabel.Nifti2Pair
    header = pair.header_class(endianness=order)
    header.set_data_dtype(np.float32)
    image = pair(volume(), np.diag([2, 2, 3, 1]), header)
    nibabel.save(image, folder / f"{name}.img")
    for letter, suffix in (("h", ".hdr"), ("i", ".img")):
        if letter in packed:
            path = folder / (name + suffix)
            path.with_name(path.name + ".gz").write_bytes(
                gzip.compress(path.read_bytes())
            )
            path.unlink()
    return next(folder.glob(f"{name}.img*"))


@pytest.mark.parametrize("kind", ["1", "2"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", ["", "h", "i", "hi"])
def test_a_pair_is_read_as_one_file(
    tmp_path: Path, kind: str, order: str, packed: str
) -> None:
    path = write_pair(tmp_path / "data", kind=kind, order=order, packed=packed)
    whole = nibabel.Nifti1Image(volume(), np.diag([2, 2, 3, 1]))
    expected = images.decode(whole.to_bytes(), "x.nii")
    decoded = images.decode_data_file(path.parent, path.name)
    assert np.array_equal(decoded.pixels, expected.pixels)
    assert decoded.frames == SHAPE[2]


def test_voxels_that_begin_later(tmp_path: Path) -> None:
    path = write_pair(tmp_path)
    header = path.with_suffix(".hdr").read_bytes()
    moved = header[:108] + np.float32(64).tobytes() + header[112:]
    whole = nifti_pair.joined(header, path.read_bytes())
    later = nifti_pair.joined(moved, bytes(64) + path.read_bytes())
    expected = images.decode(whole, "x").pixels
    assert np.array_equal(images.decode(later, "x").pixels, expected)


@pytest.mark.parametrize(
    ("names", "header"),
    [
        (["x.hdr", "x.img"], "x.hdr"),
        (["X.HDR"], "X.HDR"),
        (["x.hdr.gz", "y.hdr"], "x.hdr.gz"),
        (["y.hdr", "x.txt"], ""),
    ],
)
def test_header_beside_voxels(tmp_path: Path, names: list[str], header: str) -> None:
    assert nifti_pair.header_beside("x.img", names) == header
    for name in names:
        (tmp_path / name).touch()
    assert nifti_pair.header_path(tmp_path, "x.img") == header
    assert nifti_pair.header_path(tmp_path, "x.nii") == ""


def test_half_a_pair_is_one_sentence(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "data")
    header = path.with_suffix(".hdr")
    with pytest.raises(ImageError, match=r"x\.hdr is only the header of a NIfTI pair"):
        images.decode(header)
    header.unlink()
    sentence = r"x\.img holds the voxels of a volume without its header: put x\.hdr"
    with pytest.raises(ImageError, match=sentence):
        images.decode_data_file(path.parent, path.name)
    with pytest.raises(ImageError, match=sentence):
        images.decode(path)


def test_what_is_no_pair_stays_as_it_is() -> None:
    assert nifti_pair.joined(b"ENVI\nlines = 5", b"voxels") == b"voxels"
    assert nifti_pair.joined(b"", b"voxels") == b"voxels"
    with pytest.raises(ImageError, match="damaged"):
        nifti_pair.joined(gzip.compress(bytes(999))[:10] + b"\xff" * 20, b"voxels")


def test_pairs_as_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "set"
    for label in "ab":
        write_pair(folder / label, "one", packed="i" if label == "b" else "")
    (folder / "a" / "lone.img").write_bytes(bytes(400))
    files, ignored = layout.list_files(folder)
    names = [file.path for file in files]
    assert names == ["a/lone.img", "a/one.img", "b/one.img.gz"] and ignored == []
    index = datasets.index_dataset(folder)
    assert set(index.readable["format"]) == {"NIfTI"}
    errors = dict(zip(index.table["path"], index.table["error"], strict=True))
    assert "without its header" in errors["a/lone.img"]
