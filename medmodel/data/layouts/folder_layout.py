"""What the folders of a data set mean: which are classes, and which are splits."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from medmodel.data.layouts.class_names import label_key
from medmodel.data.layouts.folder_tree import FolderTree, significant_folders
from medmodel.data.layouts.layout_choice import (
    AmbiguousLayoutError,
    FolderReading,
    Folders,
)
from medmodel.data.layouts.split_names import (
    Role,
    is_fold,
    split_of,
    splits_of,
    without_split,
)
from medmodel.language import _

_FEW = 30
"""Names of folders above which they are no classes, but patients or series."""


@dataclass(frozen=True)
class FolderLayout:
    """How the folders of a data set are to be understood.

    Args:
        significant: Folders -> those of them that mean something.
        reading: What the levels of these mean.
    """

    significant: Mapping[Folders, Folders]
    reading: FolderReading

    def label_and_split(self, folders: Folders) -> tuple[str, str] | str:
        """(class, split) of a file in these folders, or why it has none."""
        reading = self.reading
        folders = self.significant.get(folders, folders)
        if folders[: len(reading.around)] != reading.around:
            return _(
                "outside {folder}, which holds the data set",
                folder="/".join(reading.around),
            )
        names = folders[len(reading.around) :]
        if not names:
            return _("not in a class folder")
        if reading.split_level is None:
            label = names[reading.class_level :][:1]
            return (label[0], "") if label else _("not in a class folder")
        return self._with_split(names, reading.split_level)

    def _with_split(self, names: Folders, split_level: int) -> tuple[str, str] | str:
        class_level, splits = self.reading.class_level, self.reading.splits
        if len(names) <= split_level:
            if len(names) <= class_level:
                return _("not in a class folder")
            # Without a folder for training images, these are the training images.
            if "train" in splits.values():
                return _("not in train, val or test")
            return names[class_level], ""
        split = splits.get(names[split_level], "")
        if not split:
            return _(
                "{folder} is neither training, validation nor test",
                folder=names[split_level],
            )
        if len(names) <= class_level:
            return _("not in a class folder")
        label = names[class_level]
        if class_level == split_level or self._classes_repeat_splits:
            label = without_split(label)[1] or label
        return label, split

    @functools.cached_property
    def _classes_repeat_splits(self) -> bool:
        """Whether each class names its split once more: train/cat_train."""
        reading, start = self.reading, len(self.reading.around)
        level = reading.class_level
        pairs = {
            (names[level], splits)
            for folders in self.significant.values()
            if len(names := folders[start:]) > max(level, reading.split_level or 0)
            and (splits := reading.splits.get(names[reading.split_level or 0], ""))
        }
        parted = [(without_split(label), split) for label, split in pairs]
        return len({split for _, split in pairs}) > 1 and all(
            named == split and rest for (named, rest), split in parted
        )


def find_layout(
    files: Collection[Folders], reading: FolderReading | None = None
) -> FolderLayout:
    """Understands the folders of a data set.

    Args:
        files: The folders that hold its images.
        reading: What a person said that they mean; None: their names tell.

    Raises:
        AmbiguousLayoutError: They can be understood in two ways, or hold splits and no
            classes.
    """
    significant = significant_folders(files)
    if reading is None:
        tree = FolderTree(significant.values())
        reading = _read(tree)
        _check_repeated(tree, reading)
    return FolderLayout(significant, reading)


def _read(tree: FolderTree) -> FolderReading:
    """What names tell of the levels of folders.

    Raises:
        AmbiguousLayoutError: As `find_layout`.
    """
    around: Folders = ()
    while True:
        names = tree.children(around)
        splits = _splits_among(tree, around, names)
        if splits:
            inner = _levels_that_say_nothing(tree, around, splits)
            return FolderReading(around, 1 + inner, 0, splits)
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
    if any(splits.values()):
        return FolderReading(around, 0, 1, splits)
    return FolderReading(around)


def _check_repeated(tree: FolderTree, reading: FolderReading) -> None:
    """Raises `AmbiguousLayoutError` where all classes hold the same few folders.

    Then these may be the classes: of two hospitals, two rounds, two unknown splits.
    """
    level = max(reading.class_level, reading.split_level or 0) + 1
    _check_classes_in_a_class(tree, reading, level)
    inside: dict[str, set[str]] = defaultdict(set)
    for folders in tree.folders:
        names = folders[len(reading.around) :]
        if folders[: len(reading.around)] != reading.around or len(names) < level:
            continue
        split_level = reading.split_level
        if split_level is None or reading.splits.get(names[split_level]):
            inside[names[reading.class_level]].update(names[level : level + 1])
            if len(names) == level and folders in tree.direct:
                return  # a class of which images lie beside the folders
    times = Counter(name for names in inside.values() for name in names)
    repeated = {name for name, count in times.items() if count > 1}
    alike = len(repeated) >= 2 and len(times) <= min(_FEW, 2 * len(repeated))
    if len(inside) > 1 and all(inside.values()) and alike:
        raise AmbiguousLayoutError(
            _(
                "The folders {folders} all hold folders of the same names "
                "({names}): either may be the classes. Put the folders of the "
                "classes outermost, or into train, val and test.",
                folders=_listed(inside),
                names=_listed(repeated),
            )
        )


def _check_classes_in_a_class(
    tree: FolderTree, reading: FolderReading, level: int
) -> None:
    """Raises `AmbiguousLayoutError` where a class holds nothing but all others.

    Then it is none: "augmented" or "backup", with a copy of every class.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    direct = set()
    for folders in tree.folders:
        names = folders[len(reading.around) :]
        if folders[: len(reading.around)] == reading.around and len(names) >= level:
            inside[names[reading.class_level]].update(names[level : level + 1])
            if len(names) == level and folders in tree.direct:
                direct.add(names[reading.class_level])
    keys = {label_key(name) for name in inside}
    for name, below in inside.items():
        others = {label_key(folder) for folder in below}
        if (
            len(others) > 1
            and others <= keys - {label_key(name)}
            and name not in direct
        ):
            raise AmbiguousLayoutError(
                _(
                    "The folder {folder} holds folders called like the classes beside "
                    "it ({names}): move it away, or move its images into these.",
                    folder=name,
                    names=_listed(below),
                )
            )


def _splits_among(
    tree: FolderTree, around: Folders, names: list[str]
) -> dict[str, Role]:
    """Names of folders -> their splits, if that is what they are; else nothing.

    Raises:
        AmbiguousLayoutError: They are splits without classes, or one could be either.
    """
    splits = splits_of(names)
    kinds = set(filter(None, splits.values()))
    deep = {n for n in names if tree.children((*around, n))}
    known = {n for n in names if splits[n]}
    if len(kinds) > 1 and not deep & known:
        raise AmbiguousLayoutError(
            _(
                "{folders} are splits, but hold no folders: there must be a folder "
                "for each class in each of them, or a table (CSV) that names the "
                "classes.",
                folders=_listed(known),
            )
        )
    if not deep & known:
        return {}
    if len(kinds) == 1 and deep - known:
        raise AmbiguousLayoutError(
            _(
                "The folder {splits} is called like a split, and {others} beside "
                "it like a class or something else. Call all splits train, val or "
                "test, or rename the class.",
                splits=_listed(known),
                others=_listed(deep - known),
            )
        )
    return splits


def _levels_that_say_nothing(
    tree: FolderTree, around: Folders, splits: Mapping[str, str]
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


def _holding_splits(
    tree: FolderTree, around: Folders, names: list[str]
) -> list[Folders]:
    """Those of the folders in which there are splits."""
    below = [(*around, name) for name in names]
    return [f for f in below if len(_kinds(tree.children(f))) > 1]


def _hold_classes(tree: FolderTree, folder: Folders) -> bool:
    """Whether the same folders come again in several of its splits."""
    seen: dict[str, int] = defaultdict(int)
    for name in tree.children(folder):
        for label in tree.children((*folder, name)):
            seen[label.casefold()] += 1
    return sum(times > 1 for times in seen.values()) > 1


def _kinds(names: Iterable[str]) -> set[str]:
    return set(filter(None, splits_of(names).values()))


def _splits_of_classes(tree: FolderTree, around: Folders) -> dict[str, Role]:
    """Names of folders in classes -> their splits.

    Raises:
        AmbiguousLayoutError: One of them could be either a split or something else.
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
        raise AmbiguousLayoutError(
            _(
                "In the class folders, {splits} is called like a split, and "
                "{others} beside it is not. Call all splits train, val or test, "
                "or rename the folder.",
                splits=_listed(below - unknown),
                others=_listed(unknown),
            )
        )
    return splits


def _check_classes(
    tree: FolderTree, around: Folders, splits: Mapping[str, str]
) -> None:
    """Raises `AmbiguousLayoutError` where classes are something else for certain."""
    classes = tree.children(around)
    if len(classes) > 1 and all(map(is_fold, classes)):
        raise AmbiguousLayoutError(
            _(
                "{folders} are folds of a cross-validation, not classes: put their "
                "class folders together; folds are drawn when training.",
                folders=_listed(classes),
            )
        )
    parted = [without_split(name) for name in classes]
    if len({split for split, _ in parted if split}) > 1 and all(s for s, _ in parted):
        raise AmbiguousLayoutError(
            _(
                "{folders} name a class and a split at once: make folders train, "
                "val and test, and the class folders in them.",
                folders=_listed(classes),
            )
        )
    datasets = _holding_splits(tree, around, classes)
    if len(datasets) > 1 and all(_hold_classes(tree, folder) for folder in datasets):
        raise AmbiguousLayoutError(
            _(
                "{folders} each hold splits with class folders: they are data sets "
                "of their own. Choose one of them.",
                folders=_listed(f[-1] for f in datasets),
            )
        )
    if not any(splits.values()):
        _check_deeper(tree, around)


def _check_deeper(tree: FolderTree, around: Folders) -> None:
    """Raises `AmbiguousLayoutError` where splits lie too deep to be read as such."""
    levels: dict[int, set[str]] = defaultdict(set)
    for folders in tree.direct:
        for level, name in enumerate(folders[len(around) :]):
            levels[level].add(name)
    for level in sorted(levels):
        splits = splits_of(levels[level])
        if level > 1 and {"train", "test"} <= set(splits.values()):
            words = {name for name, split in splits.items() if split}
            raise AmbiguousLayoutError(
                _(
                    "The folders {folders} lie too deep: splits must hold the class "
                    "folders, or lie in them.",
                    folders=_listed(words),
                )
            )


def _listed(names: Iterable[str]) -> str:
    """Some names for a sentence."""
    ordered = sorted(names)
    if len(ordered) > 4:
        return _(
            "{names} and {count} more",
            names=_(", ").join(ordered[:4]),
            count=len(ordered) - 4,
        )
    return _(", ").join(ordered)
