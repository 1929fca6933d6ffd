"""Any picture file to pixels, and pixels to what a model sees.

Pixels are uint8 (height, width, channels) with 1 channel (grey) or 3 (RGB). Files are
recognised by content, never by name. A new format is one more line in `READERS`.
"""

from __future__ import annotations

import hashlib
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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

from medmodel.core import samples
from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.core.samples import Axis
from medmodel.imaging import enhance, frames, scans
from medmodel.imaging.channels import as_colour, of_colour, single_channel
from medmodel.imaging.scaling import cropped, padded, scaled
from medmodel.imaging.windows import scale_to_uint8

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 100_000_000
"""Larger pictures are refused from their header: a bomb would fill the memory."""
MAX_BYTES, HEAD = scans.MAX_BYTES, scans.HEAD

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
_BROKEN = (
    # What decoders are known to raise on damaged files.
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    struct.error,
    zlib.error,
    MemoryError,
)


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file said about it.

    Args:
        pixels: uint8 (height, width, 1 or 3), upright; grey that is stored as colour
            has one channel.
        format: PNG, JPEG, TIFF, BMP, GIF, WEBP, DICOM or NIfTI.
        mode: How the file stores colours: L, RGB, P, CMYK, I;16, F, float64, ...
        frames: Pictures in the file (frames, pages), of a NIfTI volume slices along
            the axis.
        patient: Stand-in for the patient's number in a DICOM file; else empty.
        seen: How measured values became grey: "CT as soft tissue", ...; else empty.
        series: Volumes in a NIfTI file, of which this is from the first; else 1.
    """

    pixels: Pixels
    format: str
    mode: str
    frames: int
    patient: str = ""
    seen: str = ""
    series: int = 1


Reading = Callable[[bytes, str, str, int, Axis, int], Decoded]


class Reader(NamedTuple):
    """One family of formats.

    Args:
        recognises: Tells from the first `HEAD` bytes.
        read: Takes the file's bytes, a name for messages, window, frame, axis and side.
    """

    recognises: Callable[[bytes], bool]
    read: Reading


def decode(
    source: Path | bytes,
    name: str = "",
    window: str = "auto",
    frame: int = -1,
    axis: Axis = "axial",
    side: int = 0,
) -> Decoded:
    """Reads a picture; where it holds several, the first, or the one that is named.

    16-bit, 32-bit and float pictures are scaled, see `windows.scale_to_uint8`.
    Transparent parts are laid on black. The rotation that a camera wrote into EXIF is
    applied.

    Args:
        source: A file or a sample of one, as `samples` names it; or a file's content.
        name: What to call it in messages; default: the file's name.
        window: How scans become grey, see `config.Preprocessing`.
        frame: Frame, page or NIfTI slice, from 0; -1: the first or the middle.
        axis: How a NIfTI volume is cut, unless the sample's name says so.
        side: Squares of so many pixels are wanted in colour: of these, grey that is
            stored as colour stays so, which spares the way there and back.

    Raises:
        ImageError: It is no picture, damaged, or larger than `MAX_PIXELS`.
        OSError: The file cannot be opened or read.
    """
    if isinstance(source, Path):
        name = name or source.name
        source, part = samples.located(source)
        if part is not None:
            frame, axis = part.number, axis if part.kind == "frame" else part.kind
        check_bytes(source.stat().st_size, name)
        source = source.read_bytes()
    name = name or "The picture"
    if not source:
        raise ImageError(f"{name} is empty (0 bytes).")
    for reader in READERS:
        if reader.recognises(source[:HEAD]):
            return reader.read(source, name, window, frame, axis, side)
    raise ImageError(
        f"{name} is not a picture: its content is neither PNG, JPEG, TIFF, BMP, GIF, "
        "WebP, DICOM nor NIfTI."
    )


def check_bytes(size: int, name: str) -> None:
    """Raises `ImageError` where a file is too large to be read."""
    if size > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES // 10**6} MB.")


def recognised(head: bytes) -> bool:
    """Whether a file that begins with these bytes claims to be a known format."""
    return any(reader.recognises(head) for reader in READERS)


def prepare_image(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """What the model sees: the one function for training and for new pictures.

    Grey from RGB is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Sizes change as
    `scaling` says.

    Args:
        pixels: uint8 (height, width, 1 or 3), any size.
        preprocessing: Size, fit and colour.

    Returns:
        uint8 (size, size, channels).
    """
    pixels = enhance.apply(pixels, preprocessing.steps)
    side, _, channels = preprocessing.shape
    if pixels.shape[2] > channels:
        pixels = _to_pixels(_to_image(pixels).convert("L"))
    if pixels.shape[:2] != (side, side):
        # Grey stored as colour: the same, scaled in a third of the time.
        image = _to_image(single_channel(pixels))
        pixels = _to_pixels(_fitted(image, side, preprocessing.fit))
    return pixels if pixels.shape[2] == channels else as_colour(pixels)


def _fitted(image: Image.Image, side: int, fit: Fit) -> Image.Image:
    if fit == "stretch":
        return scaled(image, side, side)
    if fit == "crop":
        return cropped(image, side)
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return padded(scaled(image, width, height), side)


def pixel_digest(pixels: Pixels) -> str:
    """32 hexadecimal digits, equal for equal pictures, grey stored as RGB included.

    The first of SHA-1, which processors compute by themselves: nobody gains by making
    two pictures with the same digest, and by chance it will not happen.
    """
    pixels = single_channel(pixels)
    digest = hashlib.sha1(repr(pixels.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]


def png_bytes(pixels: Pixels) -> bytes:
    """The picture as a PNG file, every pixel exact."""
    buffer = io.BytesIO()
    _to_image(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def thumbnail(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longer side `side` pixels at most, aspect kept."""
    image = _to_image(pixels)
    scale = side / max(image.size)
    if scale >= 1:
        return pixels
    width, height = (max(1, round(length * scale)) for length in image.size)
    return _to_pixels(scaled(image, width, height))


def _to_image(pixels: Pixels) -> Image.Image:
    pixels = np.ascontiguousarray(pixels)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _to_pixels(image: Image.Image) -> Pixels:
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _read_pillow(data: bytes, name: str, frame: int, side: int) -> Decoded:
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image:
            _check_size(*image.size, name)
            count = frames.seek_frame(image, frame, name)
            _check_size(*image.size, name)
            image.load()
            pixels = _upright_pixels(image, name, side)
            file_format = "JPEG" if image.format == "MPO" else str(image.format)
            return Decoded(pixels, file_format, image.mode, count)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name) from error
    except _BROKEN as error:
        raise ImageError(
            f"{name} cannot be read: the file is damaged or incomplete. "
            "Export it again from its source."
        ) from error


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
    return _to_pixels(image) if as_stored else of_colour(image)


def _read_tiff(data: bytes, name: str, frame: int, side: int) -> Decoded:
    """TIFF by Pillow, and by tifffile what Pillow cannot read or would truncate."""
    try:
        if not _deep_colour(data, frame):
            return _read_pillow(data, name, frame, side)
    except ImageError as error:
        if not isinstance(error.__cause__, _BROKEN):
            raise
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page, count = frames.tiff_page(file.pages, frame, name)
            _check_size(page.imagewidth, page.imagelength, name)
            values = page.asarray()
            pixels = _from_tiff_array(values, page.axes, name)
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                pixels = 255 - pixels
            return Decoded(pixels, "TIFF", str(values.dtype), count)
    except (tifffile.TiffFileError, *_BROKEN) as error:
        raise ImageError(
            f"{name} cannot be read: this TIFF is damaged or of a rare kind. "
            "Save it as PNG or as uncompressed TIFF."
        ) from error


def _deep_colour(data: bytes, frame: int) -> bool:
    """Whether a TIFF is one that Pillow would misread: deep colour, white as zero."""
    bits_per_sample, photometric, min_is_white = 258, 262, 0
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            frames.seek_frame(image, frame, "")
            tags: Any = getattr(image, "tag_v2", {})
            deep = max(tags.get(bits_per_sample, (1,))) > 8
            return deep and (
                image.mode not in ("I;16", "I;16B", "I", "F")
                or tags.get(photometric) == min_is_white
            )
    except (
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
        *(ImageError, *_BROKEN),
    ):
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


def _read_scan(
    data: bytes, name: str, window: str, frame: int, axis: Axis, side: int
) -> Decoded:
    return Decoded(**vars(scans.read(data, name, window, frame, axis)))


def _plain(read: Callable[[bytes, str, int, int], Decoded]) -> Reading:
    """For formats without windows and axes."""
    return lambda data, name, window, frame, axis, side: read(data, name, frame, side)


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


READERS: list[Reader] = [
    # DICOM first: what stands before its mark may look like a TIFF.
    Reader(scans.is_dicom, _read_scan),
    Reader(_starts(b"\x89PNG\r\n\x1a\n"), _plain(_read_pillow)),
    Reader(_starts(b"\xff\xd8\xff"), _plain(_read_pillow)),
    Reader(_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _plain(_read_tiff)),
    Reader(_starts(b"GIF87a", b"GIF89a"), _plain(_read_pillow)),
    Reader(_starts(b"BM"), _plain(_read_pillow)),
    Reader(
        lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _plain(_read_pillow)
    ),
    Reader(scans.is_nifti, _read_scan),
]
