"""Decodes some images into their places of the unfinished array; runs in the pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medmodel.core import samples
from medmodel.core.errors import ImageError, os_reason
from medmodel.core.preprocessing import Preprocessing
from medmodel.data.decoding.unfinished_array import write_at
from medmodel.imaging import images
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.language import _


def decode_chunk(
    rows: list[tuple[int, str]],
    folder: str,
    part: str,
    offset: int,
    preprocessing: dict[str, Any],
) -> dict[str, str]:
    """Writes some images to their places in the unfinished file; runs in the pool.

    Args:
        rows: (position, relative path) of each image.
        folder: The data set's folder.
        part: The unfinished array.
        offset: Bytes before its first image.
        preprocessing: Fields of `Preprocessing`.

    Returns:
        Path -> reason for those that cannot be read.
    """
    wanted = Preprocessing(**preprocessing)
    # Steps may see more in three channels than in one, and Diagnose gives them one.
    side = 0 if wanted.steps else wanted.size
    failed: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    # Written, not mapped: a full disk is then an error, not the process's death.
    with Path(part).open("r+b", buffering=0) as file:
        for position, path in rows:
            try:
                decoded = _decode(Path(folder), path, wanted.window, side, contents)
            except ImageError as error:
                failed[path] = str(error)
                continue
            except OSError as error:
                failed[path] = _(
                    "{name} cannot be opened: {reason}.",
                    name=path,
                    reason=os_reason(error),
                )
                continue
            pixels = images.prepare_image(decoded.pixels, wanted)
            write_at(file.fileno(), pixels, offset + position * pixels.nbytes)
    return failed


def _decode(
    folder: Path, path: str, window: str, side: int, contents: dict[str, bytes]
) -> DecodedImage:
    """One image; a file of which several are wanted in a row is read once."""
    file, part = samples.split(path)
    if part is None:
        return images.decode_data_file(folder, path, window, side)
    if file not in contents:
        contents.clear()
        contents[file] = images.read_data_file(folder, file)
    axis = "axial" if part.kind == "frame" else part.kind
    name = Path(path).name
    return images.decode(contents[file], name, window, part.number, axis, side)
