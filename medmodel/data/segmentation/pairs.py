"""Which masks belong to which image of a data set, by the names of folders and files.

images/7.png           masks/7.png              the usual way
train/images/7.png     train/masks/7.png        with splits
imagesTr/7.nii.gz      labelsTr/7.nii.gz        Medical Segmentation Decathlon
7.png                  7_mask.png, 7_mask_1.png beside each other; several are one mask
CXR/7.png              masks/7.png              images in any folder beside the masks
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from medmodel.data.layouts.layout_choice import Folders
from medmodel.data.layouts.listing import is_no_image, list_folder
from medmodel.data.layouts.split_names import Role, split_of
from medmodel.data.segmentation_masks import (
    base_stem,
    find_masks,
    stem,
    without_image_words,
    without_mask_words,
)

_Named = tuple[Folders, str]
"""Folders as parts of a path, and the stem of a file in them."""
Masks = dict[str, tuple[str, ...]]
"""Path of an image -> paths of its masks, relative to the data set's folder."""
LABEL = "images with masks"
"""What stands for a class in the index of a data set that has masks and no classes."""


def image_masks(folder: Path) -> Masks:
    """The masks of each image of a data set; opens no file.

    Args:
        folder: The data set's folder.
    """
    return pair_masks(list_folder(folder.resolve()).stats)


def pair_masks(paths: Collection[Folders]) -> Masks:
    """The same of files that are given as parts of their paths."""
    masks = find_masks(paths)
    if not masks:
        return {}
    images: dict[tuple[Folders, str], str] = {}
    for parts in sorted(set(paths) - masks):
        if not is_no_image(parts[-1]):
            place = _place(parts[:-1], masks=False)
            images.setdefault((place, stem(parts[-1])), "/".join(parts))
    beside = _images_beside(images)
    pairs: dict[str, list[str]] = defaultdict(list)
    for parts in sorted(masks):
        place, name = _place(parts[:-1], masks=True), stem(parts[-1])
        image = images.get((place, name)) or images.get((place, base_stem(name)))
        if not image:
            image = beside.get((parts[:-2], name)) or beside.get(
                (parts[:-2], base_stem(name))
            )
        if image:
            pairs[image].append("/".join(parts))
    return {image: tuple(pairs[image]) for image in sorted(pairs)}


def _images_beside(images: Mapping[tuple[Folders, str], str]) -> dict[_Named, str]:
    """Folder above that of an image, and its stem -> the image, where it is but one."""
    paths_of: dict[_Named, list[str]] = defaultdict(list)
    for (_folders, name), path in images.items():
        paths_of[(tuple(path.split("/")[:-2]), name)].append(path)
    return {place: paths[0] for place, paths in paths_of.items() if len(paths) == 1}


def split_of_path(path: str) -> Role:
    """The split that one of an image's folders names; "" if none does."""
    roles = (split_of(folder) for folder in path.split("/")[:-1])
    return next(filter(None, roles), "")


def mask_paths(masks: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The paths of all masks."""
    return {path for paths in masks.values() for path in paths}


def _place(folders: Folders, masks: bool) -> Folders:
    """Folders without what says that they hold images, or masks."""
    without = without_mask_words if masks else without_image_words
    return tuple(filter(None, map(without, folders)))
