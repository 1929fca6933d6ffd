"""One image written in every container, depth and layout that this machine can write.

What is read back is known exactly where the writing is lossless: a hundredth of the
pixels is black and as many are white, so that the range of large samples is that of the
image.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from medmodel.imaging.windows import Pixels

Samples = npt.NDArray[Any]
Tag = tuple[int, str, list[int]]
"""Number, kind of `struct` and values."""


class Variant(NamedTuple):
    """One way to write an image.

    Args:
        name: Container, depth and layout.
        write: Makes the file.
        expected: uint8 (height, width, 1 or 3) as it is to be read.
        tolerance: How far a grey level may be off; 0 where nothing is lost.
    """

    name: str
    write: Callable[[], bytes]
    expected: Pixels
    tolerance: int = 0


class Drawing(NamedTuple):
    """An image with soft slopes, some black and some white.

    Args:
        grey: uint8 (height, width, 1).
        colour: uint8 (height, width, 3).
        alpha: uint8 (height, width, 1): nothing, everything and halves.
    """

    grey: Pixels
    colour: Pixels
    alpha: Pixels


DEPTHS: dict[str, Callable[[Samples], Samples]] = {
    # name -> stored samples of grey levels
    "uint8": lambda x: x.astype(np.uint8),
    "int8": lambda x: (x - 128).astype(np.int8),
    "uint16": lambda x: (x * 257).astype(np.uint16),
    "12 bits in uint16": lambda x: (x * 16).astype(np.uint16),
    "int16": lambda x: (x * 16 - 2000).astype(np.int16),
    "uint32": lambda x: (x * 2**24).astype(np.uint32),
    "int32": lambda x: ((x - 128) * 2**23).astype(np.int32),
    "uint64": lambda x: (x * 2**50).astype(np.uint64),
    "int64": lambda x: ((x - 128) * 2**50).astype(np.int64),
    "float16": lambda x: (x / 64 - 1).astype(np.float16),
    "float32": lambda x: (x / 255).astype(np.float32),
    "float64": lambda x: (x * 1e6 - 1e3).astype(np.float64),
}
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


def draw(height: int = 40, width: int = 56, seed: int = 0) -> Drawing:
    """Soft waves whose lengths and directions chance chooses."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows * chance.uniform(0.02, 0.2) + columns * chance.uniform(0.02, 0.2))
        for _ in range(3)
    ]
    colour = (np.stack(waves, -1) * 100 + 128).astype(np.uint8)
    border = max(1, height // 12)
    colour[:border], colour[-border:] = 0, 255
    grey = colour[..., :1].copy()
    alpha = np.full((height, width, 1), 255, np.uint8)
    alpha[:, : width // 4], alpha[:, width // 4 : width // 2] = 0, 128
    return Drawing(grey, colour, alpha)


def variants(drawing: Drawing) -> Iterator[Variant]:
    """The image in all that can be written."""
    yield from _tiff_depths(drawing)
    yield from _tiff_layouts(drawing)
    yield from _tiff_colours(drawing)
    yield from _tiff_of_codestreams(drawing)
    yield from _tiff_turned(drawing)
    yield from _pillow_files(drawing)
    yield from _png_files(drawing)
    yield from _codestreams(drawing)
    yield from _lossless_jpegs(drawing)


def on_black(pixels: Pixels, alpha: Samples) -> Pixels:
    """What shows of an image; alpha from 0 to 1."""
    return (pixels * alpha + 0.5).astype(np.uint8)


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
    turns: dict[int, Callable[[Samples], Samples]] = {
        # orientation -> what was done to the image that is stored
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.swapaxes(0, 1),
        6: np.rot90,
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }
    for orientation, turned in turns.items():
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
        exif = Image.Exif()
        exif[274] = orientation
        image = Image.fromarray(np.ascontiguousarray(turned(drawing.colour)))
        for kind in ("PNG", "WEBP"):
            yield _pillow(
                f"{kind}, orientation {orientation}",
                image,
                drawing.colour,
                format=kind,
                lossless=True,
                exif=exif.tobytes(),
            )


def _pillow(
    name: str, image: Image.Image, expected: Pixels, tolerance: int = 0, **options: Any
) -> Variant:
    def write() -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, **options)
        return buffer.getvalue()

    return Variant(name, write, expected, tolerance)


def _pillow_files(drawing: Drawing) -> Iterator[Variant]:
    grey, colour = (
        Image.fromarray(drawing.grey[..., 0]),
        Image.fromarray(drawing.colour),
    )
    rgba = Image.fromarray(np.concatenate([drawing.colour, drawing.alpha], -1))
    la = Image.fromarray(np.concatenate([drawing.grey, drawing.alpha], -1))
    opacity = drawing.alpha / 255
    layered = on_black(drawing.colour, opacity)
    for kind in ("PNG", "BMP", "GIF", "JPEG2000"):
        yield _pillow(f"{kind}, grey", grey, drawing.grey, format=kind)
    for kind in ("PNG", "BMP", "WEBP", "JPEG2000"):
        yield _pillow(
            f"{kind}, RGB", colour, drawing.colour, format=kind, lossless=True
        )
    yield _pillow("PNG, RGBA", rgba, layered, 1, format="PNG")
    yield _pillow("PNG, LA", la, on_black(drawing.grey, opacity), 1, format="PNG")
    yield _pillow(
        "WEBP, RGBA", rgba, layered, 1, format="WEBP", lossless=True, exact=True
    )
    few = colour.quantize(16)
    shown = np.asarray(few.convert("RGB"))
    for kind in ("PNG", "GIF", "BMP"):
        yield _pillow(f"{kind}, palette", few, shown, format=kind)
    for bits in (1, 2, 4):
        two = Image.fromarray(drawing.grey[..., 0] // 128).convert("P")
        two.putpalette([200, 10, 30, 20, 220, 90])
        yield _pillow(
            f"PNG, palette of {bits} bits",
            two,
            np.asarray(two.convert("RGB")),
            format="PNG",
            bits=bits,
        )
    mask = drawing.grey[..., 0] > 127
    for kind in ("PNG", "BMP", "GIF"):
        yield _pillow(
            f"{kind}, 1 bit",
            Image.fromarray(mask),
            (mask * np.uint8(255))[..., None],
            format=kind,
        )
    for kind in ("JPEG", "WEBP", "AVIF"):
        options: dict[str, Any] = {"format": kind, "quality": 95}
        if kind != "WEBP":  # there it would be stored as colour
            yield _pillow(f"{kind}, grey", grey, drawing.grey, 16, **options)
        yield _pillow(f"{kind}, RGB, lossy", colour, drawing.colour, 90, **options)


def png(
    samples: Samples, bits: int, colour_type: int, chunks: dict[str, bytes]
) -> bytes:
    """A PNG of any depth, its rows not filtered.

    Args:
        samples: (height, width, samples), each below 2 ** bits.
        bits: 1, 2, 4, 8 or 16.
        colour_type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.
        chunks: What comes before the samples, such as PLTE and tRNS.
    """
    height, width, _ = samples.shape
    if bits == 16:
        rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    elif bits == 8:
        rows = samples.astype(np.uint8).reshape(height, -1)
    else:
        single = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)
        rows = np.packbits(single[..., 8 - bits :].reshape(height, -1), axis=1)
    rows = np.insert(rows, 0, 0, axis=1)
    head = struct.pack(">LLBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = {"IHDR": head, **chunks, "IDAT": zlib.compress(rows.tobytes()), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(content))
        + kind.encode()
        + content
        + struct.pack(">L", zlib.crc32(kind.encode() + content))
        for kind, content in parts.items()
    )


def _png_files(drawing: Drawing) -> Iterator[Variant]:
    """Every depth with every colour type, and a transparent grey level or colour."""
    for bits in (1, 2, 4, 8, 16):
        full = 2**bits - 1
        layouts = [("grey", 0, drawing.grey), ("RGB", 2, drawing.colour)]
        for layout, colour_type, pixels in layouts[: 1 if bits < 8 else 2]:
            stored = np.rint(pixels / 255.0 * full).astype(np.uint16)
            expected = np.rint(stored / full * 255).astype(np.uint8)
            write = partial(png, stored, bits, colour_type)
            name = f"PNG of {bits} bits, {layout}"
            yield Variant(name, partial(write, {}), expected)
            # White is transparent.
            key = np.full(stored.shape[2], full, ">u2").tobytes()
            is_white = (stored == full).all(-1, keepdims=True)
            shown = np.where(is_white, 0, expected).astype(np.uint8)
            yield Variant(
                f"{name}, white transparent", partial(write, {"tRNS": key}), shown
            )
            if bits < 8:
                continue
            alpha = np.rint(drawing.alpha / 255.0 * full).astype(np.uint16)
            samples = np.concatenate([stored, alpha], -1)
            yield Variant(
                f"{name} with alpha",
                partial(png, samples, bits, colour_type + 4, {}),
                on_black(expected, drawing.alpha / 255),
                1,
            )
        if bits < 16:
            yield from _png_palettes(drawing, bits)


def _png_palettes(drawing: Drawing, bits: int) -> Iterator[Variant]:
    full = 2**bits - 1
    index = np.rint(drawing.grey / 255.0 * full).astype(np.uint16)
    step = np.arange(full + 1) * 255 // full
    palette = np.stack([step, 255 - step, step // 2], -1).astype(np.uint8)
    opacity = step[::-1].astype(np.uint8)
    plte = {"PLTE": palette.tobytes()}
    shown = palette[index[..., 0]]
    name = f"PNG of {bits} bits, palette"
    yield Variant(name, partial(png, index, bits, 3, plte), shown)
    yield Variant(
        f"{name}, transparent in steps",
        partial(png, index, bits, 3, plte | {"tRNS": opacity.tobytes()}),
        on_black(shown, opacity[index] / 255.0),
        1,
    )
    grey = np.repeat(step[:, None], 3, 1).astype(np.uint8)
    yield Variant(
        f"{name} of greys",
        partial(png, index, bits, 3, {"PLTE": grey.tobytes()}),
        step[index].astype(np.uint8),
    )


def _codestreams(drawing: Drawing) -> Iterator[Variant]:
    opacity = drawing.alpha / 255
    layered = on_black(drawing.colour, opacity)
    for name in ("uint8", "uint16", "12 bits in uint16", "float32"):
        stored = DEPTHS[name]
        grey = stored(drawing.grey[..., 0].astype(np.float64))
        colour = stored(drawing.colour.astype(np.float64))
        full = {"uint8": 255, "float32": 1}.get(name, 65535)
        alpha = (opacity * full).astype(grey.dtype)
        rgba = np.concatenate([colour, alpha], -1)
        layouts = [
            ("grey", grey, drawing.grey),
            ("RGB", colour, drawing.colour),
            ("RGBA", rgba, layered),
        ]
        for layout, samples, expected in layouts:
            for container, write in _encoders(name, layout).items():
                yield Variant(
                    f"{container}, {name} {layout}",
                    partial(write, samples),
                    expected,
                    1 if layout == "RGBA" else 0,
                )
    twelve = drawing.colour.astype(np.uint16) * 16
    for layout, samples, expected in (
        ("grey", drawing.grey[..., 0].astype(np.uint16) * 16, drawing.grey),
        ("RGB", twelve, drawing.colour),
    ):
        yield Variant(
            f"JPEG of 12 bits, {layout}",
            partial(_jpeg, samples, level=100, bitspersample=12),
            expected,
            8 if layout == "grey" else 90,
        )
        for bits in (10, 12):
            yield Variant(
                f"AVIF of {bits} bits, {layout}",
                partial(_avif, samples >> (12 - bits), level=100, bitspersample=bits),
                expected,
                1,
            )


def _lossless_jpegs(drawing: Drawing) -> Iterator[Variant]:
    for bits in range(2, 17):
        full = 2 ** min(bits, 8) - 1
        stored = np.rint(drawing.grey / 255.0 * full).astype(np.uint16)
        samples = (stored << max(bits - 8, 0))[..., 0]
        yield Variant(
            f"lossless JPEG of {bits} bits",
            partial(
                _jpeg,
                samples.astype(np.uint8) if bits <= 8 else samples,
                lossless=True,
                bitspersample=bits,
            ),
            np.rint(stored / full * 255).astype(np.uint8),
        )


def _encoders(depth: str, layout: str) -> dict[str, Callable[[Samples], bytes]]:
    """Lossless ones by the name of their container."""
    encoders: dict[str, Callable[[Samples], bytes]] = {
        "JPEG XL": partial(_encoded, "jpegxl", lossless=True),
    }
    if depth == "float32":
        return encoders
    for container in ("jp2", "j2k"):
        encoders[container.upper()] = partial(
            _encoded, "jpeg2k", level=0, codecformat=container
        )
    encoders["PNG by libpng"] = partial(_encoded, "png")
    if layout != "RGBA":
        encoders["JPEG-LS"] = partial(_encoded, "jpegls")
    if depth == "uint8":
        encoders["AVIF"] = partial(_avif, level=100)
    elif layout == "grey":
        encoders["lossless JPEG"] = partial(_jpeg, lossless=True, bitspersample=16)
    return encoders


def _encoded(codec: str, samples: Samples, **options: Any) -> bytes:
    return bytes(getattr(imagecodecs, f"{codec}_encode")(samples, **options))


_jpeg = partial(_encoded, "jpeg8")
_avif = partial(_encoded, "avif")
