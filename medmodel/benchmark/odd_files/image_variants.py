"""One image written in every container, depth and layout that can be written here."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from medmodel.benchmark.odd_files.drawing import (
    DEPTHS,
    TURNS,
    Drawing,
    Samples,
    Variant,
    on_black,
)
from medmodel.benchmark.odd_files.tiff_variants import tiff_variants
from medmodel.imaging.windows import Pixels


def variants(drawing: Drawing) -> Iterator[Variant]:
    """The image in all that can be written."""
    yield from tiff_variants(drawing)
    yield from _turned_files(drawing)
    yield from _pillow_files(drawing)
    yield from _png_files(drawing)
    yield from _codestreams(drawing)
    yield from _lossless_jpegs(drawing)


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


def _turned_files(drawing: Drawing) -> Iterator[Variant]:
    for orientation, turned in TURNS.items():
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
