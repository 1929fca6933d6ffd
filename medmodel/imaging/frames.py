"""Files of pictures that hold several: which of them count, and the way to one.

Pages of a TIFF, and the frames of an animated GIF, WebP or PNG. Smaller copies of a
page, such as those for quick views, and masks are no pictures of their own.
"""

from __future__ import annotations

import contextlib
from typing import Any

from PIL import Image

from medmodel.core.errors import ImageError

_NEW_SUBFILE_TYPE = 254
_COPY_OR_MASK = 0b101
"""TIFF 6.0, NewSubfileType: bit 0 a smaller copy, bit 2 a transparency mask."""
_ONE = ("JPEG", "MPO")
"""What else a JPEG file may hold is a preview, or the other eye's view."""


def seek_frame(image: Image.Image, frame: int, name: str) -> int:
    """Goes to a frame of an opened picture.

    Args:
        image: As Pillow opened it; nothing of it is decoded here.
        frame: From 0; -1: the first.
        name: For messages.

    Returns:
        How many frames there are.

    Raises:
        ImageError: There is no such frame.
    """
    every: Any = getattr(image, "n_frames", 1)
    if every == 1 or image.format in _ONE:
        return _checked(frame, 1, name)
    own = list(range(every))
    if image.format == "TIFF":
        own = [page for page in own if not _kind(image, page) & _COPY_OR_MASK] or own
    count = _checked(frame, len(own), name)
    image.seek(own[max(frame, 0)])
    return count


def tiff_page(pages: Any, frame: int, name: str) -> tuple[Any, int]:
    """The same for tifffile's list of pages: the page, and how many there are.

    Raises:
        ImageError: There is no such frame.
    """
    if len(pages) == 1:
        return pages.first, _checked(frame, 1, name)
    own = [page for page in pages if not int(page.subfiletype) & _COPY_OR_MASK]
    own = own or list(pages)
    count = _checked(frame, len(own), name)
    return own[max(frame, 0)], count


def _kind(image: Image.Image, page: int) -> int:
    with contextlib.suppress(SyntaxError, ValueError, LookupError, TypeError):
        # Of a page that Pillow cannot show, the tags are read all the same.
        image.seek(page)
    tags: Any = getattr(image, "tag_v2", {})
    return int(tags.get(_NEW_SUBFILE_TYPE, 0))


def _checked(frame: int, count: int, name: str) -> int:
    if frame >= count:
        raise ImageError(f"{name} has no frame {frame + 1}: it has {count}.")
    return count
