"""MedMNIST files written out as class folders; what is no such file is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import DataError
from medmodel.core.job import Job
from medmodel.data import medmnist
from medmodel.data.medmnist import SETS, SIZES, TRANSLATED


def npz(path: Path, images: Any = None, labels: Any = None, count: int = 6) -> Path:
    """A file like those published, `count` images in each split."""
    shape = (count, 28, 28)
    pictures = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    images = pictures if images is None else images
    labels = (np.arange(count) % 2)[:, None] if labels is None else labels
    facts: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        facts |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez_compressed(path, **facts, allow_pickle=True)
    return path


def test_the_catalogue() -> None:
    assert len(SETS) == 11 and "chestmnist" not in SETS
    sums = [md5 for found in SETS.values() for md5 in found.md5]
    assert len(set(sums)) == 44 and all(len(md5) == 32 for md5 in sums)
    assert all(int(md5, 16) for md5 in sums)
    found = SETS["organcmnist"]
    assert found.file(28) == "organcmnist.npz"
    assert found.address(64).endswith("10519652/files/organcmnist_64.npz?download=1")
    for name, found in SETS.items():
        for size in SIZES:
            assert medmnist.named(found.file(size)) == (SETS[name], size)
        folders = {medmnist.plain_name(label) for label in found.classes}
        assert folders == set(found.classes)
    assert medmnist.named("PneumoniaMNIST_64 (1).npz") == (SETS["pneumoniamnist"], 64)
    assert medmnist.named("chestmnist.npz") is None
    assert medmnist.named("pneumoniamnist_32.npz") is None


def test_class_folders(workspace: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    path = npz(tmp_path / "x.npz")
    found = medmnist.import_npz(
        path, "pneumoniamnist.npz", Job(lambda *facts: told.append(facts))
    )
    assert found.folder == workspace / "datasets" / "pneumoniamnist"
    assert found.files == 19 and told[-1] == ("importing", 19, 19)
    for split in ("train", "val", "test"):
        names = sorted(p.name for p in (found.folder / split / "pneumonia").iterdir())
        assert names == ["000001.png", "000003.png", "000005.png"]
    with Image.open(found.folder / "val" / "normal" / "000002.png") as image:
        expected = np.arange(2 * 784, 3 * 784).astype(np.uint8).reshape(28, 28)
        assert image.mode == "L" and (np.asarray(image) == expected).all()
    origin = (found.folder / "ORIGIN.txt").read_text()
    assert "CC BY 4.0" in origin and "NOT as published" in origin


def test_colour_and_unknown_names(workspace: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 20, 30, 3), np.uint8)
    path = npz(tmp_path / "x.npz", pictures, np.array([7, 0], np.uint8))
    found = medmnist.import_npz(path, "../mine.npz")
    assert found.folder.name == "mine"
    with Image.open(found.folder / "test" / "7" / "000000.png") as image:
        assert (np.asarray(image) == pictures[0]).all()


@pytest.mark.parametrize(
    ("images", "labels", "reason"),
    [
        (None, np.zeros((6, 14), np.uint8), "several labels per image"),
        (np.zeros((6, 28, 28, 28), np.uint8), None, "flat images"),
        (np.zeros((6, 28, 28), np.float32), None, "flat images"),
        (np.array([print] * 6), None, "cannot be read|flat images"),
        (None, np.array([print] * 6), "cannot be read"),
        (None, np.zeros(5, np.uint8), "cannot be read"),
        (None, -np.ones(6, np.int8), "cannot be read"),
        (None, np.zeros(6), "cannot be read"),
    ],
)
def test_others_are_refused(
    workspace: Path, tmp_path: Path, images: Any, labels: Any, reason: str
) -> None:
    path = npz(tmp_path / "x.npz", images, labels)
    with pytest.raises(DataError, match=reason):
        medmnist.import_npz(path, "x.npz")
    assert not list((workspace / "datasets").glob("*")) or not list(
        (workspace / "datasets").iterdir()
    )


@pytest.mark.parametrize(
    ("name", "shape", "kind", "reason"),
    [
        ("train_images", (6, -5, 3), "|u1", "flat images"),
        ("train_labels", (2**52,), "<i8", "cannot be read"),
    ],
)
def test_sizes_that_only_a_header_claims(
    workspace: Path, tmp_path: Path, name: str, shape: Any, kind: str, reason: str
) -> None:
    path, claimed = npz(tmp_path / "x.npz"), io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(claimed, header)
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**files, f"{name}.npy": claimed.getvalue()}.items():
            archive.writestr(member, content)
    with pytest.raises(DataError, match=reason):
        medmnist.import_npz(path, "x.npz")


def test_damaged_files_leave_nothing(workspace: Path, tmp_path: Path) -> None:
    data = npz(tmp_path / "x.npz").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("train_labels.npy", b"no array")
    unclosed, header = io.BytesIO(), b"{'descr': '|u1', 'shape': (6, 1\n"
    with zipfile.ZipFile(unclosed, "w") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("train_labels.npy", b"\x93NUMPY\x01\0" + length + header)
    broken = bytearray(data)
    broken[len(data) // 3] ^= 0xFF
    for content in (
        b"",
        data[:-40],
        bytes(broken),
        buffer.getvalue(),
        unclosed.getvalue(),
    ):
        path = tmp_path / "y.npz"
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            medmnist.import_npz(path, "y.npz")
    assert not list(workspace.glob("datasets/*"))


def test_what_the_sets_say_is_for_translators() -> None:
    licences = {each.licence for each in SETS.values() if ":" in each.licence}
    assert {each.shows for each in SETS.values()} | licences == set(TRANSLATED)
