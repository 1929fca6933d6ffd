"""Which masks belong to which image."""

from __future__ import annotations

import pytest

from medmodel.data.segmentation.pairs import pair_masks, split_of_path


def parts(text: str) -> list[tuple[str, ...]]:
    return [tuple(path.strip().split("/")) for path in text.split(",")]


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        ("images/1.png, masks/1.png", {"images/1.png": ["masks/1.png"]}),
        ("images/1.jpg, masks/1_mask.png", {"images/1.jpg": ["masks/1_mask.png"]}),
        (
            "train/images/1.png, train/masks/1.png, test/images/1.png, "
            "test/masks/1.png",
            {
                "test/images/1.png": ["test/masks/1.png"],
                "train/images/1.png": ["train/masks/1.png"],
            },
        ),
        (
            "images/train/1.png, masks/train/1.png",
            {"images/train/1.png": ["masks/train/1.png"]},
        ),
        (
            "imagesTr/a.nii.gz, labelsTr/a.nii.gz, imagesTs/b.nii.gz",
            {"imagesTr/a.nii.gz": ["labelsTr/a.nii.gz"]},
        ),
        (
            "a/x.png, a/x_mask.png, a/x_mask_1.png",
            {"a/x.png": ["a/x_mask.png", "a/x_mask_1.png"]},
        ),
        ("CXR_png/1.png, masks/1.png", {"CXR_png/1.png": ["masks/1.png"]}),
        ("CXR/1.png, masks/1_mask.png", {"CXR/1.png": ["masks/1_mask.png"]}),
        (
            "CXR/1.png, CXR/2.png, MR/1.png, masks/1.png, masks/2.png",
            {"CXR/2.png": ["masks/2.png"]},
        ),
        (
            "train/1.png, train_masks/1_mask.gif",
            {"train/1.png": ["train_masks/1_mask.gif"]},
        ),
        (
            "a/t2.nii.gz, a/t2_seg-manual.nii.gz",
            {"a/t2.nii.gz": ["a/t2_seg-manual.nii.gz"]},
        ),
        ("a/t2.nii.gz, a/t2_dseg.nii.gz", {"a/t2.nii.gz": ["a/t2_dseg.nii.gz"]}),
        ("images/1.png, masks/2.png", {}),
        ("images/p1/1.png, masks/p2/1.png", {}),
        ("a/1.png, b/1.png", {}),
        (
            "images/1.dcm, images/notes.txt, masks/1.nii.gz",
            {"images/1.dcm": ["masks/1.nii.gz"]},
        ),
    ],
)
def test_masks_belong_to_the_image_of_their_name(
    files: str, pairs: dict[str, list[str]]
) -> None:
    found = pair_masks(parts(files))
    assert {image: list(masks) for image, masks in found.items()} == pairs


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/images/1.png", "train"),
        ("images/val/1.png", "val"),
        ("imagesTr/1.nii.gz", "train"),
        ("images/1.png", ""),
        ("images/test.png", ""),
    ],
)
def test_a_folder_names_the_split(path: str, split: str) -> None:
    assert split_of_path(path) == split
