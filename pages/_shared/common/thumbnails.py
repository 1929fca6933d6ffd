"""Thumbnails of a data set's images: made when first seen, then kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from medmodel.core import samples
from medmodel.core.errors import DataError, MedModelError, os_reason
from medmodel.core.processes.sandbox import MachineBusyError
from medmodel.core.regular_files import open_data_file
from medmodel.data.folders import safe_folder
from medmodel.imaging.images import png_bytes
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.language import _, translate
from medmodel.reports.plots import enlarged, framed
from medmodel.runs.run import Run

SIDE = 148
"""Height and width of a thumbnail on the page, in pixels."""
_AT_ONCE = 4


def small_images(run: Run, paths: Sequence[str]) -> list[bytes | str]:
    """A PNG for each image of the run; a sentence where there is none.

    Args:
        run: The run whose data set holds them.
        paths: As in the predictions table.
    """
    return small_images_of(run.config.dataset, paths)


def folder_problem(dataset: str) -> str:
    """Why no image of a data set can be shown, once for all of them; "" if they can."""
    try:
        safe_folder(dataset)
    except DataError as error:
        return translate(str(error))
    return ""


def small_images_of(dataset: str, paths: Sequence[str]) -> list[bytes | str]:
    """A PNG for each image of a data set; a sentence where there is none.

    Args:
        dataset: The data set's folder; where it is missing, see `folder_problem`.
        paths: As in its index.
    """
    if folder_problem(dataset):
        return [_("Not available")] * len(paths)

    def small(path: str) -> bytes | str:
        try:
            folder = safe_folder(dataset)
            with open_data_file(folder, samples.file_of(path)) as file:
                changed = os.fstat(file.fileno()).st_mtime_ns
            return _small_image(folder, path, changed)
        except MachineBusyError:
            # Under each of many images there is room for few words.
            return _("Not read in time: the machine is busy.")
        except FileNotFoundError:
            return _("The image {image!r} is not in the data set any more.", image=path)
        except OSError as error:
            return _(
                "{image} cannot be opened: {reason}.",
                image=path,
                reason=os_reason(error),
            )
        except MedModelError as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        images = list(threads.map(small, paths))
    # Those threads belong to no session: they speak English.
    return [image if isinstance(image, bytes) else translate(image) for image in images]


@lru_cache(maxsize=2000)
def _small_image(folder: Path, path: str, changed: int) -> bytes:
    opened = open_image(DataFile(folder, path), longest_side=2 * SIDE)
    return png_bytes(framed(enlarged(opened.decoded.pixels, SIDE)))
