"""A folder of images with masks as a data set: listed, checked, prepared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import DataError, ImageError
from medmodel.core.preprocessing import Preprocessing
from medmodel.data import datasets, layout, synthetic
from medmodel.data.datasets import index_dataset
from medmodel.data.prepared import prepare
from medmodel.data.segmentation import prepared_masks
from medmodel.data.segmentation.mask_files import read_mask
from medmodel.data.segmentation.pairs import LABEL, image_masks
from medmodel.data.segmentation.prepared_masks import PreparedMasks, prepare_masks
from tests.conftest import draw_class_folders
from tests.data.segmentation.masked_folder import draw_masked_folder

SMALL = Preprocessing(size=28, colour="grey")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_masked_folder(tmp_path / "data" / "discs", images=6)


def save(values: np.ndarray, path: Path) -> None:
    Image.fromarray(values.astype(np.uint8)).save(path)


def prepared(folder: Path) -> PreparedMasks:
    index = index_dataset(folder)
    table = index.readable
    images = prepare(index.folder, table, SMALL)
    shapes = dict.fromkeys(table["path"], (40, 40))
    masks = image_masks(index.folder)
    return prepare_masks(index.folder, images, shapes, masks, SMALL)


def test_a_check_recognises_images_with_masks(folder: Path) -> None:
    save(np.full((40, 40), 90), folder / "images" / "alone.png")
    index = index_dataset(folder)
    assert index.classes == [LABEL]
    assert not index.has_classes
    assert list(index.readable["path"]) == [f"images/p0{n}.png" for n in range(6)]
    assert index.ignored.to_numpy().tolist() == [["images/alone.png", layout.NO_MASK]]
    said = datasets.layout_sentences(folder)
    assert said[0].startswith("Read as a segmentation data set: 6 images with masks")


def test_a_mask_without_an_image_is_said_to_be_that(folder: Path) -> None:
    save(np.full((40, 40), 90), folder / "masks" / "alone.png")
    ignored = index_dataset(folder).ignored.to_numpy().tolist()
    assert ignored == [["masks/alone.png", layout.NO_IMAGE]]


def test_splits_of_folders_are_respected(tmp_path: Path) -> None:
    for split in ("train", "test"):
        draw_masked_folder(tmp_path / "parted" / split, images=2)
    splits = [file.split for file in layout.list_files(tmp_path / "parted")[0]]
    assert sorted(splits) == ["test", "test", "train", "train"]


def test_classes_with_masks_stay_classes(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "lesions"
    for name in ("benign", "malignant"):
        draw_masked_folder(folder / name, images=3)
    index = index_dataset(folder)
    assert index.classes == ["benign", "malignant"]
    assert len(image_masks(folder)) == 6


def test_a_mask_of_another_size_is_said_and_left_out(folder: Path) -> None:
    save(np.zeros((20, 40)), folder / "masks" / "p01.png")
    index = index_dataset(folder)
    (error,) = index.table.loc[index.table["error"] != "", "error"]
    assert error == (
        "p01.png has 40 × 20 pixels, its image 40 × 40: save the mask at the size of "
        "the image."
    )
    assert len(index.readable) == 5
    save(np.zeros((40, 40)), folder / "masks" / "p01.png")
    assert len(index_dataset(folder).readable) == 6


def test_a_mask_that_changes_is_looked_at_again(folder: Path) -> None:
    index_dataset(folder)
    (folder / "masks" / "p02.png").write_bytes(b"no image")
    index = index_dataset(folder)
    assert list(index.table.loc[index.table["error"] != "", "path"]) == [
        "images/p02.png"
    ]


def test_several_masks_of_an_image_are_one(tmp_path: Path) -> None:
    first, second = np.zeros((2, 10, 12), np.uint8)
    first[1:4, 1:6], second[2:8, 4:9] = 1, 2
    save(first, tmp_path / "a.png")
    save(second, tmp_path / "b.png")
    merged = read_mask(tmp_path, "x.png", ["a.png", "b.png"], (10, 12))
    assert (merged == np.maximum(first, second)).all()
    with pytest.raises(ImageError, match="10 × 12"):
        read_mask(tmp_path, "x.png", ["a.png"], (12, 10))


def test_masks_are_decoded_once_and_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = prepared(folder)
    assert masks.values == [255]
    assert masks.pixels.shape == (6, 28, 28)
    assert masks.class_numbers[[0, 255]].tolist() == [0, 1]
    assert [bool(mask.any()) for mask in masks.pixels] == [
        *(False, True, True, True),
        *(False, True),
    ]
    before = np.array(masks.pixels)
    monkeypatch.setattr(prepared_masks, "decode_masks", None)
    assert (prepared(folder).pixels == before).all()


def test_damaged_masks_are_decoded_again(folder: Path) -> None:
    masks = prepared(folder)
    before, path = np.array(masks.pixels), Path(masks.pixels.filename)  # type: ignore[attr-defined]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert (prepared(folder).pixels == before).all()


def test_other_masks_of_the_same_images_are_decoded_anew(folder: Path) -> None:
    prepared(folder)
    save(np.full((40, 40), 3), folder / "masks" / "p00.png")
    masks = prepared(folder)
    assert masks.values == [3, 255]
    assert masks.class_numbers[[0, 3, 255]].tolist() == [0, 1, 2]
    assert (masks.pixels[0] == 3).all()


def test_one_class_marked_with_two_values_is_refused(folder: Path) -> None:
    path = folder / "masks" / "p01.png"
    ones = np.asarray(Image.open(path)) // 255
    save(ones, path)
    with pytest.raises(DataError, match="Some masks of discs mark the class with 1"):
        prepared(folder)
    both = ones.copy()
    both[:3, :3] = 255
    save(both, path)
    assert prepared(folder).values == [1, 255]


def test_the_pool_can_send_what_it_found(folder: Path, tmp_path: Path) -> None:
    both = np.zeros((40, 40), np.uint8)
    both[:3, :3], both[9:12, :3] = 1, 2
    save(both, folder / "masks" / "p01.png")
    part = tmp_path / "part"
    part.write_bytes(bytes(2 * 28 * 28))
    rows: list[tuple[int, str, tuple[str, ...], tuple[int, int]]] = [
        (n, f"images/p0{n}.png", (f"masks/p0{n}.png",), (40, 40)) for n in range(2)
    ]
    answer = prepared_masks.decode_masks(rows, str(folder), str(part), (0, 28, "pad"))
    assert json.loads(json.dumps(answer)) == {
        "values": [0, 1, 2],
        "together": True,
        "problem": "",
    }


def test_empty_masks_are_refused(folder: Path) -> None:
    for path in (folder / "masks").iterdir():
        save(np.zeros((40, 40)), path)
    with pytest.raises(DataError, match="All masks of discs are empty"):
        prepared(folder)


def test_more_classes_than_can_be_trained_are_refused(folder: Path) -> None:
    for number, path in enumerate(sorted((folder / "masks").iterdir())[:2]):
        values = np.arange(1600).reshape(40, 40) % 20 + 1 + 20 * number
        save(values, path)
    with pytest.raises(DataError, match="hold 41 different values, at most 32"):
        prepared(folder)


def test_the_drawn_nodules_are_where_their_masks_say(tmp_path: Path) -> None:
    synthetic.write_masked_phantoms(tmp_path, patients=3, slices=1)
    images = [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob("images/*"))]
    masks = [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob("masks/*"))]
    assert sorted(bool(mask.any()) for mask in masks) == [False, True, True]
    for image, mask in zip(images, masks, strict=True):
        assert set(np.unique(mask)) <= {0, 255}
        if mask.any():
            assert image[mask == 255].mean() > 140


def test_class_folders_have_no_masks(tmp_path: Path) -> None:
    assert image_masks(draw_class_folders(tmp_path / "easy", images_per_class=1)) == {}
