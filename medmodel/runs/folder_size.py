"""How much of the disk a folder takes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder and below; links count nothing.

    What vanishes meanwhile, or may not be looked at, is left out.
    """
    return sum(f.st_size for f in _walk(folder) if stat.S_ISREG(f.st_mode))


def is_one_file_system(folder: Path, device: int) -> bool:
    """Whether everything in a folder lies on one device, as `os.stat` numbers them.

    Another disk may be mounted on a folder deep inside: to remove the folder would
    then remove what lies there.
    """
    try:
        own = folder.stat().st_dev == device
    except OSError:
        return False
    return own and all(facts.st_dev == device for facts in _walk(folder))


def _walk(folder: Path) -> Iterator[os.stat_result]:
    """Facts of all files and folders below, links themselves left out."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                facts = os.lstat(f"{place}/{name}")
            except OSError:
                continue
            if not stat.S_ISLNK(facts.st_mode):
                yield facts
