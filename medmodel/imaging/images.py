"""Any image file to pixels, and pixels to what a model sees.

Pixels are uint8 (height, width, channels) with 1 channel (grey) or 3 (RGB). Files are
recognised by content, never by name. A new format is one more line in `READERS`.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from medmodel.core import samples
from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.core.processes import sandbox
from medmodel.core.regular_files import open_data_file
from medmodel.core.samples import Axis
from medmodel.imaging import enhance, scans
from medmodel.imaging.channels import (
    as_colour,
    from_pixels,
    single_channel,
    to_pixels,
)
from medmodel.imaging.decoded_image import (
    HEAD,
    MAX_BYTES,
    DecodedImage,
    DecodeOptions,
)
from medmodel.imaging.high_bit_depth import (
    decode_avif,
    decode_deep,
    decode_jpeg,
    decode_jpeg_2000,
    decode_png,
)
from medmodel.imaging.nifti import pair as nifti_pair
from medmodel.imaging.raster import (
    decode_heic,
    decode_pillow,
    decode_tiff,
    is_avif,
    is_bmp,
    is_heic,
)
from medmodel.imaging.scaling import cropped, padded, scaled
from medmodel.imaging.windows import Pixels, Window
from medmodel.language import _


class Reader(NamedTuple):
    """One family of formats.

    Args:
        recognises: Tells from the first `HEAD` bytes.
        decode: Takes the file's bytes, a name for messages, and options.
    """

    recognises: Callable[[bytes], bool]
    decode: Callable[[bytes, str, DecodeOptions], DecodedImage]


def decode(
    source: Path | bytes,
    name: str = "",
    window: str = "auto",
    frame: int = -1,
    axis: Axis = "axial",
    side: int = 0,
    values: bool = False,
    square_pixels: bool = True,
) -> DecodedImage:
    """Decodes an image file; where it holds several, the first, or the one named.

    In the sandbox: time and memory are limited, and what a decoder does to its process
    is one file's fault.

    16-bit, 32-bit and float images are scaled, see `windows.scale_to_uint8`.
    Transparent parts are laid on black. The rotation that a camera wrote into EXIF is
    applied.

    Args:
        source: A file or a sample of one, as `samples` names it; or a file's content.
        name: What to call it in messages; default: the file's name.
        window: As in `DecodeOptions`, like all that follow.
        frame: Unless the sample's name says it.
        axis: Unless the sample's name says it.
        side: Of the squares that are wanted in colour.
        values: Whether a scanner's own values are wanted.
        square_pixels: Whether an image is widened where the file says that its pixels
            are not square; else its size is that of what is stored.

    Raises:
        ImageError: It is no image, damaged, or larger than `raster.MAX_PIXELS`.
        sandbox.AnswerTooLargeError: In a process that is no sandbox, the image is
            larger than that process wants to hold; see `untrusted`.
        OSError: The file cannot be opened or read.
    """
    if isinstance(source, Path):
        name = name or source.name
        source, part = samples.located(source)
        if part is not None:
            frame, axis = part.number, axis if part.kind == "frame" else part.kind
        check_bytes(source.stat().st_size, name)
        source = source.read_bytes()
    name = name or _("The image")
    if not source:
        raise ImageError(_("{name} is empty (0 bytes).", name=name))
    if find_reader(source[:HEAD]) is None:
        if nifti_pair.is_voxels(name):
            raise nifti_pair.without_header(name)
        raise ImageError(
            _(
                "{name} is not an image: its content is neither PNG, JPEG, "
                "JPEG-LS, JPEG 2000, JPEG XL, TIFF, BMP, GIF, WebP, AVIF, DICOM "
                "nor NIfTI.",
                name=name,
            )
        )
    options = DecodeOptions(window, frame, axis, side, values, square_pixels)
    fields = sandbox.ask(f"{__name__}:read", source, name, **options._asdict())
    return from_fields(fields)


def read(data: bytes, name: str, **options: Any) -> dict[str, Any]:
    """What the sandbox runs: the fields of the `DecodedImage` of a known format."""
    reader: Any = find_reader(data[:HEAD])
    return vars(reader(data, name, DecodeOptions(**options)))


def from_fields(fields: dict[str, Any]) -> DecodedImage:
    """A `DecodedImage` as it comes out of the sandbox."""
    window = fields["window"]
    return DecodedImage(**fields | {"window": Window(*window) if window else None})


def decode_data_file(
    folder: Path, sample: str, window: str = "auto", side: int = 0
) -> DecodedImage:
    """Decodes a sample of a data set; nothing outside the allowed roots is read.

    Args:
        folder: The data set's folder.
        sample: Path from there, with its slice or frame as `samples` names it.
        window: As in `DecodeOptions`.
        side: As in `DecodeOptions`.

    Raises:
        ImageError: As `decode`.
        OSError: As `regular_files.open_data_file`.
    """
    file, part = samples.split(sample)
    frame = part.number if part else -1
    axis = part.kind if part and part.kind != "frame" else "axial"
    content = read_data_file(folder, file)
    return decode(content, Path(sample).name, window, frame, axis, side)


def read_data_file(folder: Path, path: str) -> bytes:
    """The content of a data set's file, see `regular_files.open_data_file`.

    Voxels of a NIfTI pair come with their header, as one file.

    Raises:
        ImageError: It is too large to be read, or voxels without a header.
        OSError: It cannot be read, or lies outside the allowed roots.
    """
    if not nifti_pair.is_voxels(path):
        return _read_one(folder, path)
    header = nifti_pair.header_path(folder, path)
    if not header:
        raise nifti_pair.without_header(Path(path).name)
    return nifti_pair.joined(_read_one(folder, header), _read_one(folder, path))


def _read_one(folder: Path, path: str) -> bytes:
    with open_data_file(folder, path) as file:
        check_bytes(os.fstat(file.fileno()).st_size, Path(path).name)
        return file.read()


def check_bytes(size: int, name: str) -> None:
    """Refuses a file that is too large to be read.

    Raises:
        ImageError: It is too large for any process.
        sandbox.AnswerTooLargeError: It is too large for one that is no sandbox.
    """
    if size > MAX_BYTES:
        raise ImageError(
            _(
                "{name} is larger than {megabytes} MB.",
                name=name,
                megabytes=MAX_BYTES // 10**6,
            )
        )
    sandbox.check_size(size, name)


def find_reader(
    head: bytes,
) -> Callable[[bytes, str, DecodeOptions], DecodedImage] | None:
    """What decodes a file that begins with these bytes; None for unknown formats."""
    return next((r.decode for r in READERS if r.recognises(head)), None)


def prepare_image(pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
    """What the model sees: the one function for training and for new images.

    Grey from RGB is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). Sizes change as
    `scaling` says.

    Args:
        pixels: uint8 (height, width, 1 or 3), any size.
        preprocessing: Size, fit and colour.

    Returns:
        uint8 (size, size, channels).
    """
    if preprocessing.steps:
        pixels = enhance.apply(pixels, preprocessing.steps)
    side, _, channels = preprocessing.shape
    if pixels.shape[2] > channels:
        pixels = to_pixels(from_pixels(pixels).convert("L"))
    if pixels.shape[:2] != (side, side):
        # Grey stored as colour: the same, scaled in a third of the time.
        image = from_pixels(single_channel(pixels))
        pixels = to_pixels(_fitted(image, side, preprocessing.fit))
    return pixels if pixels.shape[2] == channels else as_colour(pixels)


def _fitted(image: Image.Image, side: int, fit: Fit) -> Image.Image:
    if fit == "stretch":
        return scaled(image, side, side)
    if fit == "crop":
        return cropped(image, side)
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return padded(scaled(image, width, height), side)


def model_input_area(
    width: int, height: int, side: int, fit: Fit
) -> tuple[float, float, float, float]:
    """Where on the image the square lies that a model sees, see `prepare_image`.

    Args:
        width: Of the image, in pixels.
        height: Likewise.
        side: Of the square, in pixels.
        fit: How the image became square.

    Returns:
        Left, top, width and height in pixels of the image; beyond its edges where it
        was padded.
    """
    if fit == "stretch":
        return 0.0, 0.0, float(width), float(height)
    if fit == "crop":
        edge = min(width, height)
        return (width - edge) / 2, (height - edge) / 2, float(edge), float(edge)
    scale = side / max(width, height)
    area = []
    for length in (width, height):
        shown = max(1, round(length * scale))
        pixel = length / shown
        area.append((-((side - shown) // 2) * pixel, side * pixel))
    (left, across), (top, down) = area
    return left, top, across, down


def pixel_digest(pixels: Pixels) -> str:
    """32 hexadecimal digits, equal for equal images, grey stored as RGB included.

    The first of SHA-1, which processors compute by themselves: nobody gains by making
    two images with the same digest, and by chance it will not happen.
    """
    pixels = single_channel(pixels)
    digest = hashlib.sha1(repr(pixels.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()[:32]


def png_bytes(pixels: Pixels) -> bytes:
    """The image as a PNG file, every pixel exact."""
    buffer = io.BytesIO()
    from_pixels(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def thumbnail(pixels: Pixels, side: int) -> Pixels:
    """The image with its longer side `side` pixels at most, aspect kept."""
    image = from_pixels(pixels)
    scale = side / max(image.size)
    if scale >= 1:
        return pixels
    width, height = (max(1, round(length * scale)) for length in image.size)
    return to_pixels(scaled(image, width, height))


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


READERS: list[Reader] = [
    # DICOM first: what stands before its mark may look like a TIFF.
    Reader(scans.is_dicom, scans.decode_dicom),
    Reader(_starts(b"\x89PNG\r\n\x1a\n"), decode_png),
    Reader(_starts(b"\xff\xd8\xff"), decode_jpeg),
    Reader(_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), decode_tiff),
    Reader(_starts(b"GIF87a", b"GIF89a"), decode_pillow),
    Reader(is_bmp, decode_pillow),
    Reader(lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", decode_pillow),
    Reader(_starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"), decode_jpeg_2000),
    Reader(_starts(b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"), decode_deep),
    Reader(is_avif, decode_avif),
    Reader(is_heic, decode_heic),
    Reader(scans.is_nifti, scans.decode_nifti),
]
