"""Image files that are no scans: PNG, JPEG, BMP, GIF, WebP and more by Pillow, TIFF.

Where a file holds several images, these are pages of a TIFF, or frames of an animated
GIF, WebP, PNG, AVIF or JPEG XL. `high_bit_depth` reads what Pillow would cut down to 8
bits, `tiff` every TIFF.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging.channels import as_colour, from_image, upright
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.language import _

MAX_PIXELS = 100_000_000
"""Larger images are refused from their header: a bomb would fill the memory."""

# Pillow's own guard, at our limit; it warns above it and refuses above its double.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# What it says of damaged files is said by `ImageError`, or does not change pixels.
warnings.filterwarnings("ignore", module="PIL")

PILLOW_FORMATS = [
    plugin.format
    for plugin in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        BmpImagePlugin.BmpImageFile,
        GifImagePlugin.GifImageFile,
        WebPImagePlugin.WebPImageFile,
        AvifImagePlugin.AvifImageFile,
        Jpeg2KImagePlugin.Jpeg2KImageFile,
    )
]
ORIENTATION = 274
"""Tag of EXIF and TIFF."""
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_ONE_IMAGE = ("JPEG", "MPO")
"""What else a JPEG file may hold is a preview, or the other eye's view."""
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
"""Lengths of the header behind the file's: OS/2, OS/2 2, Windows 3, 4 and 5."""
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs")


def is_bmp(head: bytes) -> bool:
    """Whether a file begins as a BMP does; so do texts that begin with BM."""
    length = int.from_bytes(head[14:18], "little")
    return head[:2] == b"BM" and length in _BMP_HEADERS


def is_avif(head: bytes) -> bool:
    """Whether a file begins as an AVIF does: ISO 14496-12, 4.3."""
    return any(brand in _brands(head) for brand in _AVIF_BRANDS)


def is_heic(head: bytes) -> bool:
    """Whether a file begins as a HEIC does: ISO 23008-12, annex B."""
    return any(brand in _brands(head) for brand in _HEIC_BRANDS)


def _brands(head: bytes) -> list[bytes]:
    if head[4:8] != b"ftyp":
        return []
    length = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[at : at + 4] for at in (8, *range(16, length - 3, 4))]


def decode_pillow(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One image of a file that Pillow reads as it is: samples of up to 8 bits.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    with (
        damage_named(name),
        Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image,
    ):
        check_size(*image.size, name)
        count = _seek_frame(image, options.frame, name)
        check_size(*image.size, name)
        image.load()
        as_stored = image.mode == "RGB" and image.size == (options.side, options.side)
        pixels = upright(from_image(image), image.getexif().get(ORIENTATION, 1))
        if as_stored and pixels.shape[2] == 1:
            pixels = as_colour(pixels)
        file_format = "JPEG" if image.format == "MPO" else str(image.format)
        return DecodedImage(pixels, file_format, image.mode, count)


def decode_tiff(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One page of a TIFF, read in the sandbox.

    Raises:
        ImageError: It is damaged, too large, of a rare kind, or has no such page.
    """
    fields = sandbox.ask(
        "medmodel.imaging.tiff.reading:read",
        data,
        name,
        frame=options.frame,
        values=options.values,
    )
    return DecodedImage(**fields)


def decode_heic(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """Refuses HEIC, whose only free decoders are under the LGPL.

    Raises:
        ImageError: Always, with what to do.
    """
    raise ImageError(
        _(
            "{name} is a HEIC image, as phones store photographs: it cannot be "
            "read here. Save it as JPEG or PNG.",
            name=name,
        )
    )


@contextlib.contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Whatever a decoder raises is the fault of the file, and told with its name."""
    try:
        yield
    except ImageError:
        raise
    except _BOMB as error:
        raise _too_large(name) from error
    except MemoryError as error:
        raise ImageError(
            _("{name} needs too much memory: scale it down.", name=name)
        ) from error
    except Exception as error:
        raise ImageError(
            _(
                "{name} cannot be read: the file is damaged or incomplete. Export "
                "it again from its source.",
                name=name,
            )
        ) from error


def check_size(width: int, height: int, name: str) -> None:
    """Raises `ImageError` where an image has too many pixels, or none."""
    if width * height > MAX_PIXELS:
        raise _too_large(name)
    if width < 1 or height < 1:
        raise ImageError(_("{name} has no pixels.", name=name))


def _too_large(name: str) -> ImageError:
    return ImageError(
        _(
            "{name} has more than {millions} million pixels: scale it down before.",
            name=name,
            millions=MAX_PIXELS // 10**6,
        )
    )


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
    every: int = getattr(image, "n_frames", 1)
    count = 1 if image.format in _ONE_IMAGE else every
    check_frame(frame, count, name)
    if count > 1:
        image.seek(max(frame, 0))
    return count


def check_frame(frame: int, count: int, name: str) -> int:
    """The frame asked for.

    Raises:
        ImageError: There are not so many.
    """
    if frame >= count:
        raise ImageError(
            _(
                "{name} has no frame {number}: it has {frames}.",
                name=name,
                number=frame + 1,
                frames=count,
            )
        )
    return frame
