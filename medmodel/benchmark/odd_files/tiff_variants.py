"""One image in every depth, layout, compression and kind of colour of a TIFF."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from medmodel.benchmark.odd_files.drawing import (
    DEPTHS,
    TURNS,
    Drawing,
    Samples,
    Variant,
    on_black,
)
from medmodel.imaging.windows import Pixels

Tag = tuple[int, str, list[int]]
"""Number, kind of `struct` and values."""
PACKED = (2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 31)
_TILES = {"tile": (16, 32)}
_LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 5},
    "tiles": _TILES,
    "BigTIFF": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "big-endian tiles": {"byteorder": ">", **_TILES},
    "LZW": {"compression": "lzw"},
    "LZW, predictor": {"compression": "lzw", "predictor": True},
    "deflate": {"compression": "zlib"},
    "deflate, predictor": {"compression": "zlib", "predictor": True, **_TILES},
    "big-endian deflate, predictor": {
        "compression": "zlib",
        "predictor": True,
        "byteorder": ">",
    },
    "zstd": {"compression": "zstd"},
    "LZMA": {"compression": "lzma"},
    "PackBits": {"compression": "packbits"},
    "LERC": {"compression": "lerc"},
    "JPEG XL": {"compression": "jpegxl", "compressionargs": {"lossless": True}},
    "JPEG 2000": {"compression": "jpeg2000", "compressionargs": {"level": 0}},
    "JPEG XR": {"compression": "jpegxr", "compressionargs": {"level": 1.0}},
    "PNG": {"compression": "png"},
    "WebP": {"compression": "webp", "compressionargs": {"lossless": True}},
}


def tiff_variants(drawing: Drawing) -> Iterator[Variant]:
    """The image in all that a TIFF can hold."""
    yield from _tiff_depths(drawing)
    yield from _tiff_layouts(drawing)
    yield from _tiff_colours(drawing)
    yield from _tiff_of_codestreams(drawing)
    yield from _tiff_turned(drawing)


def tiff(samples: Samples, **options: Any) -> bytes:
    """One page, or as many as there are along the first of four dimensions."""
    buffer = io.BytesIO()
    options = {"photometric": "minisblack", "metadata": None} | options
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def tiff_of_tags(tags: list[Tag], content: bytes, order: str = "<") -> bytes:
    """A TIFF of one directory behind its content, which begins at byte 8."""
    directory, values = b"", b""
    start = 8 + len(content)
    values_at = start + 2 + 12 * len(tags) + 4
    for number, kind, numbers in sorted(tags):
        value = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        code = {"H": 3, "L": 4}[kind]
        if len(value) > 4:
            place, values = values_at + len(values), values + value
            value = struct.pack(f"{order}L", place)
        head = struct.pack(f"{order}HHL", number, code, len(numbers))
        directory += head + value.ljust(4, b"\0")
    begin = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(tags))
    header = begin + struct.pack(f"{order}L", start)
    return header + content + count + directory + b"\0\0\0\0" + values


def plain_tags(
    height: int, width: int, photometric: int, samples: int = 1, bits: int = 8
) -> list[Tag]:
    """Tags of uncompressed samples in one strip at byte 8."""
    return [
        (256, "L", [width]),
        (257, "L", [height]),
        (258, "H", [bits] * samples),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "L", [8]),
        (277, "H", [samples]),
        (278, "L", [height]),
        (279, "L", [height * width * samples * bits // 8]),
    ]


def _tiff(name: str, samples: Samples, expected: Pixels, **options: Any) -> Variant:
    return Variant(f"TIFF, {name}", lambda: tiff(samples, **options), expected)


def _tiff_depths(drawing: Drawing) -> Iterator[Variant]:
    for name, stored in DEPTHS.items():
        grey = stored(drawing.grey[..., 0].astype(np.float64))
        colour = stored(drawing.colour.astype(np.float64))
        yield _tiff(name, grey, drawing.grey)
        yield _tiff(f"{name} big-endian", grey, drawing.grey, byteorder=">")
        yield _tiff(f"{name} RGB", colour, drawing.colour, photometric="rgb")
        yield _tiff(
            f"{name}, white is zero",
            grey,
            255 - drawing.grey,
            photometric="miniswhite",
        )
    for bits in PACKED:
        full = 2 ** min(bits, 8) - 1
        for photometric, pixels in ((1, drawing.grey), (2, drawing.colour)):
            stored = np.rint(pixels / 255 * full).astype(np.uint32)
            yield Variant(
                f"TIFF, {bits} bits, {pixels.shape[2]} samples",
                partial(_packed, stored << max(bits - 8, 0), bits, photometric),
                np.rint(stored / full * 255).astype(np.uint8),
            )
    mask = drawing.grey[..., 0] > 127
    expected = (mask * np.uint8(255))[..., None]
    yield _tiff("1 bit", mask, expected)
    yield _tiff("1 bit, white is zero", mask, 255 - expected, photometric="miniswhite")


def _packed(samples: Samples, bits: int, photometric: int) -> bytes:
    """Rows of samples without gaps, the highest bit first: TIFF 6.0, section 2."""
    height, width, count = samples.shape
    single = np.unpackbits(samples.astype(">u4")[..., None].view(np.uint8), axis=-1)
    content = np.packbits(single[..., 32 - bits :].reshape(height, -1), axis=1)
    tags = plain_tags(height, width, photometric, count, bits)
    tags = [tag for tag in tags if tag[0] != 279]
    return tiff_of_tags([*tags, (279, "L", [content.size])], content.tobytes())


def _tiff_layouts(drawing: Drawing) -> Iterator[Variant]:
    for layout, options in _LAYOUTS.items():
        for depth in DEPTHS:
            if not _is_writable(layout, depth):
                continue
            grey = DEPTHS[depth](drawing.grey[..., 0].astype(np.float64))
            colour = DEPTHS[depth](drawing.colour.astype(np.float64))
            if layout != "WebP":
                yield _tiff(f"{layout}, {depth}", grey, drawing.grey, **options)
            yield _tiff(
                f"{layout}, {depth} RGB",
                colour,
                drawing.colour,
                photometric="rgb",
                **options,
            )


def _is_writable(layout: str, depth: str) -> bool:
    """Whether tifffile can write it."""
    plain = ("uint8", "uint16", "12 bits in uint16")
    possible = {
        "LERC": (*plain, "int8", "int16", "uint32", "int32", "float32", "float64"),
        "JPEG XL": (*plain, "float32"),
        "JPEG 2000": (*plain, "int8", "int16"),
        "JPEG XR": plain,
        "PNG": plain,
        "WebP": ("uint8",),
    }
    if "predictor" in layout and depth in ("uint64", "int64"):
        return False
    return depth in possible.get(layout, tuple(DEPTHS))


def _tiff_colours(drawing: Drawing) -> Iterator[Variant]:
    opacity = drawing.alpha / 255
    layered = on_black(drawing.colour, opacity)
    for depth in ("uint8", "uint16", "12 bits in uint16", "float32", "uint32"):
        stored = DEPTHS[depth]
        scale: Samples = stored(np.array([255.0]))
        full = {"12 bits in uint16": 65535}.get(depth, scale[0])
        alpha = (opacity * full).astype(scale.dtype)
        colour = stored(drawing.colour.astype(np.float64))
        grey = stored(drawing.grey.astype(np.float64))
        rgba = np.concatenate([colour, alpha], -1)
        for planar in ("contig", "separate"):
            options = {"photometric": "rgb", "planarconfig": planar}
            name = f"{depth} {planar}"
            yield _planar(f"{name} RGB", colour, drawing.colour, **options)
            yield _planar(
                f"{name} RGBA", rgba, layered, **options, extrasamples=["unassalpha"]
            )
            yield _planar(
                f"{name} RGBX",
                rgba,
                drawing.colour,
                **options,
                extrasamples=["unspecified"],
            )
        several = np.concatenate([grey, colour, alpha], -1)
        yield _planar(f"{depth} of 5 channels", several, drawing.grey)
        yield _planar(
            f"{depth} grey with alpha",
            np.concatenate([grey, alpha], -1),
            on_black(drawing.grey, opacity),
            extrasamples=["unassalpha"],
        )
        if depth in ("uint8", "uint16"):
            inks = np.concatenate([full - colour, 0 * alpha], -1).astype(scale.dtype)
            yield _planar(
                f"{depth} CMYK", inks, drawing.colour, photometric="separated"
            )
    premultiplied = np.concatenate([layered, drawing.alpha], -1)
    yield _tiff(
        "associated alpha",
        premultiplied,
        layered,
        photometric="rgb",
        extrasamples=["assocalpha"],
    )
    palette = np.stack([np.arange(256) * 257, np.arange(256)[::-1] * 257, [9000] * 256])
    yield _tiff(
        "palette",
        drawing.grey[..., 0],
        (palette >> 8).astype(np.uint8).T[drawing.grey[..., 0]],
        photometric="palette",
        colormap=palette.astype(np.uint16),
    )


def _tiff_of_codestreams(drawing: Drawing) -> Iterator[Variant]:
    """JPEG and JPEG 2000 in a TIFF, whose colours these may or may not have changed."""
    grey, colour = drawing.grey[..., 0], drawing.colour
    twelve = grey.astype(np.uint16) * 16
    inks = np.concatenate([255 - colour, 0 * drawing.alpha], -1)
    planes = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
    ycbcr = np.asarray(Image.fromarray(colour).convert("YCbCr"))
    fine, whole = {"level": 98}, {"level": 0, "mct": False}
    separate = {"photometric": "rgb", "planarconfig": "separate"}
    written: list[tuple[str, Samples, Pixels, dict[str, Any]]] = [
        ("grey", grey, drawing.grey, {}),
        ("white is zero", grey, 255 - drawing.grey, {"photometric": "miniswhite"}),
        ("12 bits", twelve, drawing.grey, {"bitspersample": 12}),
        ("CMYK", inks, colour, {"photometric": "separated"}),
        ("planar RGB", planes, colour, separate),
    ]
    for name, samples, expected, options in written:
        options = {"compression": "jpeg", "compressionargs": fine} | options
        write = partial(tiff, samples, **options)
        yield Variant(f"TIFF, JPEG, {name}", write, expected, 8)
    for compression, photometric in ((33003, "rgb"), (34712, "ycbcr")):
        options = {"photometric": photometric, "compressionargs": whole}
        write = partial(tiff, ycbcr, compression=compression, **options)
        yield Variant(f"TIFF, JPEG 2000 {compression}, YCbCr", write, colour, 3)


def _planar(name: str, samples: Samples, expected: Pixels, **options: Any) -> Variant:
    """Interleaved samples, or one plane after the other as tifffile wants these."""
    options = {"planarconfig": "contig"} | options
    if options["planarconfig"] == "separate":
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    return _tiff(name, samples, expected, **options)


def _tiff_turned(drawing: Drawing) -> Iterator[Variant]:
    for orientation, turned in TURNS.items():
        extratags = [(274, 3, 1, orientation, True)]
        for depth in ("uint8", "uint16", "float32"):
            samples = DEPTHS[depth](turned(drawing.colour).astype(np.float64))
            yield _tiff(
                f"{depth}, orientation {orientation}",
                samples,
                drawing.colour,
                photometric="rgb",
                extratags=extratags,
            )
