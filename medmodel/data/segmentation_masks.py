"""Masks of a segmentation that lie beside the images: they are no images to train on.

Told by names: a folder "masks" beside "images", "normal_masks" beside "normal", "masks"
in a folder whose images have the same names; a file "x_mask.png" beside "x.png".
Folders of people with and without a mask are none of these.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

from medmodel.data.layouts.layout_choice import Folders
from medmodel.language import N_

MASK = N_("a mask or overlay beside its image")
"""Why such a file is left out."""
_MASK = (
    r"masks?|segmentations?|segmented|d?seg|ground ?truths?|gt|annotations?|annotated"
    r"|labels?|rois?|contours?|outlines?|overlays?|heat ?maps?"
)
_SURE = {"masks", "segmentations", "segmentation", "annotations", "ground truth"}
"""Names that no class has; "mask" is one of people who wear one."""
_IMAGES = {
    "images",
    "image",
    "imgs",
    "img",
    "pictures",
    "originals",
    "original",
    "scans",
}
_FILE = re.compile(
    rf"(?i)(?:(?P<base>.+?)[ _.-]+(?:{_MASK})(?:[ _-]*(?:\d+|manual|auto))?"
    rf"|(?:{_MASK})[ _.-]+(?P<rest>.+))"
)
_HINT = re.compile(r"(?i)mask|seg|ground|gt|annot|label|roi|contour|line|overlay|heat")
_NIFTI = (".nii", ".img", ".nii.gz", ".img.gz")


def find_masks(paths: Collection[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those of the files, given as parts of their paths, that are masks."""
    by_folder: dict[Folders, list[str]] = defaultdict(list)
    for parts in paths:
        by_folder[parts[:-1]].append(parts[-1])
    children: dict[Folders, set[str]] = defaultdict(set)
    for folder in by_folder:
        for n in range(len(folder)):
            children[folder[:n]].add(folder[n])
    of_masks = {
        (*above, name)
        for above, names in children.items()
        for name in names
        if _HINT.search(name)
        and (_beside_images(name, names) or _parallel(name, above, names, by_folder))
    }
    masks: set[tuple[str, ...]] = set()
    for folder, names in by_folder.items():
        if of_masks and any(folder[:n] in of_masks for n in range(1, len(folder) + 1)):
            masks.update((*folder, name) for name in names)
        else:
            masks.update((*folder, name) for name in _mask_files(names))
    return masks


def stem(name: str) -> str:
    """A file's name in small letters without its suffix."""
    name = name.casefold()
    for suffix in _NIFTI[::-1]:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return re.sub(r"(?<=.)\.[a-z][a-z0-9]{0,4}$", "", name)


def _words(name: str) -> str:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.split(r"[\W_]+", parted.casefold())).strip()


def _beside_images(name: str, siblings: Collection[str]) -> bool:
    """Whether a folder is called as one beside it, with masks in place of images."""
    words = _words(name)
    rest = without_mask_words(name)
    if rest == words:
        return False
    for beside in map(_words, siblings):
        other = without_image_words(beside)
        if other != beside and other in ("", rest):
            return True
        if rest and beside == rest:
            return True
    return False


def without_mask_words(folder: str) -> str:
    """A folder's name in small letters without words such as masks or labels."""
    return " ".join(re.sub(rf"\b({_MASK})\b", "", _words(folder)).split())


def without_image_words(folder: str) -> str:
    """A folder's name in small letters without words such as images or scans."""
    return " ".join(word for word in _words(folder).split() if word not in _IMAGES)


def _parallel(
    name: str,
    above: Folders,
    siblings: Collection[str],
    by_folder: dict[Folders, list[str]],
) -> bool:
    """Whether nearly all files of "masks" are called as one above or beside it."""
    stems = [stem(file) for file in by_folder.get((*above, name), [])]
    if not stems or _words(name) not in _SURE:
        return False
    places = [above, *((*above, other) for other in siblings if other != name)]
    images = {stem(file) for place in places for file in by_folder.get(place, [])}
    alike = sum(s in images or base_stem(s) in images for s in stems)
    return alike > 0.9 * len(stems)


def base_stem(text: str) -> str:
    """The stem of the image that a mask's stem names: "x" of "x_mask"."""
    match = _FILE.fullmatch(text)
    return (match["base"] or match["rest"]) if match else text


def _mask_files(names: list[str]) -> list[str]:
    """Files of one folder that are called as another one with a word more."""
    marked = [n for n in names if _HINT.search(n) and _FILE.fullmatch(stem(n))]
    if not marked:
        return []
    stems = {stem(n) for n in names}
    scans = [s for n in names if n.casefold().endswith(_NIFTI) for s in [stem(n)]]
    masks = []
    for name in marked:
        base = base_stem(stem(name))
        # Scans of several kinds share one mask: x_flair, x_t1, x_seg.
        kinds = (
            sum(s.startswith(base + "_") for s in scans) if stem(name) in scans else 0
        )
        if base in stems or kinds > 1:
            masks.append(name)
    return masks
