"""Small pictures of a data set's images: made when first seen, then kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from medmodel.errors import DataError, MedModelError
from medmodel.folders import allowed, safe_folder
from medmodel.images import decode, png_bytes, thumbnail
from medmodel.plots import enlarged, framed
from medmodel.runs import Run

SIDE = 148
"""Height and width of a small picture on the page, in pixels."""
_AT_ONCE = 4


def file_of(run: Run, path: str) -> Path:
    """The file of one of the run's images.

    Raises:
        DataError: The data set is not there any more, or the path leads out of it.
    """
    file = safe_folder(run.config.dataset) / path
    if not allowed(file) or not file.is_file():
        raise DataError(f"The image {path!r} is not in the data set any more.")
    return file


def small_pictures(run: Run, paths: Sequence[str]) -> list[bytes | str]:
    """A PNG for each image of the run; a sentence where there is none.

    Args:
        run: The run whose data set holds them.
        paths: As in the predictions table.
    """

    def small(path: str) -> bytes | str:
        try:
            file = file_of(run, path)
            return _small_picture(file, file.stat().st_mtime_ns)
        except (MedModelError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(small, paths))


@lru_cache(maxsize=2000)
def _small_picture(file: Path, changed: int) -> bytes:
    pixels = thumbnail(decode(file).pixels, 2 * SIDE)
    return png_bytes(framed(enlarged(pixels, SIDE)))
