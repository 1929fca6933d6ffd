"""The folders that hold images, as a tree, without those that say nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from medmodel.data.layouts.layout_choice import Folders

_IMAGES = {"images", "image", "imgs", "img", "pictures", "photos", "data"}
"""Folders that say nothing where they stand alone."""


class FolderTree:
    """The folders that hold images, somewhere below them at least."""

    def __init__(self, folders: Iterable[Folders]) -> None:
        self.direct = set(folders)
        children: dict[Folders, set[str]] = defaultdict(set)
        for names in self.direct:
            for n in range(len(names)):
                children[names[:n]].add(names[n])
        self._children = {f: sorted(names) for f, names in children.items()}
        self.folders = self.direct | set(children)

    def children(self, folder: Folders) -> list[str]:
        """Names of the folders in a folder, sorted."""
        return self._children.get(folder, [])


def significant_folders(files: Collection[Folders]) -> dict[Folders, Folders]:
    """Leaves out folders that stand alone and repeat the name around, or say images."""
    tree = FolderTree(files)
    made: dict[Folders, Folders] = {}
    for folders in tree.direct:
        kept = [
            name
            for n, name in enumerate(folders)
            if not _says_nothing(tree, folders[:n], name)
        ]
        made[folders] = tuple(kept)
    return made


def _says_nothing(tree: FolderTree, above: Folders, name: str) -> bool:
    if len(tree.children(above)) != 1:
        return False
    plain = name.casefold()
    return plain in _IMAGES or bool(above and plain == above[-1].casefold())
