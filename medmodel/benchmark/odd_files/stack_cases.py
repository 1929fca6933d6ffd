"""Cases of `odd_files`: several images in one file."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.comparing import read_difference
from medmodel.benchmark.odd_files.drawing import Drawing
from medmodel.benchmark.odd_files.tiff_variants import plain_tags, tiff, tiff_of_tags
from medmodel.imaging.windows import Pixels


def stack_cases(drawing: Drawing) -> Iterator[Case]:
    """Several images in a file: each is there, and no copy or mask counts."""
    layers = np.stack([drawing.grey[..., 0] // n for n in (1, 2, 3, 4, 5, 6)])
    colours = np.stack([drawing.colour, drawing.colour[::-1]])
    deep = layers.astype(np.uint16) * 257
    grey = [layer[..., None] for layer in layers]
    stacks: list[tuple[str, Callable[[], bytes], list[Pixels]]] = [
        ("pages", partial(tiff, layers), grey),
        ("pages, LZW", partial(tiff, layers, compression="lzw"), grey),
        ("pages, BigTIFF", partial(tiff, layers, bigtiff=True), grey),
        ("pages of RGB", partial(tiff, colours, photometric="rgb"), [*colours]),
        ("one directory", partial(_described, layers, truncate=True), grey),
        ("ImageJ", partial(_described, layers, imagej=True), grey),
        ("ImageJ, one directory", partial(_imagej_of_one, layers), grey),
        (
            "ImageJ of 3 times 2 channels",
            partial(
                _described, layers.reshape(3, 1, 2, *layers.shape[1:]), imagej=True
            ),
            grey,
        ),
        (
            "OME",
            partial(
                _described,
                layers.reshape(3, 2, 1, *layers.shape[1:]),
                ome=True,
                metadata={"axes": "TCZYX"},
            ),
            grey,
        ),
        ("volume", partial(tiff, layers, volumetric=True, tile=(16, 16, 16)), grey),
        ("pages with copies and masks", partial(_with_copies, layers), grey),
        ("pages that are all copies", partial(tiff, layers, subfiletype=1), grey),
        ("volume of 2", partial(tiff, layers[:2], volumetric=True), grey[:2]),
        ("the same, BigTIFF", partial(_with_copies, layers, bigtiff=True), grey),
        ("the same, big-endian", partial(_with_copies, layers, byteorder=">"), grey),
        ("animated WebP", partial(animated, colours, "WEBP"), [*colours]),
        ("animated PNG", partial(animated, colours, "PNG"), [*colours]),
        ("animated AVIF, 10 bits", partial(_animated_avif, colours), [*colours]),
        ("animated PNG, 16 bits", partial(_animated_png, colours), [*colours]),
        ("animated JPEG XL", partial(_animated_jxl, colours), [*colours]),
    ]
    stacks.append(("pages of 16 bits", partial(tiff, deep), _own_range(layers)))
    for name, write, expected in stacks:
        tolerance = 2 if "AVIF" in name else 0
        for number in sorted({0, 1, len(expected) - 1}):
            compared = partial(read_difference, write, expected[number], number)
            result = partial(compared, len(expected), tolerance)
            yield Case(f"{name}, image {number + 1}", result, "the same")
        past = partial(
            read_difference, write, expected[0], len(expected), len(expected)
        )
        yield Case(f"{name}, one too many", past, re.compile("has no frame"))


def _own_range(layers: Pixels) -> list[Pixels]:
    """Each scaled from black to white, as large samples are."""
    tops = [int(layer.max()) for layer in layers]
    return [
        np.rint(layer / top * 255).astype(np.uint8)[..., None]
        for layer, top in zip(layers, tops, strict=True)
    ]


def _described(samples: Any, **options: Any) -> bytes:
    """With what tifffile writes into the description."""
    buffer = io.BytesIO()
    options = {"photometric": "minisblack"} | options
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def _imagej_of_one(layers: Pixels) -> bytes:
    """A stack as ImageJ writes it: one directory, and how many images follow it."""
    count, height, width = layers.shape
    text = f"ImageJ=1.54f\nimages={count}\nslices={count}\n\0".encode()
    content = layers.tobytes() + text
    tags = plain_tags(height, width, 1)
    directory = tiff_of_tags([*tags, (270, "L", [0] * 2)], content)
    # The description is text: kind 2, its length, and where it stands.
    entry = struct.pack("<HHL", 270, 4, 2)
    place = struct.pack("<HHLL", 270, 2, len(text), 8 + layers.nbytes)
    at = directory.index(entry)
    return directory[:at] + place + directory[at + 12 :]


def _with_copies(layers: Pixels, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as file:
        for layer in layers:
            kind: dict[str, Any] = {"photometric": "minisblack", "metadata": None}
            file.write(layer[::2, ::2].copy(), subfiletype=1, **kind)
            file.write(layer, **kind)
            file.write(layer > 0, subfiletype=4, **kind)
    return buffer.getvalue()


def animated(frames: Pixels, kind: str) -> bytes:
    """Frames as Pillow writes them, one after another."""
    buffer = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    first.save(buffer, kind, save_all=True, append_images=others, lossless=True)
    return buffer.getvalue()


def _animated_avif(frames: Pixels) -> bytes:
    samples = frames.astype(np.uint16) * 4
    return bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=10))


def _animated_png(frames: Pixels) -> bytes:
    return bytes(imagecodecs.apng_encode(frames.astype(np.uint16) * 16))


def _animated_jxl(frames: Pixels) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(frames, lossless=True, photometric="rgb"))
