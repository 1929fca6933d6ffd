"""PNG, JPEG, TIFF, BMP, GIF and WebP by Pillow, rare kinds of TIFF by tifffile.

Where a file holds several images, these are pages of a TIFF, or frames of an animated
GIF, WebP or PNG. Smaller copies of a page, such as those for quick views, and masks are
no images of their own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from medmodel.core.errors import ImageError
from medmodel.imaging.channels import of_colour, to_pixels
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.windows import Pixels, scale_to_uint8

MAX_PIXELS = 100_000_000
"""Larger images are refused from their header: a bomb would fill the memory."""

# Pillow's own guard, at our limit; it warns above it and refuses above its double.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# What they say of damaged files is said by `ImageError`, or does not change pixels.
warnings.filterwarnings("ignore", module="PIL")
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

_PILLOW_FORMATS = [
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
    )
]
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_TIFF_TAGS = {"NewSubfileType": 254, "BitsPerSample": 258, "Photometric": 262}
_COPY_OR_MASK = 0b101
"""TIFF 6.0, NewSubfileType: bit 0 a smaller copy, bit 2 a transparency mask."""
_ONE_IMAGE = ("JPEG", "MPO")
"""What else a JPEG file may hold is a preview, or the other eye's view."""
_MIN_IS_WHITE = 0


def decode_pillow(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One image of a file that Pillow reads.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    advice = "the file is damaged or incomplete. Export it again from its source."
    with (
        _damage_named(name, advice),
        Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image,
    ):
        _check_size(*image.size, name)
        count = _seek_frame(image, options.frame, name)
        _check_size(*image.size, name)
        image.load()
        pixels = _upright_pixels(image, name, options.side)
        file_format = "JPEG" if image.format == "MPO" else str(image.format)
        return DecodedImage(pixels, file_format, image.mode, count)


def decode_tiff(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One page of a TIFF: by Pillow, else by tifffile.

    Raises:
        ImageError: It is damaged, too large, of a rare kind, or has no such page.
    """
    if not _pillow_misreads(data, options.frame):
        try:
            return decode_pillow(data, name, options)
        except ImageError as error:
            # Refused by us, not by Pillow: tifffile would be refused, too.
            if error.__cause__ is None or isinstance(error.__cause__, _BOMB):
                raise
    import tifffile

    advice = (
        "this TIFF is damaged or of a rare kind. "
        "Save it as PNG or as uncompressed TIFF."
    )
    with (
        _damage_named(name, advice),
        tifffile.TiffFile(io.BytesIO(data)) as file,
    ):
        page, count = _tiff_page(file.pages, options.frame, name)
        _check_size(page.imagewidth, page.imagelength, name)
        values = page.asarray()
        pixels = _from_tiff_array(values, page.axes, name)
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            pixels = 255 - pixels
        return DecodedImage(pixels, "TIFF", str(values.dtype), count)


@contextlib.contextmanager
def _damage_named(name: str, advice: str) -> Iterator[None]:
    """Whatever a decoder raises is the fault of the file, and told with its name."""
    try:
        yield
    except ImageError:
        raise
    except _BOMB as error:
        raise _too_large(name) from error
    except Exception as error:
        raise ImageError(f"{name} cannot be read: {advice}") from error


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large(name)
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels.")


def _too_large(name: str) -> ImageError:
    return ImageError(
        f"{name} has more than {MAX_PIXELS // 10**6} million pixels: "
        "scale it down before."
    )


def _upright_pixels(image: Image.Image, name: str, side: int) -> Pixels:
    deep = image.mode in ("I", "F") or image.mode.startswith("I;")
    ImageOps.exif_transpose(image, in_place=True)
    if deep:
        return scale_to_uint8(np.asarray(image), name)[..., None]
    if image.has_transparency_data:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image).convert("L" if grey else "RGB")
    elif image.mode not in ("L", "RGB"):  # else it would be copied
        image = image.convert("L" if image.mode == "1" else "RGB")
    as_stored = image.mode == "L" or image.size == (side, side)
    return to_pixels(image) if as_stored else of_colour(image)


def _pillow_misreads(data: bytes, frame: int) -> bool:
    """Whether a TIFF is of deep colour, or deep with white as zero."""
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            _seek_frame(image, frame, "")
            tags: Any = getattr(image, "tag_v2", {})
            if max(tags.get(_TIFF_TAGS["BitsPerSample"], (1,))) <= 8:
                return False
            grey = image.mode in ("I;16", "I;16B", "I", "F")
            return not grey or tags.get(_TIFF_TAGS["Photometric"]) == _MIN_IS_WHITE
    except Exception:  # damaged or too large: decoding it will say so
        return False


def _from_tiff_array(values: npt.NDArray[Any], axes: str, name: str) -> Pixels:
    if axes.startswith("S") and values.ndim == 3:
        values = np.moveaxis(values, 0, -1)
    while values.ndim > 3 or (values.ndim == 3 and values.shape[2] > 4):
        values = values[0]
    if values.ndim == 2:
        values = values[..., None]
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
    deep = values.dtype != np.uint8
    pixels = scale_to_uint8(values, name) if deep else values
    channels = 3 if pixels.shape[2] >= 3 else 1
    return np.ascontiguousarray(pixels[..., :channels])


def _seek_frame(image: Image.Image, frame: int, name: str) -> int:
    """Goes to a frame of an opened image.

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
    if every == 1 or image.format in _ONE_IMAGE:
        return _checked(frame, 1, name)
    numbers = list(range(every))
    if image.format == "TIFF":
        numbers = [
            page for page in numbers if not _kind(image, page) & _COPY_OR_MASK
        ] or numbers
    count = _checked(frame, len(numbers), name)
    image.seek(numbers[max(frame, 0)])
    return count


def _tiff_page(pages: Any, frame: int, name: str) -> tuple[Any, int]:
    """The same for tifffile's list of pages: the page, and how many there are.

    Raises:
        ImageError: There is no such frame.
    """
    if len(pages) == 1:
        return pages.first, _checked(frame, 1, name)
    images = [page for page in pages if not int(page.subfiletype) & _COPY_OR_MASK]
    images = images or list(pages)
    count = _checked(frame, len(images), name)
    return images[max(frame, 0)], count


def _kind(image: Image.Image, page: int) -> int:
    with contextlib.suppress(SyntaxError, ValueError, LookupError, TypeError):
        # Of a page that Pillow cannot show, the tags are read all the same.
        image.seek(page)
    tags: Any = getattr(image, "tag_v2", {})
    return int(tags.get(_TIFF_TAGS["NewSubfileType"], 0))


def _checked(frame: int, count: int, name: str) -> int:
    if frame >= count:
        raise ImageError(f"{name} has no frame {frame + 1}: it has {count}.")
    return count
