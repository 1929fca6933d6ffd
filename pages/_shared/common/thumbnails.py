"""Thumbnails of a data set's images: made when first seen, then kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from medmodel.core import samples
from medmodel.core.errors import DataError, MedModelError
from medmodel.data.folders import allowed, safe_folder
from medmodel.imaging.images import decode, png_bytes, thumbnail
from medmodel.reports.plots import enlarged, framed
from medmodel.runs.run import Run

SIDE = 148
"""Height and width of a thumbnail on the page, in pixels."""
_AT_ONCE = 4


def file_of(run: Run, path: str) -> Path:
    """Where one of the run's images lies, with its slice as `samples` names it.

    Raises:
        DataError: The data set is not there any more, or the path leads out of it.
    """
    place = safe_folder(run.config.dataset) / path
    file = samples.located(place)[0]
    if not allowed(file) or not file.is_file():
        raise DataError(f"The image {path!r} is not in the data set any more.")
    return place


def small_images(run: Run, paths: Sequence[str]) -> list[bytes | str]:
    """A PNG for each image of the run; a sentence where there is none.

    Args:
        run: The run whose data set holds them.
        paths: As in the predictions table.
    """

    def small(path: str) -> bytes | str:
        try:
            file = file_of(run, path)
            changed = samples.located(file)[0].stat().st_mtime_ns
            return _small_image(file, changed)
        except (MedModelError, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(small, paths))


@lru_cache(maxsize=2000)
def _small_image(file: Path, changed: int) -> bytes:
    pixels = thumbnail(decode(file).pixels, 2 * SIDE)
    return png_bytes(framed(enlarged(pixels, SIDE)))
