"""Cases of `odd_files`: images that are neither DICOM nor NIfTI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from medmodel.benchmark.odd_files import Case
from medmodel.benchmark.odd_files.comparing import read_difference, summary
from medmodel.benchmark.odd_files.drawing import Drawing, draw
from medmodel.benchmark.odd_files.image_variants import variants
from medmodel.benchmark.odd_files.stack_cases import animated, stack_cases
from medmodel.benchmark.odd_files.tiff_cases import of_three, replaced, tiff_cases
from medmodel.benchmark.odd_files.tiff_variants import (
    Tag,
    plain_tags,
    tiff,
    tiff_of_tags,
)
from medmodel.imaging import images

FOUND = {
    # file -> height, width, channels, images in it, darkest and brightest grey level,
    # mean of all
    "png_rgb16_12bit_range_almost_black.png": (64, 96, 3, 1, 0, 255, 75),
    "tiff_10_pages_one_ifd_9_unseen.tif": (64, 96, 1, 10, 0, 190, 95),
    "tiff_5_channels_shown_5_pixels_wide.tif": (64, 96, 1, 1, 0, 190, 95),
    "tiff_cmyk16_wrong_colours.tif": (64, 96, 3, 1, 0, 255, 180),
    "tiff_grey_12bit_packed_crashes_whole_check.tiff": (16, 16, 1, 1, 0, 255, 128),
    "tiff_int8_wraps.tif": (64, 96, 1, 1, 0, 255, 128),
    "tiff_lzw_rgb16_refused.tif": (64, 96, 3, 1, 0, 255, 75),
    "tiff_rgb16_orientation_6_not_turned.tif": (96, 64, 3, 1, 0, 255, 75),
    "tiff_rgba16_12bit_range_goes_black.tif": (64, 96, 3, 1, 0, 255, 75),
    "tiff_rgba16_alpha_ignored.tif": (64, 96, 3, 1, 0, 255, 56),
    "tiff_ycbcr420_uncompressed_crash.tif": (64, 256, 3, 1, 0, 255, 124),
    "tiff_zstd_rgb16_crash_ModuleNotFound.tif": (64, 96, 3, 1, 0, 255, 75),
}


def cases(folder: Path) -> Iterator[Case]:
    """Files of `found`, and what is drawn here."""
    for name, expected in FOUND.items():
        yield Case(name, partial(summary, folder / name), expected)
    yield from drawn_cases(draw())


def drawn_cases(drawing: Drawing) -> Iterator[Case]:
    """Every variant of one image, stacks of images, and what is to be refused."""
    for variant in variants(drawing):
        compared = partial(read_difference, variant.write, variant.expected, 0, 1)
        yield Case(variant.name, partial(compared, variant.tolerance), "the same")
    yield from tiff_cases(drawing)
    yield from stack_cases(drawing)
    yield from _refused_cases(drawing)


def _refused_cases(drawing: Drawing) -> Iterator[Case]:
    """What is not offered is named; what is damaged is called so."""
    grey = drawing.grey[..., 0]
    height, width = grey.shape
    twelve = grey.astype(np.uint16) * 16
    damaged = re.compile("damaged or incomplete")
    whole = [
        ("PNG", animated(drawing.colour[None], "PNG")),
        ("16-bit PNG", imagecodecs.png_encode(grey.astype(np.uint16) * 16)),
        ("JPEG-LS", imagecodecs.jpegls_encode(grey)),
        ("J2K", imagecodecs.jpeg2k_encode(grey.astype(np.uint16), level=0)),
        ("JPEG XL", imagecodecs.jpegxl_encode(drawing.colour, lossless=True)),
        ("TIFF", tiff(grey)),
        ("TIFF, LZW", tiff(drawing.colour, photometric="rgb", compression="lzw")),
        ("TIFF, tiles", tiff(grey, tile=(16, 16), compression="zstd")),
        ("TIFF, pages", tiff(np.stack([grey] * 3))),
        ("TIFF, JPEG", tiff(drawing.colour, photometric="ycbcr", compression="jpeg")),
        ("TIFF, JPEG XR", tiff(grey, compression="jpegxr")),
        ("JPEG of 12 bits", imagecodecs.jpeg8_encode(twelve, bitspersample=12)),
    ]
    for name, data in whole:
        # Of pages the first is whole, and shown, where the file is cut behind it.
        for share in (0.3,) if name == "TIFF, pages" else (0.3, 0.6, 0.9):
            cut = bytes(data[: int(len(data) * share)])
            decoded = partial(images.decode, cut)
            yield Case(f"{name}, {share:.0%} of it", decoded, damaged)
    unknown: list[tuple[str, list[Tag], str]] = [
        ("CFA", [(262, "H", [32803])], "CFA"),
        ("ITULAB", [(262, "H", [10])], "ITULAB"),
        ("LogL", [(262, "H", [32844])], "LOGL"),
        ("photometric 999", [(262, "H", [999])], "number 999"),
        ("JBIG", [(259, "H", [34661])], "JBIG"),
        ("SGILog", [(259, "H", [34676])], "SGILOG"),
        ("compression 40000", [(259, "H", [40000])], "40000"),
        ("complex", [(258, "H", [64]), (339, "H", [6])], "COMPLEXIEEE"),
        ("inks", [(262, "H", [5]), (332, "H", [2])], "inks"),
        ("YCbCr of 16 bits", of_three(6, 16), "YCbCr of 16 bits"),
        ("CIELAB of 12 bits", of_three(8, 12), "CIELAB of 12 bits"),
        ("colour without colours", [(262, "H", [2])], "1 samples for RGB"),
    ]
    for name, tags, words in unknown:
        data = tiff_of_tags(
            replaced(plain_tags(height, width, 1), *tags), bytes(8 * grey.size)
        )
        pattern = re.compile(f"is a TIFF with .*{words}.*cannot be read here")
        yield Case(f"TIFF of {name}", partial(images.decode, data), pattern)
    texts = [b"BMI and age of all patients\n" * 9, b"BM", b"BM" + bytes(98), b"II*"]
    for text in texts:
        name = f"text {text[:9]!r}"
        yield Case(name, partial(images.decode, text), re.compile("is not an image"))
    for brand in (b"heic", b"heix", b"mif1"):
        head = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(99)
        yield Case(f"HEIF {brand!r}", partial(images.decode, head), re.compile("HEIC"))
