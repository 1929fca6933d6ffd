"""Samples of other than 8 bits, JPEG-LS and JPEG XL by imagecodecs.

Pillow cuts the samples of most formats down to 8 bits, so that a range of 12 bits in 16
would be black, and lacks some formats. What it reads rightly stays with it.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy.typing as npt
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.core.processes import sandbox
from medmodel.imaging import apng, jpeg_xl
from medmodel.imaging.channels import (
    lay_on_black,
    single_channel,
    to_grey_levels,
    upright,
)
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.raster import (
    ORIENTATION,
    PILLOW_FORMATS,
    check_frame,
    check_size,
    damage_named,
    decode_pillow,
)
from medmodel.imaging.windows import Pixels, values_and_window
from medmodel.language import _

_FORMATS = {
    # codec of imagecodecs -> name of the format
    "png": "PNG",
    "jpeg8": "JPEG",
    "jpegsof3": "JPEG",
    "jpegls": "JPEG-LS",
    "jpeg2k": "JPEG2000",
    "avif": "AVIF",
    "jpegxl": "JPEG XL",
}
_JPEGS = ("jpeg8", "jpegsof3", "jpegls")
_HEADERS = 2**16
"""Bytes of a JPEG in which its EXIF begins, and as many in which it ends."""
_JPEG_2000_COLOURS = {12: "CMYK", 14: "CIELab", 18: "sYCC", 24: "e-sYCC"}
_LAYOUTS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7
_PNG_PARTS = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")
"""Chunks of a PNG that a decoder may do without, and that show in the image."""
_ORIENTED = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"
"""Texts that may say the orientation; the second is how ImageMagick writes EXIF."""
_LONGEST_TEXT = 2**20
_STARTS = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}
"""Markers of a frame: ISO 10918-1 B.1.1.3; ISO 14495-1 C.1.1."""


def decode_png(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One image of a PNG.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    # PNG, 11.2.1: bit depth and colour type in the first chunk. Among greys of 2 and 4
    # bits Pillow does not find the transparent one.
    lossy = data[24:25] == b"\x10" or data[24:26] in (b"\x02\0", b"\x04\0")
    decode = decode_deep if lossy else decode_pillow
    return decode(_without_notes(data), name, options)


def decode_jpeg(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """A JPEG, lossless and of 12 bits too, or a JPEG-LS.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    marker, bits, *_ = _jpeg_frame(data)
    plain = not marker or (bits == 8 and marker not in (_LOSSLESS, _JPEG_LS))
    return (decode_pillow if plain else decode_deep)(data, name, options)


def decode_jpeg_2000(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """A JPEG 2000, as file or as codestream.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    depths = _jpeg_2000_depths(data)
    plain = set(depths) <= {8} and len(depths) <= len(_LAYOUTS)
    return (decode_pillow if plain else decode_deep)(data, name, options)


def decode_avif(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One image of an AVIF.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    # AV1-ISOBMFF, 2.3.3: the third byte of the configuration says high_bitdepth.
    flags = data.partition(b"av1C")[2][2:3]
    is_deep = bool(flags) and bool(flags[0] & 0x40)
    return (decode_deep if is_deep else decode_pillow)(data, name, options)


def decode_deep(data: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """One image by imagecodecs, in the sandbox; all that is read as JPEG XL.

    Raises:
        ImageError: It is damaged, too large, or has no such frame.
    """
    fields = sandbox.ask(
        "medmodel.imaging.high_bit_depth:read",
        data,
        name,
        frame=options.frame,
        values=options.values,
    )
    return DecodedImage(**fields)


def read(data: bytes, name: str, frame: int, values: bool = False) -> dict[str, Any]:
    """One image that is no TIFF by imagecodecs, as the fields of `DecodedImage`.

    To be called in the sandbox, since some decoders crash on damaged files.

    Args:
        data: PNG, JPEG, JPEG-LS, JPEG 2000, AVIF or JPEG XL.
        name: For messages.
        frame: From 0; -1: the first.
        values: Whether the stored values of grey are wanted, too.

    Raises:
        ImageError: It is damaged, too large, of other colours than grey and RGB, or has
            no such frame.
    """
    with damage_named(name):
        codec, bits = _codec(data)
        if codec == "jpeg2k":
            _refuse_by_name(data, codec, len(_jpeg_2000_depths(data)), name)
        count, orientation = _header(data, codec, name)
        check_frame(frame, count, name)
        samples = _decoded(data, codec, max(frame, 0) if count > 1 else None)
        if codec == "jpegxl":
            frames = _frames(samples)
            count = len(frames)
            samples = frames[max(check_frame(frame, count, name), 0)]
        samples = samples[..., None] if samples.ndim == 2 else samples
        _refuse_by_name(data, codec, samples.shape[2], name)
        check_size(samples.shape[1], samples.shape[0], name)
        bits = bits or samples.dtype.itemsize * 8
        pixels = _on_black(samples, bits, name)
        fields = {
            "pixels": upright(pixels, orientation),
            "format": _FORMATS[codec],
            "mode": f"{_LAYOUTS[samples.shape[2]]}, {bits} bits",
            "frames": count,
            "many_bits": samples.shape[2] == 1 and bits > 8,
        }
        if values and fields["many_bits"]:
            fields |= values_and_window(upright(samples, orientation)[..., 0])
        return fields


def _codec(data: bytes) -> tuple[str, int]:
    """The decoder of imagecodecs, and bits of a sample; 0 where the decoder says."""
    if data.startswith(b"\x89PNG"):
        return "png", 0
    if data.startswith(b"\xff\xd8"):
        start, bits, *_ = _jpeg_frame(data)
        return {_LOSSLESS: "jpegsof3", _JPEG_LS: "jpegls"}.get(start, "jpeg8"), bits
    if data[4:8] == b"ftyp":
        return "avif", 0
    if depths := _jpeg_2000_depths(data):
        return "jpeg2k", max(depths) & 0x7F
    return "jpegxl", jpeg_xl.header(data).bits


def _header(data: bytes, codec: str, name: str) -> tuple[int, int]:
    """How many images there are, and the orientation of EXIF; the size is checked.

    Those of a JPEG XL are only known when it is decoded, which is upright.
    """
    if codec == "jpegxl":
        check_size(*jpeg_xl.header(data)[:2], name)
        return sys.maxsize, 1
    exif = Image.Exif()
    if codec in _JPEGS:
        _, _, height, width = _jpeg_frame(data)
        check_size(width, height, name)
        if (at := data.find(b"Exif\0\0", 0, _HEADERS)) >= 0:
            exif.load(data[at : at + _HEADERS])
        return 1, exif.get(ORIENTATION, 1)
    with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
        check_size(*image.size, name)
        written = _png_exif(data) if codec == "png" else image.info.get("exif")
        if written:
            exif.load(written)
        elif codec == "png":
            exif = image.getexif()  # from a text
        return getattr(image, "n_frames", 1), exif.get(ORIENTATION, 1)


def _decoded(data: bytes, codec: str, index: int | None) -> npt.NDArray[Any]:
    import imagecodecs

    if codec == "png" and index is not None:
        return apng.shown(data, index)
    decode = getattr(imagecodecs, f"{codec}_decode")
    if codec in ("jpeg8", "jpegls") and b"\xff\xd9" not in data:
        # The one would make up what is missing, the other look for it for ever.
        raise ValueError("no end of image")
    # Threads would take address space, which is limited, and the other images' cores.
    threads = {"numthreads": 1} if codec in ("avif", "jpeg2k", "jpegxl") else {}
    samples: npt.NDArray[Any] = decode(data, **threads)
    if codec == "avif" and index is not None:
        return samples[index]  # asked for the first alone, it writes beyond its memory
    return samples


def _frames(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The images of a JPEG XL, which may be an animation."""
    is_one = samples.ndim == 2 or (samples.ndim == 3 and samples.shape[2] <= 4)
    return samples[None] if is_one else samples


def _refuse_by_name(data: bytes, codec: str, channels: int, name: str) -> None:
    """Raises `ImageError` for other colours than grey and RGB."""
    colours = f"{channels} channels"
    if codec == "jpeg2k" and (at := data.find(b"colr\x01")) >= 0:
        # ISO 15444-1, I.5.3.3: kind, precedence and approximation before the number.
        (number,) = struct.unpack_from(">L", data, at + 7)
        colours = _JPEG_2000_COLOURS.get(number, colours)
    has_alpha = channels in (2, 4) and codec not in _JPEGS
    if "channels" not in colours or not (channels in (1, 3) or has_alpha):
        raise ImageError(
            _(
                "{name} is in {colours}, of which its format cannot be read here. "
                "Save it as PNG of grey or RGB.",
                name=name,
                colours=colours,
            )
        )


def _on_black(samples: npt.NDArray[Any], bits: int, name: str) -> Pixels:
    """Grey, grey and alpha, RGB, or RGB and alpha as pixels."""
    count = samples.shape[2]
    colours = samples[..., : 3 if count >= 3 else 1]
    pixels = to_grey_levels(colours, bits, name)
    if count in (2, 4):
        pixels = lay_on_black(pixels, samples[..., -1], bits)
    return single_channel(pixels)


def _jpeg_frame(data: bytes) -> tuple[int, int, int, int]:
    """Marker, bits, height and width of a JPEG's frame; zeros where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _STARTS:
            return marker, *struct.unpack_from(">BHH", data, at + 4)
        at += 1 if marker == 0xFF else 2 + length
    return 0, 0, 0, 0


def _jpeg_2000_depths(data: bytes) -> list[int]:
    """Bits of each component, ISO 15444-1 A.5.1; of signed ones 128 more."""
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(data):
        return []
    (count,) = struct.unpack_from(">H", data, at + 40)
    depths = data[at + 42 : at + 42 + 3 * count : 3]
    return [(depth & 0x7F) + 1 + (depth & 0x80) for depth in depths]


def _png_exif(data: bytes) -> bytes:
    """What a PNG's eXIf chunk holds, wherever it stands; empty where there is none."""
    for kind, start, end in _png_chunks(data):
        if kind == b"eXIf":
            return b"Exif\0\0" + data[start + 8 : end - 4]
    return b""


def _without_notes(data: bytes) -> bytes:
    """A PNG without chunks that leave its pixels as they are: texts, profiles, others.

    Decoders refuse the whole file where one of them is long or damaged.
    """
    chunks = list(_png_chunks(data))
    notes = [c for c in chunks if c.kind[:1].islower() and not _is_needed(data, c)]
    if not notes:
        return data
    starts, ends = [c.start for c in notes], [c.end for c in notes]
    parts = zip([0, *ends], [*starts, len(data)], strict=True)
    return b"".join(data[start:end] for start, end in parts)


def _is_needed(data: bytes, chunk: _Chunk) -> bool:
    if chunk.kind in _PNG_PARTS:
        return True
    is_oriented = data.startswith(_ORIENTED, chunk.start + 8)
    return is_oriented and chunk.end - chunk.start < _LONGEST_TEXT


class _Chunk(NamedTuple):
    """Kind of a PNG's chunk, and where it begins and ends in the file."""

    kind: bytes
    start: int
    end: int


def _png_chunks(data: bytes) -> Iterator[_Chunk]:
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, at)
        yield _Chunk(kind, at, at + 12 + length)
        at += 12 + length
