"""Images at another size: enlarged, shrunk, cut to a square or padded to one."""

from __future__ import annotations

from PIL import Image

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels, parts of pixels included."""

_GAP = 2
"""Images are first shrunk by a whole factor, each pixel the mean of a block, but stay
so many times as large as they will be: the rest hides that blocks have edges."""


def scaled(
    image: Image.Image, width: int, height: int, box: Box | None = None
) -> Image.Image:
    """The image, or what a box cuts out of it, at another size.

    Enlarging is bicubic. When shrinking, the kernel widens with the factor, so that
    nothing aliases: Hamming's, as sharp as the bicubic one in two thirds of the time.

    Args:
        image: Of mode L or RGB.
        width: In pixels, 1 or more.
        height: In pixels, 1 or more.
        box: Default the whole image.
    """
    if image.size == (width, height):
        return image
    left, top, right, bottom = box or (0, 0, *image.size)
    if width > right - left or height > bottom - top:
        return image.resize((width, height), Image.Resampling.BICUBIC, box)
    return image.resize((width, height), Image.Resampling.HAMMING, box, _GAP)


def cropped(image: Image.Image, side: int) -> Image.Image:
    """The middle square of the image, at the size asked for."""
    edge = min(image.size)
    left, top = (image.width - edge) / 2, (image.height - edge) / 2
    return scaled(image, side, side, (left, top, left + edge, top + edge))


def padded(image: Image.Image, side: int) -> Image.Image:
    """The image in the middle of a black square that is as large or larger."""
    if image.size == (side, side):
        return image
    canvas = Image.new(image.mode, (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas
