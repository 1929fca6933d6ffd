"""What the folders of a data set mean: which are classes, and which are splits."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from medmodel.core.errors import DataError
from medmodel.data.layouts.split_names import (
    is_fold,
    split_of,
    splits_of,
    without_split,
)

Folders = tuple[str, ...]
"""Names of the folders that a file lies in, the outermost first."""
_IMAGES = {"images", "image", "imgs", "img", "pictures", "photos", "data"}
"""Folders that say nothing where they stand alone."""


@dataclass(frozen=True)
class FolderLayout:
    """How the folders of a data set are to be understood.

    Args:
        significant: Folders -> those of them that mean something.
        around: Folders that hold the whole data set ("download/xray/train": 2 names).
        splits: Name of a split's folder -> train, val or test.
        splits_first: Whether splits hold classes, else classes hold splits.
        inner: Levels between a split and its classes that say nothing.
    """

    significant: Mapping[Folders, Folders]
    around: Folders
    splits: Mapping[str, str]
    splits_first: bool
    inner: int = 0

    def label_and_split(self, folders: Folders) -> tuple[str, str] | str:
        """(class, split) of a file in these folders, or why it has none."""
        folders = self.significant.get(folders, folders)
        if folders[: len(self.around)] != self.around:
            return f"outside {'/'.join(self.around)}, which holds the data set"
        names = folders[len(self.around) :]
        if not names:
            return "not in a class folder"
        if not self.splits_first:
            return self._split_of_class(names)
        split = self.splits.get(names[0], "")
        if not split:
            return f"{names[0]} is neither training, validation nor test"
        names = names[1 + self.inner :]
        return (names[0], split) if names else "not in a class folder"

    def _split_of_class(self, names: Folders) -> tuple[str, str] | str:
        label, *below = names
        splits = set(filter(None, self.splits.values()))
        if not splits:
            return label, ""
        if not below:
            # Without a folder for training images, these are the training images.
            return "not in train, val or test" if "train" in splits else (label, "")
        split = self.splits.get(below[0], "")
        if not split:
            return f"{below[0]} is neither training, validation nor test"
        return label, split


def find_layout(files: Collection[Folders]) -> FolderLayout:
    """Understands the folders of a data set.

    Args:
        files: The folders that hold its images.

    Raises:
        DataError: They can be understood in two ways, or hold splits and no classes.
    """
    significant = _significant(files)
    tree = _Tree(significant.values())
    around: Folders = ()
    while True:
        names = tree.children(around)
        splits = _splits_among(tree, around, names)
        if splits:
            inner = _levels_that_say_nothing(tree, around, splits)
            return FolderLayout(significant, around, splits, True, inner)
        deep = [n for n in names if tree.children((*around, n))]
        below = _holding_splits(tree, around, deep)
        if len(names) != 1 or not deep:
            if len(below) != 1 or len(names) == 1 or not _hold_classes(tree, below[0]):
                break
            around = below[0]
            continue
        only = (*around, names[0])
        inside = tree.children(only)
        flat = not any(tree.children((*only, name)) for name in inside)
        patient = len(inside) == 1 and only in tree.direct
        if flat and (all(splits_of(inside).values()) or patient):
            break  # one class, and its splits or a folder of more
        around = only
    splits = _splits_of_classes(tree, around)
    _check_classes(tree, around, splits)
    return FolderLayout(significant, around, splits, False)


class _Tree:
    """The folders that hold images, somewhere below them at least."""

    def __init__(self, folders: Iterable[Folders]) -> None:
        self.direct = set(folders)
        children: dict[Folders, set[str]] = defaultdict(set)
        for names in self.direct:
            for n in range(len(names)):
                children[names[:n]].add(names[n])
        self._children = {f: sorted(names) for f, names in children.items()}

    def children(self, folder: Folders) -> list[str]:
        """Names of the folders in a folder, sorted."""
        return self._children.get(folder, [])


def _significant(files: Collection[Folders]) -> dict[Folders, Folders]:
    """Leaves out folders that stand alone and repeat the name around, or say images."""
    tree = _Tree(files)
    made: dict[Folders, Folders] = {}
    for folders in tree.direct:
        kept = [
            name
            for n, name in enumerate(folders)
            if not _says_nothing(tree, folders[:n], name)
        ]
        made[folders] = tuple(kept)
    return made


def _says_nothing(tree: _Tree, above: Folders, name: str) -> bool:
    if len(tree.children(above)) != 1:
        return False
    plain = name.casefold()
    return plain in _IMAGES or bool(above and plain == above[-1].casefold())


def _splits_among(tree: _Tree, around: Folders, names: list[str]) -> dict[str, str]:
    """Names of folders -> their splits, if that is what they are; else nothing.

    Raises:
        DataError: They are splits without classes, or one of them could be either.
    """
    splits = splits_of(names)
    kinds = set(filter(None, splits.values()))
    deep = {n for n in names if tree.children((*around, n))}
    known = {n for n in names if splits[n]}
    if len(kinds) > 1 and not deep & known:
        raise DataError(
            f"{_listed(known)} are splits, but hold no folders: there must be a folder "
            "for each class in each of them, or a table (CSV) that names the classes."
        )
    if not deep & known:
        return {}
    if len(kinds) == 1 and deep - known:
        raise DataError(
            f"The folder {_listed(known)} is called like a split, and "
            f"{_listed(deep - known)} beside it like a class or something else. Call "
            "all splits train, val or test, or rename the class."
        )
    return splits


def _levels_that_say_nothing(
    tree: _Tree, around: Folders, splits: Mapping[str, str]
) -> int:
    """Levels of one folder each, the same in all splits, that hold the classes."""
    at = [(*around, name) for name, split in splits.items() if split]
    inner = 0
    while True:
        names = [tree.children(folder) for folder in at]
        alone = all(len(n) == 1 for n in names)
        alike = {n[0].casefold() for n in names if n}
        spell_splits = all(split_of(name) for name in alike)
        if not alone or (len(alike) != 1 and not spell_splits):
            return inner
        at = [(*folder, n[0]) for folder, n in zip(at, names, strict=True)]
        classes = [name for folder in at for name in tree.children(folder)]
        if len(classes) < len(at) or (
            len(at) > 1 and len(set(classes)) == len(classes)
        ):
            return inner  # not all hold folders, or none that come again
        inner += 1


def _holding_splits(tree: _Tree, around: Folders, names: list[str]) -> list[Folders]:
    """Those of the folders in which there are splits."""
    below = [(*around, name) for name in names]
    return [f for f in below if len(_kinds(tree.children(f))) > 1]


def _hold_classes(tree: _Tree, folder: Folders) -> bool:
    """Whether the same folders come again in several of its splits."""
    seen: dict[str, int] = defaultdict(int)
    for name in tree.children(folder):
        for label in tree.children((*folder, name)):
            seen[label.casefold()] += 1
    return sum(times > 1 for times in seen.values()) > 1


def _kinds(names: Iterable[str]) -> set[str]:
    return set(filter(None, splits_of(names).values()))


def _splits_of_classes(tree: _Tree, around: Folders) -> dict[str, str]:
    """Names of folders in classes -> their splits.

    Raises:
        DataError: One of them could be either a split or something else.
    """
    below = {
        name
        for label in tree.children(around)
        for name in tree.children((*around, label))
    }
    splits = splits_of(below)
    kinds = set(filter(None, splits.values()))
    unknown = {name for name, split in splits.items() if not split}
    if len(kinds) == 1 and "train" not in kinds and unknown:
        raise DataError(
            f"In the class folders, {_listed(below - unknown)} is called like a split, "
            f"and {_listed(unknown)} beside it is not. Call all splits train, val or "
            "test, or rename the folder."
        )
    return splits


def _check_classes(tree: _Tree, around: Folders, splits: Mapping[str, str]) -> None:
    """Raises `DataError` where classes are something else for certain."""
    classes = tree.children(around)
    if len(classes) > 1 and all(map(is_fold, classes)):
        raise DataError(
            f"{_listed(classes)} are folds of a cross-validation, not classes: put "
            "their class folders together; folds are drawn when training."
        )
    parted = [without_split(name) for name in classes]
    if len({split for split, _ in parted if split}) > 1 and all(s for s, _ in parted):
        raise DataError(
            f"{_listed(classes)} name a class and a split at once: make folders train, "
            "val and test, and the class folders in them."
        )
    datasets = _holding_splits(tree, around, classes)
    if len(datasets) > 1 and all(_hold_classes(tree, folder) for folder in datasets):
        raise DataError(
            f"{_listed(f[-1] for f in datasets)} each hold splits with class folders: "
            "they are data sets of their own. Choose one of them."
        )
    if not any(splits.values()):
        _check_deeper(tree, around)


def _check_deeper(tree: _Tree, around: Folders) -> None:
    """Raises `DataError` where splits lie too deep to be read as such."""
    levels: dict[int, set[str]] = defaultdict(set)
    for folders in tree.direct:
        for level, name in enumerate(folders[len(around) :]):
            levels[level].add(name)
    for level in sorted(levels):
        splits = splits_of(levels[level])
        if level > 1 and {"train", "test"} <= set(splits.values()):
            words = {name for name, split in splits.items() if split}
            raise DataError(
                f"The folders {_listed(words)} lie too deep: splits must hold the "
                "class folders, or lie in them."
            )


def label_key(label: str) -> str:
    """What classes have in common that are told apart by no reader.

    Capitals, kinds and numbers of spaces, invisible characters, how letters with
    accents are composed, and 0 and 0.0 make no other class.
    """
    text = unicodedata.normalize("NFKC", label)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").casefold()
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", text)


def _listed(names: Iterable[str]) -> str:
    """Some names for a sentence."""
    ordered = sorted(names)
    more = f" and {len(ordered) - 4} more" if len(ordered) > 4 else ""
    if not more and len(ordered) > 1:
        return f"{', '.join(ordered[:-1])} and {ordered[-1]}"
    return ", ".join(ordered[:4]) + more
