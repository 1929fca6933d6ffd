from __future__ import annotations

import pytest

from medmodel.data.segmentation_masks import find_masks


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images/a/1.png, images/b/1.png", "masks/a/1.png, masks/b/1.png"),
        ("a/images/1.png, b/Images/1.png", "a/masks/1.png, b/Masks/1.png"),
        ("a/images/1.png", "a/lung masks/1.png, a/infection masks/1.png"),
        ("train/images/a/1.png", "train/masks/a/1.png"),
        ("train_images/a/1.png", "train_masks/a/1.png"),
        ("imagesTr/a/1.nii.gz", "labelsTr/a/1.nii.gz"),
        ("train/a/1.png", "train_masks/a/1.png"),
        ("a/1.png, b/1.png", "a_masks/1.png, b masks/1.png"),
        ("a/1.png, a/2.png", "a/masks/1.png, a/masks/2_mask.png"),
        ("a/1.png, b/2.png", "masks/1.png, masks/2.png"),
        ("img/1.png", "GroundTruth/1.png, gt/1.png, Segmentation/1.png"),
        ("a/x.png", "a/x_mask.png, a/x_mask_1.png, a/x-Mask2.png, a/X_SEG.PNG"),
        ("a/x (1).png", "a/x (1)_mask.png"),
        ("a/1.png", "a/mask_1.png, a/1 segmentation.png"),
        ("a/p_t1.nii.gz, a/p_flair.nii.gz", "a/p_seg.nii.gz"),
        ("a/1.png", "a/1-contour.png, a/1_outline.png, a/1_annotated.png"),
        ("a/1.png", "a/1_overlay.png, a/1_heatmap.png, a/1_heat map.png"),
        # These are no masks:
        ("mask/1.png, no_mask/1.png", ""),
        ("with_mask/1.png, without_mask/1.png, mask_worn_wrong/1.png", ""),
        ("masks/1.png, faces/2.png", ""),
        ("a/with_mask.png, b/1.png", ""),
        ("a/x_mask.png, b/x.png", ""),
        ("images/1.png, other/1.png", ""),
        ("seg_train/a/1.png, seg_test/a/1.png", ""),
        ("a/p_seg.png, a/p_t1.png, a/p_t2.png", ""),
        ("a/mask.png, a/1.png", ""),
        ("a/overlay.png, a/line_1.png, a/1.png", ""),
    ],
)
def test_masks_are_told_by_what_they_lie_beside(images: str, masks: str) -> None:
    def parts(paths: str) -> set[tuple[str, ...]]:
        return {tuple(path.split("/")) for path in paths.split(", ") if path}

    assert find_masks(parts(f"{images}, {masks}")) == parts(masks)


@pytest.mark.parametrize(("alike", "are_masks"), [(9, False), (10, True)])
def test_nearly_all_masks_are_called_as_images(alike: int, are_masks: bool) -> None:
    """More than nine of ten."""
    files = [("b", "x.png"), *(("a", f"{n}.png") for n in range(alike))]
    files += [("masks", f"{n}.png") for n in range(10)]
    assert (len(find_masks(files)) == 10) is are_masks
